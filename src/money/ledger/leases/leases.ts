import type { Nano } from '@millrace/contract';
import { sql } from 'kysely';
import { databaseNowUs, forUpdate, type Store, type StoreTransaction } from '../../../ground/store/index.ts';
import { addHeld, type LeasedAccount, takeIfCovered } from './leased-account.ts';

/** One node at work from one moment on; its next session fences this one. */
export interface NodeSession {
  readonly nodeId: string;
  readonly epoch: bigint;
}

/** `short`: it is not there. `over`: the time of the session is over, or a later one began. */
export type LeaseMove = { readonly netNano: Nano } | 'short' | 'over';

/**
 * Leases let many nodes admit against one wallet without asking for every request: what a node may hold is set aside first, by
 * one conditional statement, and comes back when it is returned or the node's time is over. So what all nodes together can spend
 * is bounded by what is there. The database's clock judges time; a node stops using its leases a margin before.
 *
 * What a node may hold of an account is what it was granted, less what lapsed, plus what it spent uncovered (which the wallet bore,
 * not the lease), less what its requests took: the first three are the *net* that the store tells.
 */
export interface Leases {
  /**
   * Begins a session of the node, which may go on for `ttlMs`. What an earlier one still had is given back: `returned` where all that
   * was spent of it is booked, else `lapsed`.
   */
  begin(
    nodeId: string,
    session: { readonly ttlMs: number; readonly left: 'returned' | 'lapsed' },
  ): Promise<NodeSession>;
  /** Goes on for `ttlMs` from now; false where the time is over or a later session began. */
  renew(session: NodeSession, ttlMs: number): Promise<boolean>;
  /** Ends the session, and gives back all of its leases, of which all that was spent is booked. */
  end(session: NodeSession): Promise<void>;
  /** Takes `nano` more for the node, or gives as much back where it is negative. */
  move(session: NodeSession, account: LeasedAccount, nano: Nano): Promise<LeaseMove>;
  /** Gives back all that the node still has of an account, though not all that was spent of it is booked; returns its net. */
  retire(session: NodeSession, account: LeasedAccount): Promise<LeaseMove>;
  /** What each of these accounts has come to for the node, by id; waits for changes under way. */
  nets(nodeId: string, ids: readonly string[]): Promise<ReadonlyMap<string, Nano>>;
  /** Whether other nodes have some of this account. */
  isSharedOut(nodeId: string, id: string): Promise<boolean>;
  /** Gives back what nodes had whose time is over; all that there is where `all`. Returns how many nodes that were. */
  expire(which?: 'over' | 'all'): Promise<number>;
  /** Nodes whose time is not over. */
  liveNodes(): Promise<number>;
}

/** How much of an account a node takes at once: an even share in parts, so that nobody holds what another could use. */
export function leaseNano(
  availableNano: Nano,
  { nodes, parts, leastNano }: { readonly nodes: number; readonly parts: number; readonly leastNano: Nano },
): Nano {
  const share = availableNano / BigInt(Math.max(1, nodes * parts));
  const bounded = share < leastNano ? leastNano : share;
  return bounded > availableNano ? availableNano : bounded;
}

/** Rolls the transaction back; not a fault. */
class Refused extends Error {
  readonly outcome: 'short' | 'over';
  constructor(outcome: 'short' | 'over') {
    super();
    this.outcome = outcome;
  }
}

export function createLeases(store: Store): Leases {
  return new StoredLeases(store);
}

class StoredLeases implements Leases {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  get #nowUs() {
    return databaseNowUs(this.#store.dialect);
  }

  #within(ttlMs: number) {
    return sql<bigint>`${this.#nowUs} + ${BigInt(ttlMs) * 1000n}`;
  }

  /** For reading what is changed afterwards; a SQLite transaction has it alone. */
  #lock(strength: 'update' | 'share') {
    return sql.raw(this.#store.dialect === 'postgres' ? ` for ${strength}` : '');
  }

  begin(nodeId: string, { ttlMs, left }: { readonly ttlMs: number; readonly left: 'returned' | 'lapsed' }) {
    return this.#store.transaction(async trx => {
      const { rows } = await sql<{ epoch: bigint }>`
        insert into nodes (node_id, epoch, expires_us) values (${nodeId}, 1, ${this.#within(ttlMs)})
        on conflict (node_id) do update set epoch = nodes.epoch + 1, expires_us = ${this.#within(ttlMs)}
        returning epoch`.execute(trx);
      await this.#empty(trx, nodeId, left);
      // Counted from nothing again, since no cell of this node knows of it yet: what it took in all its life would fill up.
      if (left === 'returned')
        await trx.updateTable('leases').set({ granted_nano: 0n }).where('node_id', '=', nodeId).execute();
      return { nodeId, epoch: rows[0]?.epoch ?? 1n };
    });
  }

  async renew({ nodeId, epoch }: NodeSession, ttlMs: number): Promise<boolean> {
    return this.#store.transaction(async trx => {
      const { numUpdatedRows } = await trx
        .updateTable('nodes')
        .set({ expires_us: this.#within(ttlMs) })
        .where('node_id', '=', nodeId)
        .where('epoch', '=', epoch)
        .where('expires_us', '>', this.#nowUs)
        .executeTakeFirst();
      return numUpdatedRows === 1n;
    });
  }

  async end({ nodeId, epoch }: NodeSession): Promise<void> {
    await this.#store.transaction(async trx => {
      const { numUpdatedRows } = await trx
        .updateTable('nodes')
        .set({ expires_us: 0n })
        .where('node_id', '=', nodeId)
        .where('epoch', '=', epoch)
        .executeTakeFirst();
      if (numUpdatedRows === 1n) await this.#empty(trx, nodeId, 'returned');
    });
  }

  async move(session: NodeSession, account: LeasedAccount, nano: Nano): Promise<LeaseMove> {
    return this.#tryToMove(trx => this.#moveIn(trx, session, { account, nano }));
  }

  async #tryToMove(move: (trx: StoreTransaction) => Promise<LeaseMove>): Promise<LeaseMove> {
    try {
      return await this.#store.transaction(move);
    } catch (error) {
      if (error instanceof Refused) return error.outcome;
      throw error;
    }
  }

  async #moveIn(
    trx: StoreTransaction,
    { nodeId, epoch }: NodeSession,
    { account, nano }: { readonly account: LeasedAccount; readonly nano: Nano },
  ): Promise<LeaseMove> {
    const session = await sql`
      select 1 from nodes where node_id = ${nodeId} and epoch = ${epoch} and expires_us > ${this.#nowUs}${this.#lock('share')}`.execute(
      trx,
    );
    if (session.rows.length === 0) throw new Refused('over');
    if (nano > 0n)
      await this.#store.insertNew(trx, 'leases', {
        columns: ['account_id', 'node_id', 'amount_nano', 'granted_nano', 'lapsed_nano', 'uncovered_nano'],
        rows: [[account.id, nodeId, 0n, 0n, 0n, 0n]],
        key: 'account_id',
      });
    const row = await trx
      .updateTable('leases')
      .set(({ eb }) => ({ amount_nano: eb('amount_nano', '+', nano), granted_nano: eb('granted_nano', '+', nano) }))
      .where('account_id', '=', account.id)
      .where('node_id', '=', nodeId)
      .where('amount_nano', '>=', -nano)
      .returning(['granted_nano', 'lapsed_nano', 'uncovered_nano'])
      .executeTakeFirst();
    if (!row) throw new Refused('short');
    if (nano > 0n) {
      if (!(await takeIfCovered(this.#store, trx, { account, nano }))) throw new Refused('short');
    } else await addHeld(this.#store, trx, [{ id: account.id, nano }]);
    return { netNano: netOf(row) };
  }

  async retire(session: NodeSession, account: LeasedAccount): Promise<LeaseMove> {
    const { nodeId } = session;
    return this.#tryToMove(async trx => {
      const query = trx
        .selectFrom('leases')
        .select('amount_nano')
        .where('account_id', '=', account.id)
        .where('node_id', '=', nodeId);
      const row = await forUpdate(this.#store.dialect, query).executeTakeFirst();
      if (!row) throw new Refused('short');
      return this.#moveIn(trx, session, { account, nano: -row.amount_nano });
    });
  }

  async nets(nodeId: string, ids: readonly string[]): Promise<ReadonlyMap<string, Nano>> {
    const nets = new Map<string, Nano>();
    for (let start = 0; start < ids.length; start += IDS_MAX) {
      const part = ids.slice(start, start + IDS_MAX);
      // With the lock: a change whose commit was lost from sight is over then, one way or the other.
      const rows = await this.#store.transaction(async trx => {
        const query = trx
          .selectFrom('leases')
          .select(['account_id', 'granted_nano', 'lapsed_nano', 'uncovered_nano'])
          .where('node_id', '=', nodeId)
          .where('account_id', 'in', part)
          .orderBy('account_id');
        return forUpdate(this.#store.dialect, query).execute();
      });
      for (const row of rows) nets.set(row.account_id, netOf(row));
    }
    return nets;
  }

  async isSharedOut(nodeId: string, id: string): Promise<boolean> {
    const row = await this.#store.db
      .selectFrom('leases')
      .select('node_id')
      .where('account_id', '=', id)
      .where('node_id', '<>', nodeId)
      .where('amount_nano', '>', 0n)
      .executeTakeFirst();
    return row !== undefined;
  }

  async expire(which: 'over' | 'all' = 'over'): Promise<number> {
    const isDue = which === 'all' ? sql<boolean>`true` : sql<boolean>`expires_us <= ${this.#nowUs}`;
    const due = this.#store.db
      .selectFrom('nodes')
      .select('node_id')
      .where(isDue)
      .where(({ exists, selectFrom }) =>
        exists(
          selectFrom('leases')
            .select('leases.node_id')
            .whereRef('leases.node_id', '=', 'nodes.node_id')
            .where('amount_nano', '>', 0n),
        ),
      );
    let ended = 0;
    for (const { node_id } of await due.execute())
      ended += await this.#store.transaction(async trx => {
        // As it stands now: the node may have begun anew since.
        const { rows } = await sql`
          select 1 from nodes where node_id = ${node_id} and ${isDue}${this.#lock('update')}`.execute(trx);
        if (rows.length === 0) return 0;
        await this.#empty(trx, node_id, 'lapsed');
        return 1;
      });
    return ended;
  }

  async liveNodes(): Promise<number> {
    const row = await this.#store.db
      .selectFrom('nodes')
      .select(({ fn }) => fn.countAll<bigint>().as('count'))
      .where('expires_us', '>', this.#nowUs)
      .executeTakeFirst();
    return Number(row?.count ?? 0n);
  }

  /** Takes from a node all that it has. The caller has locked the node's row. */
  async #empty(trx: StoreTransaction, nodeId: string, how: 'returned' | 'lapsed'): Promise<void> {
    const query = trx
      .selectFrom('leases')
      .select(['account_id', 'amount_nano'])
      .where('node_id', '=', nodeId)
      .where('amount_nano', '>', 0n)
      .orderBy('account_id');
    const open = await forUpdate(this.#store.dialect, query).execute();
    await this.#store.changeRows(trx, 'leases', {
      key: ['account_id', 'node_id'],
      add: ['amount_nano', how === 'lapsed' ? 'lapsed_nano' : 'granted_nano'],
      rows: open.map(({ account_id, amount_nano }) => [
        account_id,
        nodeId,
        -amount_nano,
        how === 'lapsed' ? amount_nano : -amount_nano,
      ]),
    });
    await addHeld(
      this.#store,
      trx,
      open.map(({ account_id, amount_nano }) => ({ id: account_id, nano: -amount_nano })),
    );
  }
}

const IDS_MAX = 500;

function netOf(row: { readonly granted_nano: Nano; readonly lapsed_nano: Nano; readonly uncovered_nano: Nano }): Nano {
  return row.granted_nano - row.lapsed_nano + row.uncovered_nano;
}
