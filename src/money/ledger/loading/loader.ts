import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { Nano } from '@millrace/contract';
import type { Intent, Journal, Progress, Settlement } from '../../../ground/journal/index.ts';
import { type Clock, crashPoint, type Log, systemClock } from '../../../ground/std/index.ts';
import { isPassing, type Store } from '../../../ground/store/index.ts';
import { expireHolds } from '../expire.ts';
import { beginWork, endWork } from '../journal-loss.ts';
import { openSuspense, type Suspended } from '../suspense.ts';
import { createBusyness } from './busyness.ts';
import type { OpenRequests } from './open-requests.ts';
import { createSliceLoader, type SetBack } from './slice-loader.ts';

/** How often the journal is looked at. */
const LOOK_MS = 100;
/** With the processors this busy, requests go first: what is durable in the journal can be booked when they are through … */
const BUSY_SHARE = 0.8;
/** … unless it has waited for so long, or is so much (some hundred megabytes of journal, a second of loading). */
const WAIT_MS_MAX = 10_000;
const BACKLOG_MAX = 200_000;
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
  /** How much waits in suspense for a person. */
  suspended(): number;
  /** Puts an open request aside that cannot be settled. */
  putAside(id: string, reason: string): Promise<void>;
  /** Somebody wrote something off. */
  lookAtSuspense(): Promise<void>;
  /** What settlements took from each wallet since the start, by account. */
  charged(): ReadonlyMap<string, Nano>;
  /** Books what was put aside; false where there is nothing that could be booked. Throws what a booking throws. */
  book(number: number): Promise<boolean>;
  /** How often the store was found in an older state than this process had left it, and what was last to be loaded again. */
  setBacks(): { readonly count: number; readonly last: SetBack | undefined };
  /** Told of what wallets were charged since the start, when all that a store lost is loaded again; false: it is asked once more. */
  onShippedAgain(listener: (charged: ReadonlyMap<string, Nano>) => Promise<boolean>): void;
  /** Intents of this node that have no settlement, with their last progress. Call {@link Loader.flush} before. */
  openIntents(): Promise<readonly OpenIntent[]>;
}

export interface LoaderOptions {
  readonly store: Store;
  readonly journal: Pick<Journal, 'nodeId' | 'epoch' | 'reader'>;
  readonly log: Log;
  readonly clock?: Clock;
  /** Share of the processors in use since the last call; for tests. */
  readonly busyness?: () => number;
  /** What cannot pass by itself: a damaged journal, a store that is not this journal's. The process must end. */
  readonly onError: (error: unknown) => void;
  /** Whether what this node spends comes out of its leases, as beside other nodes; absent: it does not. */
  readonly isLeasing?: () => boolean;
  /** Told of each settlement once it is committed: what metrics count. */
  readonly onSettled?: (settlement: Settlement, intent: Intent) => void;
}

/**
 * Moves the journal into the ledger: each entry once, the cursor in the same transaction. Throws Fault `config_invalid` where
 * the ledger has loaded more than the journal holds: an older journal was put beside it.
 */
export async function createLoader(options: LoaderOptions): Promise<Loader> {
  const { store, journal, log, onError, onSettled, isLeasing = () => false } = options;
  const { clock = systemClock, busyness = createBusyness() } = options;
  const { nodeId, epoch, reader } = journal;
  const node = { nodeId, epoch, isLeasing };
  const setBacks = createSetBacks(log, reader.lastSeq);
  const suspense = await createSuspenseCount(store, log);
  const told = { onSettled, onSetBack: setBacks.found, onSuspended: suspense.found };
  const slices = await createSliceLoader({ store, node, reader, clock, ...told });
  await beginWork(store, nodeId);
  const exclusive = createQueue();
  const lag = () => Math.max(0, reader.lastSeq() - Math.max(slices.position(), slices.cursor()));
  const stepAged = () => exclusive(() => slices.step(clock.monotonicMs() - HOLD_AFTER_MS));
  const archive = () => {
    crashPoint('loader.before-archive');
    reader.archive(slices.cursor());
  };

  /** All that is there at the call; other work of the thread has its turn between slices. */
  const load = async () => {
    const target = reader.lastSeq();
    do {
      await stepAged();
      await nextTurn();
    } while (slices.position() < target);
    if (setBacks.isShipped(slices.position())) await exclusive(() => setBacks.told(slices.charged));
    archive();
  };
  const expire = () =>
    exclusive(async () => {
      await slices.look();
      await suspense.look();
      const ids = await expireHolds(store, node, clock.nowMs());
      if (ids.length > 0) (await slices.open()).expire(ids);
    });

  const flush = async () => {
    await load();
    await exclusive(() => slices.step(Number.POSITIVE_INFINITY));
  };

  const run = createRun({ load, expire, lag, busyness, clock, log, onError });
  return {
    flush,
    start: run.start,
    async stop() {
      await run.stop();
      // Where all is loaded, its journal may be taken away from here on.
      const seq = reader.lastSeq();
      if (slices.cursor() === seq && slices.position() === seq) await endWork(store, { nodeId, epoch, seq }, log);
    },
    lag,
    cursor: () => slices.cursor(),
    setBacks: setBacks.all,
    suspended: suspense.count,
    putAside: (id, reason) => exclusive(() => slices.putAside(id, reason)),
    charged: () => slices.charged,
    lookAtSuspense: suspense.look,
    book: number => exclusive(() => slices.book(number)).finally(suspense.look),
    onShippedAgain: setBacks.onShipped,
    openIntents: () => exclusive(async () => intentsIn(await slices.open())),
  };
}

function intentsIn(open: OpenRequests): readonly OpenIntent[] {
  const all = [...open.stored.values(), ...open.fresh.values()];
  return all.map(({ intent, progress, heldNano }) => ({ intent, progress, heldNano }));
}

/** How much waits for a person, told as it comes. */
async function createSuspenseCount(store: Store, log: Log) {
  let count = await openSuspense(store.db);
  return {
    count: () => count,
    found({ content: _, ...what }: Suspended) {
      count++;
      log.error('booking-suspended', { ...what, internal: what.reason });
    },
    async look() {
      count = await openSuspense(store.db);
    },
  };
}

/** What is done about a store that was put back to an older state: it is said, and told once all is loaded again. */
function createSetBacks(log: Log, lastSeq: () => number) {
  const listeners: Parameters<Loader['onShippedAgain']>[0][] = [];
  let count = 0;
  let last: SetBack | undefined;
  /** Up to here the journal is loaded again. */
  let upTo: number | undefined;
  return {
    all: () => ({ count, last }),
    onShipped: (listener: (typeof listeners)[number]) => void listeners.push(listener),
    found(setBack: SetBack) {
      count++;
      last = setBack;
      upTo = lastSeq();
      log.error('ledger-set-back', {
        ...setBack,
        internal: 'the database was replaced by an older copy of itself: what it lost is loaded again from the journal',
      });
    },
    isShipped: (position: number) => upTo !== undefined && position >= upTo,
    async told(charged: ReadonlyMap<string, Nano>) {
      for (const listener of listeners) if (!(await listener(charged))) return;
      log.info('ledger-shipped-again', { ...last });
      upTo = undefined;
    },
  };
}

interface RunParts extends Pick<LoaderOptions, 'log' | 'onError'> {
  readonly load: () => Promise<void>;
  readonly expire: () => Promise<void>;
  readonly lag: () => number;
  readonly busyness: () => number;
  readonly clock: Clock;
}

/** The loop that loads while the server runs: when to look, when to let requests go first, what to do when it fails. */
function createRun({ load, expire, lag, busyness, clock, log, onError }: RunParts): Pick<Loader, 'start' | 'stop'> {
  let stopping = new AbortController();
  let running: Promise<void> | undefined;
  const pause = (ms: number) =>
    sleep(ms, undefined, { signal: stopping.signal }).catch(error => {
      if (!stopping.signal.aborted) throw error;
    });
  const run = async () => {
    let retryMs = LOOK_MS;
    let expireAtMs = 0;
    let loadedAtMs = clock.monotonicMs();
    while (!stopping.signal.aborted) {
      const nowMs = clock.monotonicMs();
      try {
        const mayWait = nowMs - loadedAtMs < WAIT_MS_MAX && lag() < BACKLOG_MAX;
        if (!(busyness() > BUSY_SHARE && mayWait)) {
          await load();
          loadedAtMs = nowMs;
        }
        if (nowMs >= expireAtMs) {
          expireAtMs = nowMs + EXPIRE_EVERY_MS;
          await expire();
        }
        retryMs = LOOK_MS;
      } catch (error) {
        const internal = error instanceof Error ? (error.stack ?? error.message) : String(error);
        log.error('loader-failed', { internal, passing: isPassing(error) });
        if (!isPassing(error)) return onError(error);
        retryMs = Math.min(RETRY_MS_MAX, retryMs * 2);
      }
      await pause(retryMs);
    }
  };
  return {
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
