import type { Nano } from '@millrace/contract';
import type { Selectable } from 'kysely';
import type { Database, Store } from '../../store/index.ts';
import { partsOf, walletAccount } from '../accounts.ts';
import type { Findings } from './findings.ts';
import { amountBy, type PriceFigures, readPriceFigures } from './price-figures.ts';
import type { Snapshot } from './snapshot.ts';

const PAGE = 2_000;
const COUNT_MAX = 1_000_000_000n;

export type RequestRow = Selectable<Database['requests']>;
export type AttemptRow = Selectable<Database['attempts']>;

export interface RequestPage {
  readonly requests: readonly RequestRow[];
  /** By request, those of requests that are not there included. */
  readonly attempts: ReadonlyMap<string, readonly AttemptRow[]>;
}

/** All settled requests with their attempts, in the order of their ids, a page at a time: for checkers that know more than the books. */
export async function* requestPages(store: Store): AsyncGenerator<RequestPage> {
  for (let after = ''; ; ) {
    const requests = await store.reader
      .selectFrom('requests')
      .selectAll()
      .where('id', '>', after)
      .orderBy('id')
      .limit(PAGE)
      .execute();
    const last = requests.length === PAGE ? requests.at(-1)?.id : undefined;
    let query = store.reader.selectFrom('attempts').selectAll().where('request_id', '>', after);
    if (last !== undefined) query = query.where('request_id', '<=', last);
    const attempts = Map.groupBy(await query.orderBy('number').execute(), ({ request_id }) => request_id);
    yield { requests, attempts };
    if (last === undefined) return;
    after = last;
  }
}

/** What all settled requests come to. */
export interface RequestSums {
  readonly requests: number;
  /** What wallets were charged beyond the holds of their requests: the bound of I3. */
  readonly overruns: ReadonlyMap<string, Nano>;
  /** Costs of attempts, by `payable:provider:currency`. */
  readonly costs: ReadonlyMap<string, Nano>;
  /** Requests and revenue by organization and currency, of those settled before `rollupsBeforeUs`. */
  readonly rollups: ReadonlyMap<string, { requests: bigint; revenue: Nano }>;
}

/** Looks at each settled request up to the head of the snapshot: I4, I7, I8, I11. */
export async function checkRequests(
  store: Store,
  { headSeq }: Snapshot,
  { findings, rollupsBeforeUs }: { readonly findings: Findings; readonly rollupsBeforeUs: bigint },
): Promise<RequestSums> {
  const prices = await readPriceFigures(store, findings);
  const overruns = new Map<string, Nano>();
  const costs = new Map<string, Nano>();
  const rollups = new Map<string, { requests: bigint; revenue: Nano }>();
  let requests = 0;
  for await (const page of requestPages(store)) {
    const ids = new Set(page.requests.map(({ id }) => id));
    const stray = [...page.attempts.keys()].find(id => !ids.has(id));
    // What is loaded between the two queries of a page looks stray: an attempt comes with its request in one transaction.
    const missing = stray !== undefined && (await isMissing(store, stray));
    findings.expect('I7', !missing, () => `an attempt of ${stray} has no settlement`);
    const rows = page.requests.filter(row => row.tx_seq <= headSeq);
    await checkBookings(store, rows, findings);
    for (const row of rows) {
      requests++;
      const attempts = page.attempts.get(row.id) ?? [];
      checkRequest(row, attempts, { findings, prices });
      if (row.amount_nano > row.held_nano)
        add(overruns, walletAccount(row.organization_id, row.currency), row.amount_nano - row.held_nano);
      for (const { provider_id, cost_currency, cost_nano } of attempts)
        if (cost_nano !== null && cost_currency !== null)
          add(costs, `payable:${provider_id}:${cost_currency}`, cost_nano);
      if (row.at_us < rollupsBeforeUs) addRollup(rollups, row);
    }
  }
  return { requests, overruns, costs, rollups };
}

function add(sums: Map<string, Nano>, key: string, nano: Nano): void {
  sums.set(key, (sums.get(key) ?? 0n) + nano);
}

function addRollup(rollups: Map<string, { requests: bigint; revenue: Nano }>, row: RequestRow): void {
  const key = `${row.organization_id} ${row.currency}`;
  const sums = rollups.get(key) ?? { requests: 0n, revenue: 0n };
  sums.requests++;
  sums.revenue += row.amount_nano;
  rollups.set(key, sums);
}

async function isMissing(store: Store, id: string): Promise<boolean> {
  const row = await store.reader.selectFrom('requests').select('id').where('id', '=', id).executeTakeFirst();
  return row === undefined;
}

/** I4: each request has the transaction it names, and that one charges its wallet its amount. */
async function checkBookings(store: Store, rows: readonly RequestRow[], { expect }: Findings): Promise<void> {
  const [first, last] = [rows[0], rows.at(-1)];
  if (!first || !last) return;
  const booked = await store.reader
    .selectFrom('requests')
    .innerJoin('ledger_tx', 'ledger_tx.seq', 'requests.tx_seq')
    .leftJoin('postings', join => join.onRef('postings.tx_seq', '=', 'ledger_tx.seq').on('postings.line', '=', 0n))
    .select(['requests.id as id', 'ledger_tx.request_id as request_id', 'ledger_tx.kind as kind'])
    .select(['postings.account_id as account_id', 'postings.amount_nano as amount_nano'])
    .where('requests.id', '>=', first.id)
    .where('requests.id', '<=', last.id)
    .execute();
  const byId = new Map(booked.map(row => [row.id, row]));
  for (const row of rows) {
    const tx = byId.get(row.id);
    const names = tx?.request_id === row.id && tx.kind === 'usage';
    expect('I4', names, () => `request ${row.id} has no transaction of its own`);
    const charged =
      row.amount_nano === 0n
        ? tx?.account_id === null
        : tx?.account_id === walletAccount(row.organization_id, row.currency) && tx.amount_nano === row.amount_nano;
    expect('I4', charged, () => `request ${row.id} cost ${row.amount_nano}, its transaction says otherwise`);
  }
}

function checkRequest(
  row: RequestRow,
  attempts: readonly AttemptRow[],
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
  expect('I7', row.amount_nano === 0n || attempts.length > 0, () => `request ${row.id} is charged without an attempt`);
  for (const attempt of attempts) {
    expect('I11', inRange(attempt), () => `an attempt of ${row.id} has a count out of range`);
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
