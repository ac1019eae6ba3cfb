import type { Currency, Nano } from '@millrace/contract';
import { Fault } from '../../ground/std/index.ts';
import type { Store, StoreTransaction } from '../../ground/store/index.ts';
import { revenueAccount, walletAccount } from './accounts.ts';
import { accountPair, applyChanges, type BalanceChanges, openBooks, post, type Transfer } from './booking.ts';
import { storable } from './credit.ts';

export interface Refunded {
  readonly organizationId: string;
  readonly currency: Currency;
  readonly amountNano: Nano;
  readonly idemKey: string;
}

/**
 * Gives back what a request cost, as a transfer back from revenue to its wallet; undefined where that was done before,
 * or it cost nothing. The request and its usage stay as they are. Throws `not_found`.
 */
export async function bookRefund(
  store: Store,
  trx: StoreTransaction,
  { requestId, note, atUs }: { readonly requestId: string; readonly note: string; readonly atUs: number },
): Promise<Refunded | undefined> {
  const books = await openBooks(store, trx);
  const charged = await trx
    .selectFrom('requests')
    .innerJoin('series', 'series.number', 'requests.series')
    .select(['seq', 'requests.organization_id as organization_id', 'currency', 'amount_nano'])
    .where('id', '=', requestId)
    .executeTakeFirst();
  if (!charged)
    throw new Fault('not_found', {
      message: `No request ${requestId} was settled`,
      messageZh: `没有已结算的请求 ${requestId}`,
    });
  const { seq, organization_id: organizationId, currency, amount_nano: amountNano } = charged;
  const idemKey = `reversal:${seq}`;
  const before = await trx.selectFrom('transfers').select('seq').where('idem_key', '=', idemKey).executeTakeFirst();
  if (before || amountNano === 0n) return undefined;
  const transfer: Transfer = {
    kind: 'reversal',
    accounts: accountPair(revenueAccount(organizationId, currency), walletAccount(organizationId, currency)),
    amountNano,
    atUs,
    idemKey,
    reversesSeq: Number(seq),
    note: storable(note),
  };
  await books.write([transfer]);
  await books.close();
  const changes: BalanceChanges = new Map();
  post(changes, transfer.accounts, amountNano);
  await applyChanges(store, trx, changes);
  return { organizationId, currency, amountNano, idemKey };
}
