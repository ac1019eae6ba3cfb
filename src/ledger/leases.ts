import type { Nano } from '@millrace/contract';
import { type RawBuilder, sql } from 'kysely';
import type { Store, StoreDialect, StoreTransaction } from '../store/index.ts';

/** One node's slice of one wallet. A later epoch of the node is another lease, and fences the ones before it. */
export interface LeaseKey {
  readonly accountId: string;
  readonly nodeId: string;
  readonly epoch: number;
}

/**
 * Leases let many nodes admit against one wallet without asking for every request: what a node may hold is taken from the wallet
 * first, by one conditional statement, and comes back when it is returned or its time is over. So what all nodes together can
 * spend is bounded by what is there. The database's clock judges time; a node stops using a lease a margin before its end.
 */
export interface Leases {
  /** Takes `amountNano` from the wallet for the node, fencing its earlier epochs; false, and nothing taken, where that is not there. */
  acquire(key: LeaseKey, lease: { readonly amountNano: Nano; readonly ttlMs: number }): Promise<boolean>;
  /** Lengthens a lease, and takes `moreNano` on top; false, and nothing changed, where it has ended, was fenced, or that is not there. */
  renew(key: LeaseKey, lease: { readonly moreNano: Nano; readonly ttlMs: number }): Promise<boolean>;
  /**
   * Turns part of a lease into spending, in the transaction that books it: what it set aside shrinks by what was spent. A lease
   * that has ended gives nothing, and the booking stands all the same: usage is a fact.
   */
  spend(trx: StoreTransaction, key: LeaseKey, amountNano: Nano): Promise<void>;
  /** Gives back what was not spent. */
  giveBack(key: LeaseKey): Promise<void>;
  /** Ends leases whose time is over; returns how many. */
  expire(): Promise<number>;
}

/** How much of a wallet a node takes at once: an even share in parts, so that nobody holds what another could use. */
export function leaseNano(
  availableNano: Nano,
  { nodes, parts, leastNano, mostNano }: { nodes: number; parts: number; leastNano: Nano; mostNano: Nano },
): Nano {
  const share = availableNano / BigInt(Math.max(1, nodes * parts));
  const bounded = share < leastNano ? leastNano : share > mostNano ? mostNano : share;
  return bounded > availableNano ? availableNano : bounded;
}

export function createLeases(store: Store): Leases {
  const nowUs = databaseNowUs(store.dialect);
  const within = (ttlMs: number) => sql<bigint>`${nowUs} + ${BigInt(ttlMs) * 1000n}`;
  return {
    acquire: (key, { amountNano, ttlMs }) =>
      store.transaction(async trx => {
        const { accountId, nodeId, epoch } = key;
        const newer = await trx
          .selectFrom('leases')
          .select('epoch')
          .where('account_id', '=', accountId)
          .where('node_id', '=', nodeId)
          .where('epoch', '>=', BigInt(epoch))
          .executeTakeFirst();
        if (newer) return false;
        await endLeases(trx, 'expired', lease =>
          lease.where('account_id', '=', accountId).where('node_id', '=', nodeId),
        );
        if (!(await takeIfCovered(trx, accountId, amountNano))) return false;
        await trx
          .insertInto('leases')
          .values({
            account_id: accountId,
            node_id: nodeId,
            epoch: BigInt(epoch),
            amount_nano: amountNano,
            spent_nano: 0n,
            state: 'open',
            expires_us: within(ttlMs),
          })
          .execute();
        return true;
      }),

    renew: (key, { moreNano, ttlMs }) =>
      store
        .transaction(async trx => {
          const { numUpdatedRows } = await leaseOf(trx.updateTable('leases'), key)
            .set(({ eb }) => ({ amount_nano: eb('amount_nano', '+', moreNano), expires_us: within(ttlMs) }))
            .where('state', '=', 'open')
            .where('expires_us', '>', nowUs)
            .executeTakeFirst();
          if (numUpdatedRows === 0n || !(await takeIfCovered(trx, key.accountId, moreNano))) throw new Refused();
        })
        .then(() => true)
        .catch(refusedIsFalse),

    async spend(trx, key, amountNano) {
      const lease = await leaseOf(trx.selectFrom('leases').select('amount_nano'), key)
        .where('state', '=', 'open')
        .executeTakeFirst();
      const covered = lease === undefined ? 0n : lease.amount_nano < amountNano ? lease.amount_nano : amountNano;
      await leaseOf(trx.updateTable('leases'), key)
        .set(({ eb }) => ({
          amount_nano: eb('amount_nano', '-', covered),
          spent_nano: eb('spent_nano', '+', amountNano),
        }))
        .execute();
      await addHeld(trx, key.accountId, -covered);
    },

    giveBack: key => store.transaction(trx => endLeases(trx, 'returned', lease => leaseOf(lease, key))).then(() => {}),

    expire: () => store.transaction(trx => endLeases(trx, 'expired', lease => lease.where('expires_us', '<=', nowUs))),
  };
}

/** Rolls the transaction back; not a fault. */
class Refused extends Error {}

function refusedIsFalse(error: unknown): false {
  if (error instanceof Refused) return false;
  throw error;
}

/** µs since the epoch by the clock that all nodes share. */
function databaseNowUs(dialect: StoreDialect): RawBuilder<bigint> {
  return dialect === 'postgres'
    ? sql<bigint>`(extract(epoch from clock_timestamp()) * 1000000)::bigint`
    : sql<bigint>`cast(unixepoch('subsec') * 1000000 as integer)`;
}

/** One statement: what is not there is not taken, whoever else is taking. */
async function takeIfCovered(trx: StoreTransaction, accountId: string, amountNano: Nano): Promise<boolean> {
  const { numUpdatedRows } = await trx
    .updateTable('balances')
    .set(({ eb }) => ({ held_nano: eb('held_nano', '+', amountNano) }))
    .where('account_id', '=', accountId)
    .where(
      sql<boolean>`posted_nano - held_nano - ${amountNano} >= (select min_balance_nano from accounts where id = account_id)`,
    )
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

async function addHeld(trx: StoreTransaction, accountId: string, nano: Nano): Promise<void> {
  if (nano === 0n) return;
  await trx
    .updateTable('balances')
    .set(({ eb }) => ({ held_nano: eb('held_nano', '+', nano) }))
    .where('account_id', '=', accountId)
    .execute();
}

type Filtered = 'account_id' | 'node_id' | 'epoch';

function leaseOf<Q extends { where(column: Filtered, operator: '=', value: string | bigint): Q }>(
  query: Q,
  { accountId, nodeId, epoch }: LeaseKey,
): Q {
  return query.where('account_id', '=', accountId).where('node_id', '=', nodeId).where('epoch', '=', BigInt(epoch));
}

/** Ends open leases and gives back what is left of them. */
async function endLeases(
  trx: StoreTransaction,
  state: 'returned' | 'expired',
  which: (leases: OpenLeases) => OpenLeases,
): Promise<number> {
  let ended = 0;
  for (const { account_id, node_id, epoch, amount_nano } of await which(openLeases(trx)).execute()) {
    const { numUpdatedRows } = await trx
      .updateTable('leases')
      .set({ state, amount_nano: 0n })
      .where('account_id', '=', account_id)
      .where('node_id', '=', node_id)
      .where('epoch', '=', epoch)
      // As it was seen: two who end a lease give it back once, and one that is spent from meanwhile is left for the next time.
      .where('state', '=', 'open')
      .where('amount_nano', '=', amount_nano)
      .executeTakeFirst();
    if (numUpdatedRows === 0n) continue;
    await addHeld(trx, account_id, -amount_nano);
    ended++;
  }
  return ended;
}

function openLeases(trx: StoreTransaction) {
  return trx.selectFrom('leases').selectAll().where('state', '=', 'open').orderBy('account_id');
}
type OpenLeases = ReturnType<typeof openLeases>;
