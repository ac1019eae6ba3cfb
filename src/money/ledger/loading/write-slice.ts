import type { Store, StoreTransaction, StoreValue } from '../../../ground/store/index.ts';
import { applyChanges, type BalanceChanges, openBooks, post } from '../booking.ts';
import { drawOnBudgets, drawOnWallets } from '../leases/draw-leases.ts';
import { suspend } from '../suspense.ts';
import { type Cursor, moveCursor } from './cursor.ts';
import { releaseHolds, storeHolds } from './open-requests.ts';
import type { SlicePlan } from './plan-slice.ts';
import { countHours, countSpend } from './rollups.ts';
import { resolveSeries, type Series, type SeriesCache } from './series.ts';
import type { Settled } from './settled.ts';
import { ATTEMPT_COLUMNS, attemptRows, REQUEST_COLUMNS, requestRow } from './settled-rows.ts';
import { costTransfers, createTallies, postUsage } from './tally.ts';
import type { Turns } from './turns.ts';

export interface LoadingNode {
  readonly nodeId: string;
  readonly epoch: number;
  /** What this node spends comes out of its leases: others spend from the same wallets. */
  readonly isLeasing: () => boolean;
}

/** Requests that are written between two breaths. */
const PART = 100;

/**
 * Writes a plan: rows of requests and attempts, what is owed for them, holds, balances, rollups, and the cursor, all in this
 * transaction. Changes nothing outside, so that the store may run it again. Throws
 * {@link CursorMoved} where the cursor is not where it was left.
 */
export async function writeSlice(
  store: Store,
  trx: StoreTransaction,
  { plan, from, node, cache, turns, nowMs }: SliceParts,
): Promise<Written> {
  const changes: BalanceChanges = new Map();
  const written = await bookSettled(store, trx, { settled: plan.settled, changes, node, cache, turns });
  await suspend(store, trx, { nodeId: node.nodeId, nowMs, all: plan.suspended });
  await releaseHolds(trx, plan.released, changes);
  await storeHolds(store, trx, { fresh: plan.fresh, noted: plan.noted, nodeId: node.nodeId, changes });
  if (node.isLeasing()) await drawOnWallets(store, trx, { nodeId: node.nodeId, changes });
  await applyChanges(store, trx, changes);
  await moveCursor(store, trx, { nodeId: node.nodeId, from, to: { epoch: node.epoch, seq: plan.cursor } });
  // The commit, with what it folds into the file, is a turn of its own.
  await turns.breathe();
  return written;
}

interface Written {
  /** Series that the cache did not have. */
  readonly learned: readonly Series[];
  /** The newest transaction; undefined where none was booked. */
  readonly headSeq: bigint | undefined;
}

export interface SliceParts {
  readonly plan: SlicePlan;
  /** The cursor as this process left it. */
  readonly from: Cursor;
  readonly node: LoadingNode;
  readonly cache: SeriesCache;
  readonly turns: Turns;
  readonly nowMs: number;
}

async function bookSettled(
  store: Store,
  trx: StoreTransaction,
  {
    settled,
    changes,
    node,
    cache,
    turns,
  }: Pick<SliceParts, 'node' | 'cache' | 'turns'> & {
    readonly settled: readonly Settled[];
    readonly changes: BalanceChanges;
  },
): Promise<Written> {
  if (settled.length === 0) return { learned: [], headSeq: undefined };
  const books = await openBooks(store, trx);
  const { series, learned } = await resolveSeries(store, trx, { settled, cache });
  const tallies = createTallies();
  for (let start = 0; start < settled.length; start += PART) {
    const requests: (readonly StoreValue[])[] = [];
    const attempts: (readonly StoreValue[])[] = [];
    for (const [index, each] of settled.slice(start, start + PART).entries()) {
      const ofSeries = series[start + index];
      if (!ofSeries) throw new Error('a request without a series');
      const rows = books.charge({
        accounts: ofSeries.accounts,
        amountNano: each.settlement.amountNano,
        rows: seq => ({
          series: ofSeries.digest,
          request: requestRow(each, ofSeries, seq),
          attempts: attemptRows(each, seq),
        }),
      });
      requests.push(rows.request);
      attempts.push(...rows.attempts);
      tallies.add(each, ofSeries);
    }
    // A request that is there after all is an error of the store: nothing is written then.
    await store.insertAll(trx, 'requests', { columns: REQUEST_COLUMNS, rows: requests });
    await store.insertAll(trx, 'attempts', { columns: ATTEMPT_COLUMNS, rows: attempts });
    await turns.breathe();
  }
  const all = tallies.all();
  const costs = costTransfers(all, settled);
  await books.write(costs);
  const headSeq = await books.close();
  postUsage(changes, all);
  for (const cost of costs) post(changes, cost.accounts, cost.amountNano);
  if (node.isLeasing()) await drawOnBudgets(store, trx, { nodeId: node.nodeId, tallies: all });
  await countSpend(store, trx, all);
  await countHours(store, trx, all);
  return { learned, headSeq };
}
