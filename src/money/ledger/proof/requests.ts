import type { Nano } from '@millrace/contract';
import { partsOf, walletAccount } from '../accounts.ts';
import type { Findings } from './findings.ts';
import { type AttemptRow, type BookPage, callsOf, type RequestRow } from './pages.ts';
import { amountBy, type PriceFigures } from './price-figures.ts';

const COUNT_MAX = 1_000_000_000n;

/** What all settled requests come to. */
export interface RequestSums {
  /** What wallets were charged beyond the holds of their requests: the bound of I3. */
  readonly overruns: ReadonlyMap<string, Nano>;
  /** Costs of calls, by `payable:provider:currency`. */
  readonly costs: ReadonlyMap<string, Nano>;
  /** Requests and revenue by organization and currency, of those settled before `rollupsBeforeUs`. */
  readonly rollups: ReadonlyMap<string, RollupSums>;
}

/** Looks at each settled request, page after page: I4, I7, I8, I11. */
export interface RequestCheck extends RequestSums {
  check(page: BookPage): void;
}

export function checkRequests(
  findings: Findings,
  { prices, rollupsBeforeUs }: { readonly prices: ReadonlyMap<string, PriceFigures>; readonly rollupsBeforeUs: bigint },
): RequestCheck {
  const overruns = new Map<string, Nano>();
  const costs = new Map<string, Nano>();
  const rollups = new Map<string, RollupSums>();
  return {
    overruns,
    costs,
    rollups,
    check({ requests, attempts }) {
      for (const seq of attempts.keys())
        findings.expect(
          'I7',
          requests.has(seq),
          () => `attempts name the request of number ${seq}, which is not there`,
        );
      for (const row of requests.values()) {
        const calls = callsOf(row, attempts.get(row.seq));
        checkRequest(row, calls, { findings, prices });
        const { organization_id, currency, amount_nano, held_nano } = row;
        if (amount_nano > held_nano) add(overruns, walletAccount(organization_id, currency), amount_nano - held_nano);
        for (const { provider_id, cost_currency, cost_nano } of calls)
          if (cost_nano !== null && cost_currency !== null)
            add(costs, `payable:${provider_id}:${cost_currency}`, cost_nano);
        if (row.at_us < rollupsBeforeUs) addRollup(rollups, row);
      }
    },
  };
}

function add(sums: Map<string, Nano>, key: string, nano: Nano): void {
  sums.set(key, (sums.get(key) ?? 0n) + nano);
}

/** What the rollup says of an organization and currency; as its columns are called. */
export type RollupSums = Record<(typeof ROLLUP_SUMS)[number], bigint>;
export const ROLLUP_SUMS = [
  ...(['requests', 'failed', 'input_tokens', 'cached_input_tokens', 'output_tokens', 'reasoning_tokens'] as const),
  ...(['revenue_nano', 'cost_nano', 'costed'] as const),
] as const;

export const NO_SUMS: RollupSums = {
  ...{ requests: 0n, failed: 0n, input_tokens: 0n, cached_input_tokens: 0n, output_tokens: 0n, reasoning_tokens: 0n },
  ...{ revenue_nano: 0n, cost_nano: 0n, costed: 0n },
};

function addRollup(rollups: Map<string, RollupSums>, row: RequestRow): void {
  const key = `${row.organization_id} ${row.currency}`;
  const sums = rollups.get(key) ?? { ...NO_SUMS };
  sums.requests++;
  if (row.outcome === 'failed') sums.failed++;
  sums.input_tokens += row.input_tokens;
  sums.cached_input_tokens += row.cached_input_tokens;
  sums.output_tokens += row.output_tokens;
  sums.reasoning_tokens += row.reasoning_tokens;
  sums.revenue_nano += row.amount_nano;
  // A cost in another currency does not stand beside this revenue.
  if (row.cost_nano !== null && row.cost_currency === row.currency) {
    sums.cost_nano += row.cost_nano;
    sums.costed++;
  }
  rollups.set(key, sums);
}

function checkRequest(
  row: RequestRow,
  calls: readonly AttemptRow[],
  { findings: { expect }, prices }: { readonly findings: Findings; readonly prices: ReadonlyMap<string, PriceFigures> },
): void {
  const price = prices.get(row.price_version);
  expect(
    'I8',
    price !== undefined && price.currency === row.currency && row.amount_nano === amountBy(price, row),
    () =>
      `request ${row.id} was charged ${row.amount_nano}, by its price version it is ${price && amountBy(price, row)}`,
  );
  expect(
    'I11',
    inRange(row) && row.reasoning_tokens <= COUNT_MAX && row.amount_nano >= 0n && row.held_nano >= 0n,
    () => `request ${row.id} has an amount or a count out of range`,
  );
  expect(
    'I4',
    row.organization_id === row.series_organization_id,
    () => `request ${row.id} is ${row.organization_id}’s, its series ${row.series_organization_id}’s`,
  );
  expect('I7', row.amount_nano === 0n || calls.length > 0, () => `request ${row.id} is charged without an attempt`);
  for (const [index, attempt] of calls.entries()) {
    expect(
      'I7',
      attempt.number === BigInt(index + 1),
      () => `request ${row.id} has calls ${attempt.number} and none ${index + 1}`,
    );
    expect('I11', inRange(attempt), () => `an attempt of ${row.id} has a count out of range`);
    checkDispute(row, attempt, { expect, prices });
    if (attempt.cost_nano === null) continue;
    const cost = prices.get(attempt.cost_version ?? '');
    expect(
      'I8',
      cost !== undefined && cost.currency === attempt.cost_currency && attempt.cost_nano === amountBy(cost, attempt),
      () =>
        `attempt ${attempt.number} of ${row.id} cost ${attempt.cost_nano}, by its price version it is ${cost && amountBy(cost, attempt)}`,
    );
  }
}

/** What an upstream claims beyond the usage is what its price makes of it, on top of what the attempt cost. */
function checkDispute(
  row: RequestRow,
  attempt: AttemptRow,
  { expect, prices }: Pick<Findings, 'expect'> & { readonly prices: ReadonlyMap<string, PriceFigures> },
): void {
  const { disputed_input_tokens: input, disputed_output_tokens: output, disputed_nano: nano } = attempt;
  const claimed = {
    cached_input_tokens: attempt.cached_input_tokens,
    input_tokens: attempt.input_tokens + input,
    output_tokens: attempt.output_tokens + output,
  };
  const inDispute = input > 0n || output > 0n;
  expect(
    'I11',
    input >= 0n && output >= 0n && inRange(claimed) && (nano === null || inDispute),
    () => `an attempt of ${row.id} has a count in dispute out of range`,
  );
  if (nano === null) return;
  const cost = prices.get(attempt.cost_version ?? '');
  expect(
    'I8',
    cost !== undefined && nano === amountBy(cost, claimed) - amountBy(cost, attempt),
    () => `attempt ${attempt.number} of ${row.id} has ${nano} in dispute, by its price version it is another amount`,
  );
}

function inRange(row: {
  readonly input_tokens: bigint;
  readonly cached_input_tokens: bigint;
  readonly output_tokens: bigint;
}): boolean {
  const { input_tokens, cached_input_tokens, output_tokens } = row;
  return (
    cached_input_tokens >= 0n &&
    cached_input_tokens <= input_tokens &&
    input_tokens <= COUNT_MAX &&
    output_tokens >= 0n &&
    output_tokens <= COUNT_MAX
  );
}

/** I10: what is owed to each provider is what its attempts cost. */
export function checkPayables(accounts: ReadonlyMap<string, Nano>, { costs }: RequestSums, { expect }: Findings): void {
  const ids = new Set([...costs.keys(), ...[...accounts.keys()].filter(id => partsOf(id).kind === 'payable')]);
  for (const id of ids) {
    const owed = -(accounts.get(id) ?? 0n);
    const cost = costs.get(id) ?? 0n;
    expect('I10', owed === cost, () => `${id} is ${owed}, its attempts cost ${cost}`);
    const { owner, currency } = partsOf(id);
    const charged = accounts.get(`cost:${owner}:${currency}`) ?? 0n;
    expect('I10', charged === owed, () => `${id} is ${owed}, its cost account ${charged}`);
  }
}
