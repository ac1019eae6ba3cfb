import type { Intent, Journal, JournalEntry, Settlement } from '../../../ground/journal/index.ts';
import { type Clock, crashPoint, Fault } from '../../../ground/std/index.ts';
import type { Store } from '../../../ground/store/index.ts';
import { createOpenRequests, type OpenRequests, readStored } from './open-requests.ts';
import { planSlice } from './plan-slice.ts';
import { createSeriesCache } from './series.ts';
import { assertSettled, settledBefore } from './settled-before.ts';
import { createTurns } from './turns.ts';
import { type LoadingNode, writeSlice } from './write-slice.ts';

/**
 * Entries of one transaction: its commit, and the rows of accounts, keys and hours that it moves, are shared by so many. It
 * takes tens of milliseconds in several turns of the thread; others of the one connection wait for it that long.
 */
const SLICE = 2_400;
/** Entries read in one turn. */
const READ = 800;
export interface SliceLoaderOptions {
  readonly store: Store;
  readonly node: LoadingNode;
  readonly reader: Journal['reader'];
  readonly clock: Clock;
  readonly onSettled?: ((settlement: Settlement, intent: Intent) => void) | undefined;
}

/** The state of loading, moved one slice at a time. Its calls must not overlap. */
export interface SliceLoader {
  /** One transaction. What was read before the moment given and is still open gets its hold written; `Infinity`: all. */
  step(writeReadBeforeMs: number): Promise<void>;
  /** Everything up to this entry was read; or less than nothing where the store must be asked first. */
  position(): number;
  /** Everything up to this entry is in the store. */
  cursor(): number;
  /** The open requests, in agreement with the store. */
  open(): Promise<OpenRequests>;
}

/** Throws Fault `config_invalid` where the ledger has loaded more than the journal holds. */
export async function createSliceLoader({
  store,
  node,
  reader,
  clock,
  onSettled,
}: SliceLoaderOptions): Promise<SliceLoader> {
  const cache = createSeriesCache();
  let open: OpenRequests = createOpenRequests([]);
  /** Read so far; what memory alone knows of it lies beyond the cursor. */
  let position = 0;
  let cursor = 0;
  let replayedTo = 0;
  let stale = false;

  const resume = async () => {
    const saved = await store.db
      .selectFrom('journal_cursor')
      .selectAll()
      .where('node_id', '=', node.nodeId)
      .executeTakeFirst();
    cursor = Number(saved?.seq ?? 0n);
    const last = reader.lastSeq();
    if (cursor > last || Number(saved?.epoch ?? 0n) > node.epoch) throw olderJournal(cursor, last);
    position = cursor;
    // Of what the last run read beyond its cursor, some may be in the store.
    replayedTo = last;
    open = createOpenRequests(await readStored(store.db, node.nodeId));
    stale = false;
  };

  const step = async (writeReadBeforeMs: number): Promise<void> => {
    if (stale) await resume();
    const turns = createTurns();
    const entries = await readSlice(reader, position, turns);
    const readTo = entries.at(-1)?.seq ?? position;
    stale = true;
    const known = await settledBefore(store.db, entries, replayedTo);
    const plan = planSlice(open, entries, {
      known,
      readTo,
      nowMs: clock.nowMs(),
      readAtMs: clock.monotonicMs(),
      writeReadBeforeMs,
    });
    await assertSettled(store.db, plan.strays);
    if (entries.length > 0 || plan.fresh.length > 0 || plan.noted.length > 0) {
      const learned = await store.transaction(async trx => {
        const found = await writeSlice(store, trx, { plan, node, cache, turns });
        crashPoint('loader.before-commit');
        return found;
      });
      crashPoint('loader.after-commit');
      cache.learn(learned);
    }
    open.keep([...plan.fresh, ...plan.noted]);
    position = readTo;
    cursor = plan.cursor;
    stale = false;
    if (onSettled) for (const { settlement, intent } of plan.settled) onSettled(settlement, intent);
  };

  await resume();
  return {
    step,
    position: () => (stale ? -1 : position),
    cursor: () => cursor,
    async open() {
      if (stale) await resume();
      return open;
    },
  };
}

async function readSlice(
  reader: Journal['reader'],
  after: number,
  turns: ReturnType<typeof createTurns>,
): Promise<readonly JournalEntry[]> {
  const entries: JournalEntry[] = [];
  while (entries.length < SLICE) {
    const part = reader.read(after + entries.length, READ);
    for (const entry of part) entries.push(entry);
    if (part.length < READ) break;
    await turns.breathe();
  }
  return entries;
}

function olderJournal(loaded: number, last: number): Fault {
  return new Fault('config_invalid', {
    message: `The ledger has loaded entry ${loaded} of this node's journal, which ends at ${last}: an older journal was put back. Restore both from one backup`,
    messageZh: `账簿已装载本节点日志的第 ${loaded} 条，而日志只到第 ${last} 条：日志被换成了旧版本。请从同一份备份恢复两者`,
  });
}
