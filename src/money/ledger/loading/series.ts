import type { Currency } from '@millrace/contract';
import type { Database, Store, StoreTransaction, StoreValue } from '../../../ground/store/index.ts';
import { revenueAccount, walletAccount } from '../accounts.ts';
import { type AccountPair, accountPair, digestOf } from '../booking.ts';
import type { Settled } from './settled.ts';

/** What many requests have in common: their rows name it by its number, where its twelve texts would be half of each row. */
export interface Series {
  readonly number: number;
  readonly organizationId: string;
  readonly projectId: string;
  readonly keyId: string;
  readonly operation: string;
  readonly model: string;
  /** Of the last attempt; of the intent where none was made. */
  readonly deploymentId: string;
  readonly providerId: string;
  readonly currency: Currency;
  readonly priceVersion: string;
  readonly costCurrency: Currency | null;
  /** Of the call that the request's own row tells. */
  readonly costVersion: string | null;
  /** Between which its requests are charged. */
  readonly accounts: AccountPair;
  /** Over all of it: what the chain says of a request's series. */
  readonly digest: string;
}

/** The series that were met lately, by the key that called: the loader finds nearly all of them here. */
export interface SeriesCache {
  find(settled: Settled): Series | undefined;
  /** What was found or made in a transaction, once it is committed. */
  learn(series: readonly Series[]): void;
}

/** Some ten megabytes. */
const CACHED_MAX = 20_000;

export function createSeriesCache(cachedMax = CACHED_MAX): SeriesCache {
  const byKey = new Map<string, Series[]>();
  let count = 0;
  return {
    find(settled) {
      const known = byKey.get(settled.intent.keyId);
      const at = known?.findIndex(series => isOf(series, settled)) ?? -1;
      const found = known?.[at];
      if (known && found && at > 0) {
        // The newest use first: old prices and models sink.
        known.splice(at, 1);
        known.unshift(found);
      }
      return found;
    },
    learn(series) {
      if (count + series.length > cachedMax) {
        byKey.clear();
        count = 0;
      }
      for (const each of series) {
        const known = byKey.get(each.keyId);
        if (known) known.unshift(each);
        else byKey.set(each.keyId, [each]);
      }
      count += series.length;
    },
  };
}

function isOf(series: Series, { settlement, intent, call, cost }: Settled): boolean {
  const last = settlement.attempts.at(-1) ?? intent;
  return (
    series.model === intent.model &&
    series.deploymentId === last.deploymentId &&
    series.priceVersion === settlement.priceVersion &&
    series.operation === intent.operation &&
    series.currency === settlement.currency &&
    series.costVersion === (call?.costVersion ?? null) &&
    series.costCurrency === (cost?.currency ?? null) &&
    series.providerId === last.providerId &&
    series.projectId === intent.projectId &&
    series.keyId === intent.keyId &&
    series.organizationId === intent.organizationId
  );
}

function usageAccounts(organizationId: string, currency: Currency): AccountPair {
  return accountPair(walletAccount(organizationId, currency), revenueAccount(organizationId, currency));
}

function seriesOf({ settlement, intent, call, cost }: Settled, number: number): Series {
  const { deploymentId, providerId } = settlement.attempts.at(-1) ?? intent;
  return withDigest({
    number,
    organizationId: intent.organizationId,
    projectId: intent.projectId,
    keyId: intent.keyId,
    operation: intent.operation,
    model: intent.model,
    deploymentId,
    providerId,
    currency: settlement.currency,
    priceVersion: settlement.priceVersion,
    costCurrency: cost?.currency ?? null,
    costVersion: call?.costVersion ?? null,
    accounts: usageAccounts(intent.organizationId, settlement.currency),
  });
}

const withDigest = (series: Omit<Series, 'digest'>): Series => ({ ...series, digest: digestOf(rowOf(series)) });

export const SERIES_COLUMNS = [
  'number',
  'organization_id',
  'project_id',
  'key_id',
  'operation',
  'model',
  'deployment_id',
  'provider_id',
  'currency',
  'price_version',
  'cost_currency',
  'cost_version',
] as const satisfies readonly (keyof Database['series'])[];

const KEYS_PER_QUERY = 500;

/**
 * The series of each of these requests: from the cache, else from the store, else made, in this transaction, under the lock of
 * the books. `learned` is what the cache did not have; it is told once the transaction is committed.
 */
export async function resolveSeries(
  store: Store,
  trx: StoreTransaction,
  { settled, cache }: { readonly settled: readonly Settled[]; readonly cache: SeriesCache },
): Promise<{ readonly series: readonly Series[]; readonly learned: readonly Series[] }> {
  const found = settled.map(each => cache.find(each));
  const missing = settled.filter((_, index) => !found[index]);
  if (missing.length === 0) return { series: found.filter(each => each !== undefined), learned: [] };
  const local = createSeriesCache(Number.POSITIVE_INFINITY);
  const stored = await readSeries(trx, [...new Set(missing.map(({ intent }) => intent.keyId))]);
  local.learn(stored);
  const fresh: Series[] = [];
  const used = new Set<Series>();
  let number = await lastNumber(trx);
  const series = settled.map((each, index) => {
    const known = found[index] ?? local.find(each);
    if (known) {
      if (!found[index]) used.add(known);
      return known;
    }
    const made = seriesOf(each, ++number);
    fresh.push(made);
    used.add(made);
    local.learn([made]);
    return made;
  });
  await store.insertAll(trx, 'series', { columns: SERIES_COLUMNS, rows: fresh.map(rowOf) });
  return { series, learned: [...used] };
}

function rowOf(series: Omit<Series, 'digest'>): StoreValue[] {
  return [
    series.number,
    series.organizationId,
    series.projectId,
    series.keyId,
    series.operation,
    series.model,
    series.deploymentId,
    series.providerId,
    series.currency,
    series.priceVersion,
    series.costCurrency,
    series.costVersion,
  ];
}

async function readSeries(trx: StoreTransaction, keyIds: readonly string[]): Promise<readonly Series[]> {
  const series: Series[] = [];
  for (let start = 0; start < keyIds.length; start += KEYS_PER_QUERY) {
    const rows = await trx
      .selectFrom('series')
      .selectAll()
      .where('key_id', 'in', keyIds.slice(start, start + KEYS_PER_QUERY))
      .orderBy('number')
      .execute();
    for (const row of rows)
      series.push(
        withDigest({
          number: Number(row.number),
          organizationId: row.organization_id,
          projectId: row.project_id,
          keyId: row.key_id,
          operation: row.operation,
          model: row.model,
          deploymentId: row.deployment_id,
          providerId: row.provider_id,
          currency: row.currency,
          priceVersion: row.price_version,
          costCurrency: row.cost_currency,
          costVersion: row.cost_version,
          accounts: usageAccounts(row.organization_id, row.currency),
        }),
      );
  }
  return series;
}

async function lastNumber(trx: StoreTransaction): Promise<number> {
  const row = await trx
    .selectFrom('series')
    .select(({ fn }) => fn.max('number').as('number'))
    .executeTakeFirst();
  return Number(row?.number ?? 0n);
}
