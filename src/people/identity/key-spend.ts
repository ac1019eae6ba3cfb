import type { Nano } from '@millrace/contract';
import { joinCarry, type Store } from '../../ground/store/index.ts';
import type { KeyScopes } from '../callers/index.ts';

export type Budget = NonNullable<KeyScopes['budget']>;

/** Name of the period of a budget that a time falls in, UTC: `total`, `2026-11` or `2026-11-24`. */
export function periodOf(period: Budget['period'], nowMs: number): string {
  return period === 'total' ? 'total' : new Date(nowMs).toISOString().slice(0, period === 'day' ? 10 : 7);
}

const DAY_MS = 86_400_000;

/** Names of the periods from one that is over up to the one of a time, which is left out: nearly always that one alone. */
export function periodsBefore(period: Budget['period'], from: string, nowMs: number): readonly string[] {
  const current = periodOf(period, nowMs);
  const names: string[] = [];
  for (let atMs = Date.parse(from); names.length < PERIODS_MAX; atMs += DAY_MS) {
    const name = periodOf(period, atMs);
    if (name >= current) break;
    if (name !== names.at(-1)) names.push(name);
  }
  return names;
}

/** A clock that was wrong by years must not make a list of them. */
const PERIODS_MAX = 400;

/** Name of the period after the one of a time. */
export function periodAfter(period: Budget['period'], nowMs: number): string {
  const current = periodOf(period, nowMs);
  let atMs = nowMs;
  while (period !== 'total' && periodOf(period, atMs) === current) atMs += DAY_MS;
  return periodOf(period, atMs);
}

/** Keys asked for in one query. */
const KEYS_PER_QUERY = 500;

/** What keys have spent in periods, in all that are asked of each, in the currency of its budget; what the journal holds beyond the store is not in it. */
export async function readSpend(
  store: Store,
  asked: readonly { readonly keyId: string; readonly period: string; readonly currency: string }[],
): Promise<ReadonlyMap<string, Nano>> {
  const spent = new Map<string, Nano>();
  for (const [period, ofPeriod] of Map.groupBy(asked, ask => ask.period)) {
    for (let start = 0; start < ofPeriod.length; start += KEYS_PER_QUERY) {
      const part = new Map(ofPeriod.slice(start, start + KEYS_PER_QUERY).map(ask => [ask.keyId, ask.currency]));
      const rows = await store.db
        .selectFrom('key_spend')
        .select(['key_id', 'currency', 'spent_nano', 'spent_carry'])
        .where('period', '=', period)
        .where('key_id', 'in', [...part.keys()])
        .execute();
      for (const row of rows)
        if (part.get(row.key_id) === row.currency)
          spent.set(row.key_id, (spent.get(row.key_id) ?? 0n) + joinCarry(row.spent_nano, row.spent_carry));
    }
  }
  return spent;
}

/** What one key has spent in a period, in one currency. */
export async function spentBy(
  store: Store,
  ask: { readonly keyId: string; readonly period: string; readonly currency: string },
): Promise<Nano> {
  return (await readSpend(store, [ask])).get(ask.keyId) ?? 0n;
}
