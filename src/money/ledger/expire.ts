import { forUpdate, type Store, type StoreTransaction } from '../../ground/store/index.ts';
import { applyChanges, type BalanceChanges, changeOf } from './booking.ts';
import { drawOnWallets } from './leases/draw-leases.ts';
import type { LoadingNode } from './loading/write-slice.ts';

const AT_ONCE = 500;
/** Another node's holds are its own to end, unless it is gone. */
const OF_OTHERS_US = 30_000_000n;

/**
 * Gives back what holds set aside that no settlement ended in time: a node that is gone must not keep a wallet tied up. The
 * row stays as `expired` until its settlement comes, which is booked all the same: usage is a fact. Returns the requests' ids.
 */
export async function expireHolds(
  store: Store,
  { nodeId, isLeasing }: Pick<LoadingNode, 'nodeId' | 'isLeasing'>,
  nowMs: number,
): Promise<readonly string[]> {
  const nowUs = BigInt(nowMs) * 1000n;
  const due = (db: Store['db'] | StoreTransaction) =>
    db
      .selectFrom('holds')
      .select(['request_id', 'account_id', 'amount_nano', 'node_id'])
      .where('state', '=', 'open')
      .where('expires_us', '<=', nowUs)
      .where(({ or, eb }) => or([eb('node_id', '=', nodeId), eb('expires_us', '<=', nowUs - OF_OTHERS_US)]))
      .orderBy('request_id')
      .limit(AT_ONCE);
  if ((await due(store.db).limit(1).execute()).length === 0) return [];
  return store.transaction(async trx => {
    const rows = await forUpdate(store.dialect, due(trx)).execute();
    if (rows.length === 0) return [];
    const own: BalanceChanges = new Map();
    const others: BalanceChanges = new Map();
    for (const { account_id, amount_nano, node_id } of rows)
      changeOf(node_id === nodeId ? own : others, account_id).held -= amount_nano;
    await trx
      .updateTable('holds')
      .set({ state: 'expired' })
      .where(
        'request_id',
        'in',
        rows.map(({ request_id }) => request_id),
      )
      .execute();
    // What a request that may still run set aside goes back to where it came from.
    if (isLeasing()) await drawOnWallets(store, trx, { nodeId, changes: own });
    for (const [id, { held }] of others) changeOf(own, id).held += held;
    await applyChanges(store, trx, own);
    return rows.map(({ request_id }) => request_id);
  });
}
