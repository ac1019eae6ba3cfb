import type { Currency, Nano } from '@millrace/contract';
import { sql } from 'kysely';
import type { Store } from '../../ground/store/index.ts';
import { partsOf } from './accounts.ts';

export interface WalletEntry {
  readonly seq: number;
  readonly at: string;
  /** As it was booked: `credit`, `config-credit`, `debit`, `reversal` … */
  readonly kind: string;
  readonly currency: Currency;
  /** Above zero what came in, below what was taken. */
  readonly amountNano: Nano;
  readonly note: string | null;
  /** As it was given with the booking; null where none was. */
  readonly idempotencyKey: string | null;
}

export interface WalletEntryQuery {
  readonly organizationId: string;
  readonly currency?: Currency | undefined;
  readonly limit: number;
  /** `next` of the page before. */
  readonly before?: number | undefined;
}

/** What was paid into wallets, corrected and given back, newest first. What requests cost is told by the usage. */
export async function readWalletEntries(
  store: Store,
  { organizationId, currency, limit, before }: WalletEntryQuery,
): Promise<{ readonly entries: readonly WalletEntry[]; readonly next: number | null }> {
  let wallets = store.db.selectFrom('accounts').select('id').where('organization_id', '=', organizationId);
  wallets = wallets.where('kind', '=', 'wallet');
  if (currency !== undefined) wallets = wallets.where('currency', '=', currency);
  const ids = (await wallets.execute()).map(({ id }) => id);
  if (ids.length === 0) return { entries: [], next: null };
  let query = store.reader
    .selectFrom('transfers')
    .select(['seq', 'kind', 'debit', 'credit', 'amount_nano', 'booked_us', 'idem_key', 'note'])
    // As the indexes say it.
    .where(sql<boolean>`kind <> 'cost'`)
    .where(({ eb, or }) => or([eb('debit', 'in', ids), eb('credit', 'in', ids)]));
  if (before !== undefined) query = query.where('seq', '<', BigInt(before));
  const rows = await query.orderBy('seq', 'desc').limit(limit).execute();
  const last = rows.at(-1);
  return {
    entries: rows.map(row => {
      const isIn = ids.includes(row.credit);
      return {
        seq: Number(row.seq),
        at: new Date(Number(row.booked_us / 1000n)).toISOString(),
        kind: row.kind,
        currency: partsOf(isIn ? row.credit : row.debit).currency,
        amountNano: isIn ? row.amount_nano : -row.amount_nano,
        note: row.note || null,
        idempotencyKey: keyOf(row.idem_key, organizationId),
      };
    }),
    next: last && rows.length === limit ? Number(last.seq) : null,
  };
}

/** Keys of our own (what a configuration credits, what is given back) are nothing that anybody sent. */
function keyOf(idemKey: string | null, organizationId: string): string | null {
  const start = `credit:${organizationId}:`;
  return idemKey?.startsWith(start) ? idemKey.slice(start.length) : null;
}
