import type { Store, StoreTransaction, StoreValue } from '../store/index.ts';
import { costOf, type Settled } from './settled-rows.ts';

/** Adds numbers to rows by key, making those that are missing: sums of a batch, so each row is touched once. */
async function addUp(
  store: Store,
  trx: StoreTransaction,
  {
    table,
    key,
    add,
    rows,
  }: {
    readonly table: 'key_spend' | 'usage_hourly';
    readonly key: readonly string[];
    readonly add: readonly string[];
    readonly rows: readonly (readonly StoreValue[])[];
  },
): Promise<void> {
  const there = await store.changeRows(trx, table, { key, add, rows });
  const missing = rows.filter((_, index) => !there[index]);
  await store.insertNew(trx, table, { columns: [...key, ...add], rows: missing, key: key.join(',') });
}

/** Sums by key: the first value of the list that `keyOf` gives names the row. */
class Sums {
  readonly #rows = new Map<string, { readonly key: readonly StoreValue[]; readonly sums: bigint[] }>();

  add(name: string, key: () => readonly StoreValue[], values: readonly bigint[]): void {
    const row = this.#rows.get(name);
    if (!row) this.#rows.set(name, { key: key(), sums: [...values] });
    else for (const [index, value] of values.entries()) row.sums[index] = (row.sums[index] ?? 0n) + value;
  }

  rows(): readonly (readonly StoreValue[])[] {
    return [...this.#rows.values()].map(({ key, sums }) => [...key, ...sums]);
  }
}

/** What each key has spent, in all, by month and by day (UTC) of the settlement: what budgets are read from at start. */
export async function countSpend(store: Store, trx: StoreTransaction, settled: readonly Settled[]): Promise<void> {
  const spent = new Sums();
  const days = new Map<number, string>();
  for (const { settlement, intent } of settled) {
    const { amountNano, currency, atMs } = settlement;
    if (amountNano === 0n) continue;
    const dayNumber = Math.floor(atMs / 86_400_000);
    let day = days.get(dayNumber);
    if (day === undefined) {
      day = new Date(atMs).toISOString().slice(0, 10);
      days.set(dayNumber, day);
    }
    for (const period of ['total', day.slice(0, 7), day])
      spent.add(`${intent.keyId} ${period} ${currency}`, () => [intent.keyId, period, currency], [amountNano]);
  }
  const key = ['key_id', 'period', 'currency'];
  await addUp(store, trx, { table: 'key_spend', key, add: ['spent_nano'], rows: spent.rows() });
}

const HOUR_MS = 3_600_000;
const HOURLY_KEY = ['organization_id', 'hour_us', 'project_id', 'key_id', 'model', 'deployment_id', 'currency'];
const HOURLY_SUMS = [
  'requests',
  'failed',
  'input_tokens',
  'cached_input_tokens',
  'output_tokens',
  'reasoning_tokens',
  'revenue_nano',
  'cost_nano',
  'costed',
];

/** Requests, tokens, revenue and cost by hour of the settlement. */
export async function countHours(store: Store, trx: StoreTransaction, settled: readonly Settled[]): Promise<void> {
  const hours = new Sums();
  for (const { settlement, intent } of settled) {
    const hourMs = Math.floor(settlement.atMs / HOUR_MS) * HOUR_MS;
    const deploymentId = settlement.attempts.at(-1)?.deploymentId ?? intent.deploymentId;
    const { organizationId, projectId, keyId, model } = intent;
    const { currency, usage, outcome } = settlement;
    const cost = costOf(settlement.attempts);
    // A cost in another currency cannot stand beside this revenue: it is in the attempts and the ledger.
    const costed = cost?.currency === currency ? cost : undefined;
    hours.add(
      `${organizationId} ${hourMs} ${projectId} ${keyId} ${model} ${deploymentId} ${currency}`,
      () => [organizationId, BigInt(hourMs) * 1000n, projectId, keyId, model, deploymentId, currency],
      [
        1n,
        outcome === 'failed' ? 1n : 0n,
        BigInt(usage.inputTokens),
        BigInt(usage.cachedInputTokens),
        BigInt(usage.outputTokens),
        BigInt(usage.reasoningTokens),
        settlement.amountNano,
        costed?.nano ?? 0n,
        costed ? 1n : 0n,
      ],
    );
  }
  await addUp(store, trx, { table: 'usage_hourly', key: HOURLY_KEY, add: HOURLY_SUMS, rows: hours.rows() });
}
