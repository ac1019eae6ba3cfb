import { createHash } from 'node:crypto';
import type { Nano } from '@millrace/contract';
import type { JournalReader } from '../journal/index.ts';
import type { Store } from '../store/index.ts';
import { hashTx } from './booking.ts';

export interface Invariant {
  readonly id: string;
  readonly title: { readonly en: string; readonly zh: string };
  readonly ok: boolean;
  /** How many rows were looked at. */
  readonly checked: number;
  /** What was found wrong first; empty when all is well. */
  readonly detail: string;
}

export interface Verification {
  readonly ok: boolean;
  readonly invariants: readonly Invariant[];
}

const PAGE = 5_000;

const TITLES = {
  I1: { en: 'Every transaction sums to zero per currency', zh: '每笔交易按币种合计为零' },
  I2: {
    en: 'Balances are the sums of their postings, held amounts of their open holds',
    zh: '余额等于分录之和，预留额等于未结预留之和',
  },
  I3: {
    en: 'No wallet is overspent beyond what answers exceeded their holds by',
    zh: '钱包透支不超过回答超出预留的部分',
  },
  I4: {
    en: 'One settlement per request, one transaction per settlement, no overdue hold',
    zh: '每个请求一次结算，每次结算一笔交易，无逾期预留',
  },
  I5: {
    en: 'The ledger chain is unbroken, and the journal is loaded without a gap',
    zh: '账簿哈希链完整，日志装载无缺口',
  },
  I6: { en: 'Every settlement in the journal is in the ledger', zh: '日志中的每次结算都在总账中' },
  I7: {
    en: 'Every settlement names an attempt, and attempts belong to settlements',
    zh: '每次结算都有对应的尝试，每次尝试都属于一次结算',
  },
  I8: {
    en: 'Every amount is usage times its price version, which has not changed',
    zh: '每笔金额等于用量乘以其价格版本，且价格版本未被更改',
  },
  I9: { en: 'Money is conserved: paid in = revenue + what is left', zh: '资金守恒：充值 = 收入 + 余额' },
  I10: {
    en: 'What is owed to providers is the sum of the costs of all attempts',
    zh: '应付提供商金额等于全部尝试的成本之和',
  },
  I11: { en: 'No amount or count is negative or out of range', zh: '没有负数或超出范围的金额与数量' },
} as const;

/** Proves the invariants from the store (and the journal) alone, recomputing everything from zero. Reads page by page. */
export async function verifyLedger(
  store: Store,
  { nodeId, reader, nowMs }: { readonly nodeId: string; readonly reader: JournalReader; readonly nowMs: number },
): Promise<Verification> {
  const found = new Map<string, { checked: number; detail: string }>();
  const at = (id: string) => {
    let entry = found.get(id);
    if (!entry) {
      entry = { checked: 0, detail: '' };
      found.set(id, entry);
    }
    return entry;
  };
  const expect = (id: keyof typeof TITLES, holds: boolean, detail: () => string) => {
    const entry = at(id);
    entry.checked++;
    if (!holds && entry.detail === '') entry.detail = detail();
  };
  await checkTransactions(store, expect);
  await checkBalances(store, expect);
  await checkHolds(store, { expect, nowMs });
  await checkRequests(store, expect);
  await checkConservation(store, expect);
  await checkJournal(store, { expect, nodeId, reader });
  const invariants = Object.entries(TITLES).map(([id, title]) => {
    const { checked, detail } = at(id);
    return { id, title, ok: detail === '', checked, detail };
  });
  return { ok: invariants.every(({ ok }) => ok), invariants };
}

type Expect = (id: keyof typeof TITLES, holds: boolean, detail: () => string) => void;

async function checkTransactions(store: Store, expect: Expect): Promise<void> {
  let seq = 0n;
  let prevHash = '0'.repeat(64);
  for (;;) {
    const page = await store.db
      .selectFrom('ledger_tx')
      .selectAll()
      .where('seq', '>', seq)
      .orderBy('seq')
      .limit(PAGE)
      .execute();
    if (page.length === 0) return;
    const postings = await store.db
      .selectFrom('postings')
      .innerJoin('ledger_tx', 'ledger_tx.id', 'postings.tx_id')
      .select(['tx_id', 'line', 'account_id', 'currency', 'amount_nano'])
      .where('ledger_tx.seq', '>', seq)
      .where('ledger_tx.seq', '<=', page.at(-1)?.seq ?? seq)
      .orderBy('ledger_tx.seq')
      .orderBy('line')
      .execute();
    const byTx = Map.groupBy(postings, ({ tx_id }) => tx_id);
    for (const tx of page) {
      const lines = byTx.get(tx.id) ?? [];
      const sums = new Map<string, Nano>();
      for (const { currency, amount_nano } of lines) sums.set(currency, (sums.get(currency) ?? 0n) + amount_nano);
      expect(
        'I1',
        [...sums.values()].every(sum => sum === 0n),
        () => `transaction ${tx.id} does not sum to zero`,
      );
      expect(
        'I5',
        tx.seq === seq + 1n && tx.prev_hash === prevHash,
        () => `the chain breaks before transaction ${tx.id}`,
      );
      const hash = hashTx(
        {
          id: tx.id,
          kind: tx.kind as 'usage',
          idemKey: tx.idem_key,
          requestId: tx.request_id,
          atUs: tx.booked_us,
          priceVersion: tx.price_version,
          note: tx.note,
          postings: lines.map(line => ({
            accountId: line.account_id,
            currency: line.currency,
            amountNano: line.amount_nano,
          })),
        },
        tx.seq,
        tx.prev_hash,
      );
      expect('I5', hash === tx.hash, () => `transaction ${tx.id} was changed after it was booked`);
      seq = tx.seq;
      prevHash = tx.hash;
    }
  }
}

async function checkBalances(store: Store, expect: Expect): Promise<void> {
  const { db } = store;
  const posted = new Map(
    (
      await db
        .selectFrom('postings')
        .select(({ fn }) => ['account_id', fn.sum<bigint>('amount_nano').as('sum')])
        .groupBy('account_id')
        .execute()
    ).map(row => [row.account_id, BigInt(row.sum)]),
  );
  const held = new Map(
    (
      await db
        .selectFrom('holds')
        .select(({ fn }) => ['account_id', fn.sum<bigint>('amount_nano').as('sum')])
        .groupBy('account_id')
        .execute()
    ).map(row => [row.account_id, BigInt(row.sum)]),
  );
  const overrun = await overruns(store);
  const rows = await db
    .selectFrom('balances')
    .innerJoin('accounts', 'accounts.id', 'balances.account_id')
    .selectAll()
    .execute();
  for (const row of rows) {
    const sum = posted.get(row.account_id) ?? 0n;
    const expected = row.kind === 'wallet' ? -sum : sum;
    expect(
      'I2',
      row.posted_nano === expected,
      () => `${row.account_id} shows ${row.posted_nano}, its postings say ${expected}`,
    );
    expect(
      'I2',
      row.held_nano === (held.get(row.account_id) ?? 0n),
      () => `${row.account_id} holds ${row.held_nano}, its open holds say ${held.get(row.account_id) ?? 0n}`,
    );
    if (row.kind === 'wallet')
      expect(
        'I3',
        row.posted_nano - row.held_nano >= row.min_balance_nano - overrun,
        () => `${row.account_id} stands at ${row.posted_nano - row.held_nano}`,
      );
  }
}

/** B of the overspend bound: what answers cost beyond their holds. The holds of ended requests stand in the journal alone, so it is bounded from above by the answers whose upstream broke `max_tokens`. */
async function overruns(store: Store): Promise<Nano> {
  const row = await store.db
    .selectFrom('requests')
    .select(({ fn }) => fn.sum<bigint>('amount_nano').as('sum'))
    .where('outcome', '=', 'cut-off')
    .executeTakeFirst();
  return BigInt(row?.sum ?? 0n);
}

async function checkHolds(store: Store, { expect, nowMs }: { expect: Expect; nowMs: number }): Promise<void> {
  for (const hold of await store.db.selectFrom('holds').select(['request_id', 'expires_us']).execute()) {
    expect('I4', hold.expires_us > BigInt(nowMs) * 1000n, () => `the hold of request ${hold.request_id} is overdue`);
  }
  const both = await store.db
    .selectFrom('holds')
    .innerJoin('requests', 'requests.id', 'holds.request_id')
    .select('requests.id')
    .executeTakeFirst();
  expect('I4', both === undefined, () => `request ${both?.id} is settled and still holds money`);
}

async function checkRequests(store: Store, expect: Expect): Promise<void> {
  const { db } = store;
  const prices = new Map<string, PriceFigures>();
  for (const { version, content } of await db.selectFrom('price_versions').select(['version', 'content']).execute()) {
    expect(
      'I8',
      createHash('sha256').update(content).digest('hex') === version,
      () => `the price version ${version} was changed`,
    );
    const parsed: { input: string; cachedInput: string | null; output: string } = JSON.parse(content);
    prices.set(version, {
      input: BigInt(parsed.input),
      cached: parsed.cachedInput === null ? undefined : BigInt(parsed.cachedInput),
      output: BigInt(parsed.output),
    });
  }
  let after = '';
  for (;;) {
    const page = await db
      .selectFrom('requests')
      .leftJoin('ledger_tx', 'ledger_tx.id', 'requests.tx_id')
      .selectAll('requests')
      .select('ledger_tx.request_id as booked_for')
      .where('requests.id', '>', after)
      .orderBy('requests.id')
      .limit(PAGE)
      .execute();
    const last = page.at(-1);
    if (!last) break;
    const attempts = Map.groupBy(
      await db
        .selectFrom('attempts')
        .selectAll()
        .where('request_id', '>', after)
        .where('request_id', '<=', last.id)
        .execute(),
      ({ request_id }) => request_id,
    );
    for (const row of page) {
      expect('I4', row.booked_for === row.id, () => `request ${row.id} has no transaction of its own`);
      const price = prices.get(row.price_version);
      expect(
        'I8',
        price !== undefined && row.amount_nano === amountBy(price, row),
        () => `request ${row.id} was charged ${row.amount_nano}, its usage costs ${price && amountBy(price, row)}`,
      );
      expect(
        'I11',
        row.amount_nano >= 0n &&
          [row.input_tokens, row.cached_input_tokens, row.output_tokens].every(
            count => count >= 0n && count <= 1_000_000_000n,
          ),
        () => `request ${row.id} holds a count out of range`,
      );
      expect(
        'I7',
        row.outcome === 'client-gone' || row.outcome === 'failed' || (attempts.get(row.id)?.length ?? 0) > 0,
        () => `request ${row.id} is settled without an attempt`,
      );
      for (const attempt of attempts.get(row.id) ?? []) {
        const cost = prices.get(attempt.cost_version ?? '');
        if (attempt.cost_nano !== null)
          expect(
            'I8',
            cost !== undefined && attempt.cost_nano === amountBy(cost, attempt),
            () => `an attempt of ${row.id} costs ${attempt.cost_nano}, its usage says otherwise`,
          );
      }
    }
    after = last.id;
  }
  const stray = await db
    .selectFrom('attempts')
    .leftJoin('requests', 'requests.id', 'attempts.request_id')
    .select('request_id')
    .where('requests.id', 'is', null)
    .executeTakeFirst();
  expect('I7', stray === undefined, () => `an attempt of ${stray?.request_id} has no settlement`);
}

interface PriceFigures {
  readonly input: bigint;
  readonly cached: bigint | undefined;
  readonly output: bigint;
}

/** Written apart from metering on purpose: two ways to the same figure. Rounds each line up by adding a divisor less one. */
function amountBy(
  price: PriceFigures,
  row: { readonly input_tokens: bigint; readonly cached_input_tokens: bigint; readonly output_tokens: bigint },
): Nano {
  const up = (product: bigint) => (product + 999_999n) / 1_000_000n;
  const output = up(row.output_tokens * price.output);
  if (price.cached === undefined) return up(row.input_tokens * price.input) + output;
  return (
    up((row.input_tokens - row.cached_input_tokens) * price.input) + up(row.cached_input_tokens * price.cached) + output
  );
}

async function checkConservation(store: Store, expect: Expect): Promise<void> {
  const rows = await store.db
    .selectFrom('balances')
    .innerJoin('accounts', 'accounts.id', 'balances.account_id')
    .select(['kind', 'currency', 'posted_nano'])
    .execute();
  for (const [currency, accounts] of Map.groupBy(rows, row => row.currency)) {
    const total = (...kinds: string[]) =>
      accounts.filter(({ kind }) => kinds.includes(kind)).reduce((sum, { posted_nano }) => sum + posted_nano, 0n);
    const paidIn = total('cash', 'adjustment');
    expect(
      'I9',
      paidIn === total('wallet') - total('revenue'),
      () => `${currency}: ${paidIn} paid in, ${total('wallet')} left, ${-total('revenue')} earned`,
    );
    const attempts = await store.db
      .selectFrom('attempts')
      .select(({ fn }) => fn.sum<bigint>('cost_nano').as('sum'))
      .where('cost_currency', '=', currency)
      .executeTakeFirst();
    expect(
      'I10',
      -total('payable') === BigInt(attempts?.sum ?? 0n) && total('cogs') === -total('payable'),
      () => `${currency}: ${-total('payable')} owed, attempts cost ${attempts?.sum ?? 0}`,
    );
  }
}

async function checkJournal(
  store: Store,
  { expect, nodeId, reader }: { expect: Expect; nodeId: string; reader: JournalReader },
): Promise<void> {
  const cursor = await store.db
    .selectFrom('journal_cursor')
    .select('seq')
    .where('node_id', '=', nodeId)
    .executeTakeFirst();
  const loaded = Number(cursor?.seq ?? 0n);
  expect(
    'I5',
    loaded <= reader.lastSeq(),
    () =>
      `the store has entry ${loaded}, the journal ends at ${reader.lastSeq()}: an old journal was put beside a newer store`,
  );
  let seq = Math.max(0, loaded - 10_000);
  for (;;) {
    const entries = reader.read(seq, PAGE).filter(entry => entry.seq <= loaded);
    const last = entries.at(-1);
    if (!last) return;
    const ids = entries.flatMap(({ record }) => (record.kind === 3 ? [record.value.id] : []));
    for (let start = 0; start < ids.length; start += 500) {
      const part = ids.slice(start, start + 500);
      const there = new Set(
        (await store.db.selectFrom('requests').select('id').where('id', 'in', part).execute()).map(({ id }) => id),
      );
      for (const id of part)
        expect('I6', there.has(id), () => `the settlement of ${id} is in the journal and not in the ledger`);
    }
    seq = last.seq;
  }
}
