import { ENTRY_KIND, type JournalEntry } from '../journal/index.ts';
import type { Store, StoreTransaction } from '../store/index.ts';
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

export interface LoadingNode {
  readonly nodeId: string;
  readonly epoch: number;
}

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
  { plan, node }: { readonly plan: SlicePlan; readonly node: LoadingNode },
): Promise<void> {
  const changes: BalanceChanges = new Map();
  await bookSettled(store, trx, { settled: plan.settled, changes });
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
  { settled, changes }: { readonly settled: readonly Settled[]; readonly changes: BalanceChanges },
): Promise<void> {
  if (settled.length === 0) return;
  const head = await lockHead(trx, store);
  const inserted = await store.insertNew(trx, 'requests', {
    columns: REQUEST_COLUMNS,
    rows: settled.map((each, index) => requestRow(each, head.seq + 1n + BigInt(index))),
    key: 'id',
  });
  // The rows name their transactions by number, so one that is there after all would leave a gap: nothing is written then.
  if (inserted.includes(false)) throw new Error('a request that was checked to be new is in the ledger');
  await store.insertNew(trx, 'attempts', {
    columns: ATTEMPT_COLUMNS,
    rows: settled.flatMap(({ settlement }) => settlement.attempts.map(each => attemptRow(settlement.id, each))),
    key: 'request_id,number',
  });
  const bookings = settled.map(usageBooking);
  const cost = costBooking(settled, head.seq + BigInt(bookings.length) + 1n);
  await book(store, trx, { bookings: cost ? [...bookings, cost] : bookings, head, changes });
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
