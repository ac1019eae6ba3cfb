import type { Nano } from '@millrace/contract';
import { forUpdate, type Store, type StoreTransaction } from '../../../ground/store/index.ts';
import { type BalanceChanges, changeOf } from '../booking.ts';
import { spendOf } from '../loading/rollups.ts';
import type { Tally } from '../loading/tally.ts';
import { addHeld, budgetLeaseId } from './leased-account.ts';

const IDS_MAX = 500;

/**
 * Lets the node's leases bear what this transaction changes, so that it moves nothing that others may spend: what was spent, and
 * what is set aside for requests that run long, comes out of the lease; what such a request did not need goes back into it. What
 * the lease does not have, the wallet bears, and the lease counts it as uncovered. Changes `held` in `changes`.
 */
export async function drawOnWallets(
  store: Store,
  trx: StoreTransaction,
  { nodeId, changes }: { readonly nodeId: string; readonly changes: BalanceChanges },
): Promise<void> {
  const wanted = new Map<string, Nano>();
  for (const [id, { posted, held }] of changes) if (id.startsWith('wallet:')) wanted.set(id, posted - held);
  for (const [id, drawn] of await draw(store, trx, { nodeId, wanted })) changeOf(changes, id).held += drawn;
}

/** The same for the budgets of keys, each in its period. */
export async function drawOnBudgets(
  store: Store,
  trx: StoreTransaction,
  { nodeId, tallies }: { readonly nodeId: string; readonly tallies: readonly Tally[] },
): Promise<void> {
  const wanted = new Map(
    spendOf(tallies).map(({ keyId, period, currency, nano }) => [budgetLeaseId(keyId, period, currency), -nano]),
  );
  const drawn = await draw(store, trx, { nodeId, wanted });
  await addHeld(
    store,
    trx,
    [...drawn].map(([id, nano]) => ({ id, nano })),
  );
}

/** Changes leases by what is wanted of each, down to nothing; returns by how much each was changed. */
async function draw(
  store: Store,
  trx: StoreTransaction,
  { nodeId, wanted }: { readonly nodeId: string; readonly wanted: ReadonlyMap<string, Nano> },
): Promise<ReadonlyMap<string, Nano>> {
  const ids = [...wanted.keys()].filter(id => wanted.get(id) !== 0n).sort();
  const drawn = new Map<string, Nano>();
  for (let start = 0; start < ids.length; start += IDS_MAX) {
    const query = trx
      .selectFrom('leases')
      .select(['account_id', 'amount_nano'])
      .where('node_id', '=', nodeId)
      .where('account_id', 'in', ids.slice(start, start + IDS_MAX))
      .orderBy('account_id');
    const rows = await forUpdate(store.dialect, query).execute();
    const changes = rows.map(({ account_id: id, amount_nano }) => {
      const want = wanted.get(id) ?? 0n;
      const nano = amount_nano + want < 0n ? -amount_nano : want;
      drawn.set(id, nano);
      return [id, nodeId, nano, nano - want];
    });
    await store.changeRows(trx, 'leases', {
      key: ['account_id', 'node_id'],
      add: ['amount_nano', 'uncovered_nano'],
      rows: changes,
    });
  }
  return drawn;
}
