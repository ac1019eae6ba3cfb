import { sql } from 'kysely';
import { Fault } from '../../../ground/std/index.ts';
import type { Store, StoreTransaction } from '../../../ground/store/index.ts';

/** How far a node's journal is in the store, and by which start of the node that was written; undefined where nothing was. */
export type Cursor = { readonly epoch: number; readonly seq: number } | undefined;

/** What was left in the store is not there now. Rolls the transaction back; the store must be asked what it has. */
export class CursorMoved extends Error {}

/**
 * Moves the cursor from where this process left it, and from nowhere else: in a store that was put back to an older state, what
 * was loaded since would be passed over for good. Throws {@link CursorMoved}.
 */
export async function moveCursor(
  store: Store,
  trx: StoreTransaction,
  { nodeId, from, to }: { readonly nodeId: string; readonly from: Cursor; readonly to: NonNullable<Cursor> },
): Promise<void> {
  if (!from) {
    const rows = [[nodeId, BigInt(to.epoch), BigInt(to.seq)]];
    const columns = ['node_id', 'epoch', 'seq'];
    const [made] = await store.insertNew(trx, 'journal_cursor', { columns, rows, key: 'node_id' });
    if (!made) throw new CursorMoved();
    return;
  }
  const { numUpdatedRows } = await trx
    .updateTable('journal_cursor')
    .set({ epoch: BigInt(to.epoch), seq: BigInt(to.seq) })
    .where('node_id', '=', nodeId)
    .where('epoch', '=', BigInt(from.epoch))
    .where('seq', '=', BigInt(from.seq))
    .executeTakeFirst();
  if (numUpdatedRows !== 1n) throw new CursorMoved();
}

/** What this process left in the store, and what it found there. */
export interface Witness {
  readonly cursor: Cursor;
  /** The newest transaction of the ledger. */
  readonly headSeq: bigint;
}

/** One statement: both belong together. */
export async function readWitness(db: Store['db'], nodeId: string): Promise<Witness> {
  const { rows } = await sql<{ head: bigint; epoch: bigint | null; seq: bigint | null }>`
    select h.seq as head, c.epoch as epoch, c.seq as seq
    from ledger_head h left join journal_cursor c on c.node_id = ${nodeId} where h.id = 1`.execute(db);
  const [row] = rows;
  const isThere = row && row.epoch !== null && row.seq !== null;
  return {
    headSeq: row?.head ?? 0n,
    cursor: isThere ? { epoch: Number(row.epoch), seq: Number(row.seq) } : undefined,
  };
}

/**
 * Whether the store was put back to an older state since `left`. `tried` is what was written without its answer having come: it may
 * be there. Throws Fault `conflict` where it is neither: somebody else loads a journal under this node's name.
 */
export function isSetBack(left: Witness, found: Witness, tried: Cursor): boolean {
  if (found.headSeq < left.headSeq) return true;
  const { cursor } = found;
  if (isSame(cursor, left.cursor) || (tried && isSame(cursor, tried))) return false;
  if (seqOf(cursor) <= seqOf(left.cursor)) return true;
  throw new Fault('conflict', {
    message: `Another process loads the journal of this node (up to entry ${seqOf(cursor)}): was MILLRACE_HOME copied? Give the copy a home of its own`,
    messageZh: `另一个进程正在以本节点的身份装载日志（到第 ${seqOf(cursor)} 条）：是否复制过 MILLRACE_HOME？请为副本使用独立的目录`,
  });
}

const seqOf = (cursor: Cursor) => cursor?.seq ?? 0;
const isSame = (a: Cursor, b: Cursor) => a?.seq === b?.seq && a?.epoch === b?.epoch;
