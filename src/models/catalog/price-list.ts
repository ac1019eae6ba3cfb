import type { Store, StoreTransaction } from '../../ground/store/index.ts';
import type { PriceVersion } from '../../money/pricing/index.ts';
import { type PriceInput, priceVersionOf, readPriceVersion } from '../../money/pricing/index.ts';

/** Sell prices of a model, or costs of a deployment. */
export type PriceKind = 'sell' | 'cost';

interface Subject {
  readonly kind: PriceKind;
  readonly id: string;
}

/**
 * Puts exactly these prices on the list of a subject. A version that was ever listed stays in the store; what stood on the
 * list at which time stays in the history. Returns whether the list is another than before.
 */
export async function savePrices(
  store: Store,
  trx: StoreTransaction,
  {
    subject,
    prices,
    path,
    revision,
    nowMs,
  }: {
    readonly subject: Subject;
    readonly prices: readonly PriceInput[];
    readonly path: string;
    readonly revision: () => Promise<bigint>;
    readonly nowMs: number;
  },
): Promise<boolean> {
  const { kind, id } = subject;
  const versions = prices.map((price, index) => priceVersionOf(price, `${kind} ${id}`, `${path}[${index}]`));
  const wanted = versions.map(({ version }) => version.version);
  const listed = await trx
    .selectFrom('price_list')
    .select('version')
    .where('kind', '=', kind)
    .where('subject_id', '=', id)
    .orderBy('position')
    .execute();
  if (JSON.stringify(listed.map(({ version }) => version)) === JSON.stringify(wanted)) return false;
  const atUs = BigInt(nowMs) * 1000n;
  await store.insertNew(trx, 'price_versions', {
    columns: ['version', 'content', 'created_us'],
    rows: versions.map(({ version, content }) => [version.version, content, atUs]),
    key: 'version',
  });
  await trx.deleteFrom('price_list').where('kind', '=', kind).where('subject_id', '=', id).execute();
  await store.insertNew(trx, 'price_list', {
    columns: ['kind', 'subject_id', 'position', 'version'],
    rows: wanted.map((version, index) => [kind, id, BigInt(index), version]),
    key: 'kind,subject_id,position',
  });
  await trx
    .insertInto('price_history')
    .values({ revision: await revision(), kind, subject_id: id, at_us: atUs, versions: JSON.stringify(wanted) })
    .execute();
  return true;
}

/** The prices on the list of one subject, as listed. */
export async function listedPrices(db: Store['db'], kind: string, subjectId: string): Promise<readonly PriceVersion[]> {
  const rows = await db
    .selectFrom('price_list')
    .innerJoin('price_versions', 'price_versions.version', 'price_list.version')
    .select('content')
    .where('kind', '=', kind)
    .where('subject_id', '=', subjectId)
    .orderBy('position')
    .execute();
  return rows.map(({ content }) => readPriceVersion(content));
}

export type PriceBook = (kind: PriceKind, subjectId: string) => readonly PriceVersion[];

/** All listed prices, each subject's in order of their start. */
export async function readPriceBook(db: Store['db']): Promise<PriceBook> {
  const rows = await db
    .selectFrom('price_list')
    .innerJoin('price_versions', 'price_versions.version', 'price_list.version')
    .select(['kind', 'subject_id', 'content'])
    .execute();
  const book = new Map<string, PriceVersion[]>();
  for (const { kind, subject_id, content } of rows) {
    const key = `${kind} ${subject_id}`;
    const versions = book.get(key) ?? [];
    versions.push(readPriceVersion(content));
    book.set(key, versions);
  }
  for (const versions of book.values()) versions.sort((a, b) => a.effectiveFromMs - b.effectiveFromMs);
  return (kind, subjectId) => book.get(`${kind} ${subjectId}`) ?? [];
}
