export interface Invariant {
  readonly id: InvariantId;
  readonly title: { readonly en: string; readonly zh: string };
  readonly ok: boolean;
  /** How many facts were looked at. */
  readonly checked: number;
  /** What was found wrong, the first of it; empty when all is well. */
  readonly detail: string;
}

/** What each invariant says, and how far it can be proven from inside. */
export const TITLES = {
  I1: { en: 'Every transaction sums to zero per currency', zh: '每笔交易按币种合计为零' },
  I2: {
    en: 'Balances are the sums of their postings, held amounts of their open holds and leases, rollups of their requests',
    zh: '余额等于分录之和，预留额等于未结预留与租约之和，汇总等于请求之和',
  },
  I3: {
    en: 'No wallet is overspent beyond what answers cost above their holds, and what a node spent of a lease that lapsed',
    zh: '除回答超出预留的部分，以及节点在租约失效前已花费的部分外，没有钱包透支',
  },
  I4: {
    en: 'One settlement per request, one transaction per settlement, no intent left without either end or hold',
    zh: '每个请求一次结算，每次结算一笔交易，没有既未了结又无预留的意向',
  },
  I5: {
    en: 'The chain of transactions is unbroken, and the journal is loaded without a gap',
    zh: '交易哈希链完整，日志装载无缺口',
  },
  I6: {
    en: 'Every settlement of the journal is in the ledger, unchanged, or waits in suspense (that clients saw no others takes an observer outside)',
    zh: '日志中的每次结算都原样记入账簿，或列入挂账（客户端是否见过其他结果需由外部观察者证明）',
  },
  I7: {
    en: 'Every settlement has its intent, every charge an attempt, every attempt a settlement (that upstreams were called takes an observer outside)',
    zh: '每次结算都有意向，每笔收费都有调用，每次调用都属于一次结算（上游是否真被调用需由外部观察者证明）',
  },
  I8: {
    en: 'Every amount and cost is usage times its price version, recomputed; no version was changed',
    zh: '每笔金额与成本经重新计算均等于用量乘以其价格版本，且价格版本未被更改',
  },
  I9: { en: 'Money is conserved: paid in = earned + left in wallets', zh: '资金守恒：充值 = 收入 + 钱包余额' },
  I10: {
    en: 'What is owed to each provider is the sum of the costs of its attempts (what the provider counts takes its invoice)',
    zh: '应付各供应商的金额等于其全部调用的成本之和（供应商自己的计数需与其账单核对）',
  },
  I11: {
    en: 'No amount or count is negative or out of range; no part exceeds its whole',
    zh: '没有负数或超出范围的金额与数量，部分不超过总量',
  },
} as const;

export type InvariantId = keyof typeof TITLES;

/** Counts what was looked at, and keeps the first thing found wrong of each invariant. */
export interface Findings {
  /** `detail` is asked for only where `holds` is false. */
  expect(id: InvariantId, holds: boolean, detail: () => string): void;
  invariants(): readonly Invariant[];
}

function isInvariantId(id: string): id is InvariantId {
  return id in TITLES;
}

export function createFindings(): Findings {
  const found = new Map<InvariantId, { checked: number; detail: string }>();
  for (const id of Object.keys(TITLES)) if (isInvariantId(id)) found.set(id, { checked: 0, detail: '' });
  return {
    expect(id, holds, detail) {
      const entry = found.get(id);
      if (!entry) return;
      entry.checked++;
      if (!holds && entry.detail === '') entry.detail = detail();
    },
    invariants: () =>
      [...found].map(([id, { checked, detail }]) => ({ id, title: TITLES[id], ok: detail === '', checked, detail })),
  };
}
