import { ENTRY_KIND, type JournalEntry } from '../journal/index.ts';
import type { NewRows, Store, StoreTransaction } from '../store/index.ts';
import { applyChanges, type BalanceChanges, book, lockHead } from './booking.ts';
import { type OpenRequests, releaseHolds, storeHolds } from './open-requests.ts';
import type { SlicePlan } from './plan-slice.ts';
import { countHours, countSpend } from './rollups.ts';
import {
  ATTEMPT_COLUMNS,
  attemptRow,
  costBooking,
  REQUEST_COLUMNS,
  requestRow,
  type Settled,
  usageBooking,
} from './settled-rows.ts';
import type { Turns } from './turns.ts';

export interface LoadingNode {
  readonly nodeId: string;
  readonly epoch: number;
}

/** Requests that are written between two breaths. */
const PART = 100;
/** Ids of one query: well below what either database takes in a statement. */
const IDS_MAX = 500;

/**
 * Of the requests that entries speak of, those that have a row already. Asked for entries that may be read a second time
 * (up to `replayedTo`), and for settlements whose intent is not known: a second one, or one that must not be.
 */
export async function settledBefore(
  db: Store['db'],
  open: OpenRequests,
  { entries, replayedTo }: { readonly entries: readonly JournalEntry[]; readonly replayedTo: number },
): Promise<ReadonlySet<string>> {
  const ids = new Set<string>();
  const begun = new Set<string>();
  for (const { seq, record } of entries) {
    const { id } = record.value;
    if (record.kind === ENTRY_KIND.intent) begun.add(id);
    if (seq <= replayedTo || (record.kind === ENTRY_KIND.settlement && !begun.has(id) && !open.get(id))) ids.add(id);
  }
  const known = new Set<string>();
  const list = [...ids];
  for (let start = 0; start < list.length; start += IDS_MAX) {
    const part = list.slice(start, start + IDS_MAX);
    for (const { id } of await db.selectFrom('requests').select('id').where('id', 'in', part).execute()) known.add(id);
  }
  return known;
}

/**
 * Writes a plan: rows of requests and attempts, their transactions, holds, balances, rollups, and the cursor, all in this
 * transaction. Changes nothing outside, so that the store may run it again.
 */
export async function writeSlice(
  store: Store,
  trx: StoreTransaction,
  { plan, node, turns }: { readonly plan: SlicePlan; readonly node: LoadingNode; readonly turns: Turns },
): Promise<void> {
  const changes: BalanceChanges = new Map();
  await bookSettled(store, trx, { settled: plan.settled, changes, turns });
  await releaseHolds(trx, plan.released, changes);
  await storeHolds(store, trx, { fresh: plan.fresh, noted: plan.noted, nodeId: node.nodeId, changes });
  await applyChanges(store, trx, changes);
  await countSpend(store, trx, plan.settled);
  await countHours(store, trx, plan.settled);
  await moveCursor(store, trx, { ...node, seq: plan.cursor });
}

async function bookSettled(
  store: Store,
  trx: StoreTransaction,
  {
    settled,
    changes,
    turns,
  }: { readonly settled: readonly Settled[]; readonly changes: BalanceChanges; readonly turns: Turns },
): Promise<void> {
  if (settled.length === 0) return;
  const head = await lockHead(trx, store);
  const insert = async (table: 'requests' | 'attempts', rows: NewRows) => {
    // The rows name their transactions by number, so one that is there after all would leave a gap: nothing is written then.
    if ((await store.insertNew(trx, table, rows)).includes(false))
      throw new Error('a request that was checked to be new is in the ledger');
  };
  for (let start = 0; start < settled.length; start += PART) {
    const part = settled.slice(start, start + PART);
    const requests = part.map((each, index) => requestRow(each, head.seq + 1n + BigInt(index)));
    const attempts = part.flatMap(({ settlement }) => settlement.attempts.map(each => attemptRow(settlement.id, each)));
    await insert('requests', { columns: REQUEST_COLUMNS, rows: requests, key: 'id' });
    await insert('attempts', { columns: ATTEMPT_COLUMNS, rows: attempts, key: 'request_id,number' });
    await book(store, trx, { bookings: part.map(usageBooking), head, changes });
    await turns.breathe();
  }
  const cost = costBooking(settled);
  if (cost) await book(store, trx, { bookings: [cost], head, changes });
}

async function moveCursor(
  store: Store,
  trx: StoreTransaction,
  { nodeId, epoch, seq }: LoadingNode & { readonly seq: number },
): Promise<void> {
  const rows = [[nodeId, BigInt(epoch), BigInt(seq)]];
  const [there] = await store.changeRows(trx, 'journal_cursor', { key: ['node_id'], set: ['epoch', 'seq'], rows });
  if (!there)
    await store.insertNew(trx, 'journal_cursor', { columns: ['node_id', 'epoch', 'seq'], rows, key: 'node_id' });
}
