import { type Store, type StoreTransaction, type StoreValue, splitCarry } from '../../../ground/store/index.ts';
import type { Tally } from './tally.ts';

/** Adds numbers to rows by key, making those that are missing: sums of a batch, so each row is touched once. */
async function addUp(
  store: Store,
  trx: StoreTransaction,
  {
    table,
    key,
    add,
    carry = [],
    rows,
  }: {
    readonly table: 'key_spend' | 'usage_hourly';
    readonly key: readonly string[];
    readonly add: readonly string[];
    readonly carry?: readonly (readonly [low: string, carry: string])[];
    readonly rows: readonly (readonly StoreValue[])[];
  },
): Promise<void> {
  const there = await store.changeRows(trx, table, { key, add, carry, rows });
  const missing = rows.filter((_, index) => !there[index]);
  const columns = [...key, ...add, ...carry.flat()];
  const made = await store.insertNew(trx, table, { columns, rows: missing, key: key.join(',') });
  // Another node made it meanwhile: to take a lease on a budget, say.
  const late = missing.filter((_, index) => !made[index]);
  await store.changeRows(trx, table, { key, add, carry, rows: late });
}

/** What a key spent in a period. */
export interface Spend {
  readonly keyId: string;
  /** `total`, a month or a day. */
  readonly period: string;
  readonly currency: string;
  nano: bigint;
}

/** What each key has spent, in all, by month and by day (UTC) of the settlement. */
export function spendOf(tallies: readonly Tally[]): readonly Spend[] {
  const spent = new Map<string, Spend>();
  for (const { series, hourMs, revenueNano } of tallies) {
    if (revenueNano === 0n) continue;
    const { keyId, currency } = series;
    const day = new Date(hourMs).toISOString().slice(0, 10);
    for (const period of ['total', day.slice(0, 7), day]) {
      const name = `${keyId} ${period} ${currency}`;
      const row = spent.get(name);
      if (row) row.nano += revenueNano;
      else spent.set(name, { keyId, period, currency, nano: revenueNano });
    }
  }
  return [...spent.values()];
}

/** Counts it: what budgets are read from at start. */
export async function countSpend(store: Store, trx: StoreTransaction, tallies: readonly Tally[]): Promise<void> {
  const rows = spendOf(tallies).map(({ keyId, period, currency, nano }) => [
    keyId,
    period,
    currency,
    ...splitCarry(nano),
  ]);
  const key = ['key_id', 'period', 'currency'];
  await addUp(store, trx, { table: 'key_spend', key, add: [], carry: [['spent_nano', 'spent_carry']], rows });
}

const HOURLY_SUMS = [
  'requests',
  'failed',
  'input_tokens',
  'cached_input_tokens',
  'output_tokens',
  'reasoning_tokens',
  'costed',
];
const HOURLY_MONEY = [
  ['revenue_nano', 'revenue_carry'],
  ['cost_nano', 'cost_carry'],
] as const;

/** Requests, tokens, revenue and cost by hour of the settlement. */
export async function countHours(store: Store, trx: StoreTransaction, tallies: readonly Tally[]): Promise<void> {
  const rows = tallies.map(tally => {
    const { series } = tally;
    // A cost in another currency cannot stand beside this revenue: it is in the calls and the ledger.
    const costed = series.costCurrency === series.currency;
    return [
      series.number,
      tally.hourMs * 1000,
      tally.requests,
      tally.failed,
      tally.inputTokens,
      tally.cachedInputTokens,
      tally.outputTokens,
      tally.reasoningTokens,
      costed ? tally.costed : 0,
      ...splitCarry(tally.revenueNano),
      ...splitCarry(costed ? tally.costNano : 0n),
    ];
  });
  const key = ['series', 'hour_us'];
  await addUp(store, trx, { table: 'usage_hourly', key, add: HOURLY_SUMS, carry: HOURLY_MONEY, rows });
}
