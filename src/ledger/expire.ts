import type { Store, StoreTransaction } from '../store/index.ts';
import { applyChanges, type BalanceChanges, changeOf } from './booking.ts';

const AT_ONCE = 500;

/**
 * Gives back what holds set aside that no settlement ended in time: a node that is gone must not keep a wallet tied up. The
 * row stays as `expired` until its settlement comes, which is booked all the same: usage is a fact. Returns the requests' ids.
 */
export async function expireHolds(store: Store, nowMs: number): Promise<readonly string[]> {
  const nowUs = BigInt(nowMs) * 1000n;
  const due = (db: Store['db'] | StoreTransaction) =>
    db
      .selectFrom('holds')
      .select(['request_id', 'account_id', 'amount_nano'])
      .where('state', '=', 'open')
      .where('expires_us', '<=', nowUs)
      .orderBy('request_id')
      .limit(AT_ONCE);
  if ((await due(store.db).limit(1).execute()).length === 0) return [];
  return store.transaction(async trx => {
    const rows = await due(trx).execute();
    const changes: BalanceChanges = new Map();
    for (const { account_id, amount_nano } of rows) changeOf(changes, account_id).held -= amount_nano;
    await trx
      .updateTable('holds')
      .set({ state: 'expired' })
      .where(
        'request_id',
        'in',
        rows.map(({ request_id }) => request_id),
      )
      .execute();
    await applyChanges(store, trx, changes);
    return rows.map(({ request_id }) => request_id);
  });
}
