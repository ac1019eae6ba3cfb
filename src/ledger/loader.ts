import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { Intent, Journal, JournalEntry, Progress, Settlement } from '../journal/index.ts';
import { type Clock, crashPoint, Fault, type Log, systemClock } from '../std/index.ts';
import type { Store } from '../store/index.ts';
import { expireHolds } from './expire.ts';
import { createOpenRequests, type OpenRequests, readStored } from './open-requests.ts';
import { planSlice } from './plan-slice.ts';
import { createTurns } from './turns.ts';
import { settledBefore, writeSlice } from './write-slice.ts';

/**
 * Entries of one transaction: its commit, and the rows of accounts, keys and hours that it moves, are shared by so many. It
 * takes tens of milliseconds in several turns of the thread; others of the one connection wait for it that long.
 */
const SLICE = 1_200;
/** Entries read in one turn. */
const READ = 400;
/** How often the journal is looked at when little comes in. */
const LOOK_MS = 100;
/** Under load: fewer, larger slices touch each account, key and hour less often. */
const LAZY_LOOK_MS = 500;
/** A backlog beyond which there is no waiting between looks: some three seconds of full load on one core. */
const BACKLOG_MAX = 100_000;
/** A request that runs for this long gets a hold in the store; most are settled before and never do. */
const HOLD_AFTER_MS = 2_000;
const EXPIRE_EVERY_MS = 1_000;
const RETRY_MS_MAX = 5_000;

export interface OpenIntent {
  readonly intent: Intent;
  readonly progress: Progress | undefined;
  /** The hold with its extensions. */
  readonly heldNano: bigint;
}

export interface Loader {
  /** Returns when everything that was durable at the call is in the store, holds of running requests included. */
  flush(): Promise<void>;
  start(): void;
  stop(): Promise<void>;
  /** Entries of the journal that are not in the store yet. */
  lag(): number;
  /** The newest entry up to which all is in the store: a restart reads on from here. */
  cursor(): number;
  /** Intents of this node that have no settlement, with their last progress. Call {@link Loader.flush} before. */
  openIntents(): Promise<readonly OpenIntent[]>;
}

export interface LoaderOptions {
  readonly store: Store;
  readonly journal: Pick<Journal, 'nodeId' | 'epoch' | 'reader'>;
  readonly log: Log;
  readonly clock?: Clock;
  /** What cannot pass by itself: a damaged journal, a store that is not this journal's. The process must end. */
  readonly onError: (error: unknown) => void;
  /** Told of each settlement once it is committed: what metrics count. */
  readonly onSettled?: (settlement: Settlement) => void;
}

/**
 * Moves the journal into the ledger: each entry once, the cursor in the same transaction. Throws Fault `config_invalid` where
 * the ledger has loaded more than the journal holds: an older journal was put beside it.
 */
export async function createLoader(options: LoaderOptions): Promise<Loader> {
  const { store, journal, log, onError, onSettled, clock = systemClock } = options;
  const { nodeId, reader } = journal;
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
      .where('node_id', '=', nodeId)
      .executeTakeFirst();
    cursor = Number(saved?.seq ?? 0n);
    const last = reader.lastSeq();
    if (cursor > last || Number(saved?.epoch ?? 0n) > journal.epoch) throw olderJournal(cursor, last);
    position = cursor;
    // Of what the last run read beyond its cursor, some may be in the store.
    replayedTo = last;
    open = createOpenRequests(await readStored(store.db, nodeId));
    stale = false;
  };

  /** One transaction. Returns the number of entries it moved. */
  const step = async (writeReadBeforeMs: number): Promise<number> => {
    if (stale) await resume();
    const turns = createTurns();
    const entries: JournalEntry[] = [];
    while (entries.length < SLICE) {
      const part = reader.read(position + entries.length, READ);
      for (const entry of part) entries.push(entry);
      if (part.length < READ) break;
      await turns.breathe();
    }
    const readTo = entries.at(-1)?.seq ?? position;
    stale = true;
    const known = await settledBefore(store.db, open, { entries, replayedTo });
    const plan = planSlice(open, entries, { known, readTo, nowMs: clock.monotonicMs(), writeReadBeforeMs });
    if (entries.length > 0 || plan.fresh.length > 0 || plan.noted.length > 0) {
      await store.transaction(async trx => {
        await writeSlice(store, trx, { plan, node: journal, turns });
        crashPoint('loader.before-commit');
      });
      crashPoint('loader.after-commit');
    }
    open.keep([...plan.fresh, ...plan.noted]);
    position = readTo;
    cursor = plan.cursor;
    stale = false;
    if (onSettled) for (const { settlement } of plan.settled) onSettled(settlement);
    return entries.length;
  };
  const archive = () => {
    crashPoint('loader.before-archive');
    reader.archive(cursor);
  };

  const exclusive = createQueue();
  const flush = async () => {
    const target = reader.lastSeq();
    while (stale || position < target) {
      await exclusive(() => step(clock.monotonicMs() - HOLD_AFTER_MS));
      await nextTurn();
    }
    await exclusive(() => step(Number.POSITIVE_INFINITY));
    archive();
  };

  let running: Promise<void> | undefined;
  let stopping = new AbortController();
  const run = async () => {
    let retryMs = LOOK_MS;
    let expireAtMs = 0;
    while (!stopping.signal.aborted) {
      try {
        const moved = await lookOnce();
        if (clock.monotonicMs() >= expireAtMs) {
          expireAtMs = clock.monotonicMs() + EXPIRE_EVERY_MS;
          await exclusive(async () => open.expire(await expireHolds(store, clock.nowMs())));
        }
        retryMs = LOOK_MS;
        const lag = reader.lastSeq() - position;
        if (lag < BACKLOG_MAX) await pause(moved >= SLICE ? LAZY_LOOK_MS : LOOK_MS);
      } catch (error) {
        const internal = error instanceof Error ? (error.stack ?? error.message) : String(error);
        log.error('loader-failed', { internal, passing: isPassing(error) });
        if (!isPassing(error)) return onError(error);
        await pause(retryMs);
        retryMs = Math.min(RETRY_MS_MAX, retryMs * 2);
      }
    }
  };
  /** All that is there when it begins; other work of the thread has its turn between slices. */
  const lookOnce = async () => {
    const target = reader.lastSeq();
    let moved = 0;
    do {
      moved += await exclusive(() => step(clock.monotonicMs() - HOLD_AFTER_MS));
      await nextTurn();
    } while (position < target && !stopping.signal.aborted);
    archive();
    return moved;
  };
  const pause = (ms: number) =>
    sleep(ms, undefined, { signal: stopping.signal }).catch(error => {
      if (!stopping.signal.aborted) throw error;
    });

  await resume();
  return {
    flush,
    start() {
      if (running) return;
      stopping = new AbortController();
      running = run();
    },
    async stop() {
      stopping.abort();
      await running;
      running = undefined;
    },
    lag: () => Math.max(0, reader.lastSeq() - position),
    cursor: () => cursor,
    openIntents: () =>
      exclusive(async () => {
        if (stale) await resume();
        const all = [...open.stored.values(), ...open.fresh.values()];
        return all.map(({ intent, progress, heldNano }) => ({ intent, progress, heldNano }));
      }),
  };
}

/** Work one after the other, in the order in which it was asked for. */
function createQueue(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return work => {
    const next = last.then(work, work);
    last = next.catch(() => {});
    return next;
  };
}

function olderJournal(loaded: number, last: number): Fault {
  return new Fault('config_invalid', {
    message: `The ledger has loaded entry ${loaded} of this node's journal, which ends at ${last}: an older journal was put back. Restore both from one backup`,
    messageZh: `账簿已装载本节点日志的第 ${loaded} 条，而日志只到第 ${last} 条：日志被换成了旧版本。请从同一份备份恢复两者`,
  });
}

/** SQLSTATE classes of troubles that end: connections, transactions, resources, an operator's hand, locks. */
const PASSING_CLASSES = new Set(['08', '40', '53', '55', '57']);

/** Whether a failure may pass by itself, as a database that restarts or a disk that is full does. */
function isPassing(error: unknown): boolean {
  if (error instanceof Fault) return error.code === 'storage_full' || error.code === 'unavailable';
  if (!(error instanceof Error)) return false;
  if ('code' in error && typeof error.code === 'string') {
    if (/^[0-9A-Z]{5}$/.test(error.code)) return PASSING_CLASSES.has(error.code.slice(0, 2));
    return /^E[A-Z]+$/.test(error.code);
  }
  // pg, where the server hung up between two messages.
  return /Connection terminated|timeout exceeded|not queryable/.test(error.message);
}
