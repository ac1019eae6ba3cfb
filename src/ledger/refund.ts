import type { Currency, Nano } from '@millrace/contract';
import { Fault } from '../std/index.ts';
import type { Store, StoreTransaction } from '../store/index.ts';
import { partsOf } from './accounts.ts';
import { applyChanges, type BalanceChanges, book, lockHead } from './booking.ts';
import { storable } from './credit.ts';

export interface Refunded {
  readonly organizationId: string;
  readonly currency: Currency;
  readonly amountNano: Nano;
  readonly idemKey: string;
}

/**
 * Gives back what a request cost, as a transaction that reverses the one that charged it; undefined where that was done before,
 * or it cost nothing. The request and its usage stay as they are. Throws `not_found`.
 */
export async function bookRefund(
  store: Store,
  trx: StoreTransaction,
  { requestId, note, atUs }: { readonly requestId: string; readonly note: string; readonly atUs: bigint },
): Promise<Refunded | undefined> {
  const head = await lockHead(trx, store);
  const request = await trx
    .selectFrom('requests')
    .select(['tx_seq', 'organization_id', 'currency', 'amount_nano'])
    .where('id', '=', requestId)
    .executeTakeFirst();
  if (!request)
    throw new Fault('not_found', {
      message: `No request ${requestId} was settled`,
      messageZh: `没有已结算的请求 ${requestId}`,
    });
  const idemKey = `reversal:${request.tx_seq}`;
  const before = await trx.selectFrom('ledger_tx').select('seq').where('idem_key', '=', idemKey).executeTakeFirst();
  if (before || request.amount_nano === 0n) return undefined;
  const lines = await trx
    .selectFrom('postings')
    .select(['account_id', 'amount_nano'])
    .where('tx_seq', '=', request.tx_seq)
    .orderBy('line')
    .execute();
  const changes: BalanceChanges = new Map();
  const booking = {
    kind: 'reversal' as const,
    idemKey,
    requestId,
    atUs,
    note: storable(note),
    reversesSeq: request.tx_seq,
    postings: lines.map(({ account_id, amount_nano }) => ({
      accountId: account_id,
      currency: partsOf(account_id).currency,
      amountNano: -amount_nano,
    })),
  };
  await book(store, trx, { bookings: [booking], head, changes });
  await applyChanges(store, trx, changes);
  const { organization_id: organizationId, currency, amount_nano: amountNano } = request;
  return { organizationId, currency, amountNano, idemKey };
}
