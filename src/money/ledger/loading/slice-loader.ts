import type { Nano } from '@millrace/contract';
import type { Intent, Journal, JournalEntry, Settlement } from '../../../ground/journal/index.ts';
import { type Clock, crashPoint, Fault } from '../../../ground/std/index.ts';
import type { Store } from '../../../ground/store/index.ts';
import { contentOf, endSuspense, isUnbookable, readToBook, type Suspended } from '../suspense.ts';
import { type Cursor, CursorMoved, isSetBack, readWitness, type Witness } from './cursor.ts';
import { createOpenRequests, type OpenRequests, readStored } from './open-requests.ts';
import { NOTHING, putAside, writePiecemeal } from './piecemeal.ts';
import { planSlice, type SlicePlan } from './plan-slice.ts';
import { createSeriesCache } from './series.ts';
import { phantomsAmong, settledBefore } from './settled-before.ts';
import { createSettledOnce, type SettledOnce } from './settled-once.ts';
import { createTurns, type Turns } from './turns.ts';
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
  /** The store was found in an older state: what it lost of this journal is loaded again from there. */
  readonly onSetBack: (setBack: SetBack) => void;
  /** It cannot be booked, and is put aside. */
  readonly onSuspended: (suspended: Suspended) => void;
}

/** Entries of the journal that the store had and has no longer. */
export interface SetBack {
  readonly fromSeq: number;
  readonly toSeq: number;
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
  /** Puts an open request aside that cannot be settled; what it held is given back. */
  putAside(id: string, reason: string): Promise<void>;
  /** Books what was put aside under this number: throws what a booking throws. False where there is nothing that could be booked. */
  book(number: number): Promise<boolean>;
  /** Looks whether the store still is what this process left. */
  look(): Promise<void>;
  /** What settlements took from each wallet since the start, by account; each once, however often it was loaded. */
  readonly charged: ReadonlyMap<string, Nano>;
}

/** Throws Fault `config_invalid` where the ledger has loaded more than the journal holds. */
export async function createSliceLoader(options: SliceLoaderOptions): Promise<SliceLoader> {
  const loader = new StoredSlices(options);
  await loader.open();
  return loader;
}

class StoredSlices implements SliceLoader {
  readonly #options: SliceLoaderOptions;
  readonly #once: SettledOnce;
  #cache = createSeriesCache();
  #open: OpenRequests = createOpenRequests([]);
  /** Read so far; what memory alone knows of it lies beyond the cursor. */
  #position = 0;
  #replayedTo = 0;
  /** The store must be asked what it has. */
  #stale = true;
  /** What this process left in the store; undefined before it asked for the first time. */
  #left: Witness | undefined;
  /** Written, and the answer did not come. */
  #tried: Cursor;
  /** Requests that were put aside since the start: what they cost was taken from what may be spent. */
  readonly #asideHere = new Set<string>();

  constructor(options: SliceLoaderOptions) {
    this.#options = options;
    this.#once = createSettledOnce(options.onSettled);
  }

  get charged(): ReadonlyMap<string, Nano> {
    return this.#once.charged;
  }

  position(): number {
    return this.#stale ? -1 : this.#position;
  }

  cursor(): number {
    return this.#left?.cursor?.seq ?? 0;
  }

  async open(): Promise<OpenRequests> {
    if (this.#stale) await this.#resume();
    return this.#open;
  }

  async look(): Promise<void> {
    const { store, node } = this.#options;
    const found = await readWitness(store.db, node.nodeId);
    if (!this.#left) return;
    if (isSetBack(this.#left, found, this.#tried)) await this.#resume();
    // Others book too.
    else this.#left = { ...this.#left, headSeq: found.headSeq };
  }

  async putAside(id: string, reason: string): Promise<void> {
    const { store, node, clock } = this.#options;
    const request = (await this.open()).get(id);
    if (!request) return;
    const { seq, intent, progress } = request;
    const what = { kind: 'recovery', seq, requestId: id, reason, content: contentOf({ intent, progress }) } as const;
    const from = this.#left?.cursor;
    this.#stale = true;
    this.#tried = { epoch: node.epoch, seq: from?.seq ?? 0 };
    await putAside(store, { what, held: [request], node, from, nowMs: clock.nowMs() });
    this.#told([what]);
    await this.#resume();
  }

  async book(number: number): Promise<boolean> {
    const { store, node, clock } = this.#options;
    const found = await readToBook(store.db, number);
    if (!found) return false;
    const from = this.#left?.cursor;
    const cursor = from?.seq ?? 0;
    const nowMs = clock.nowMs();
    const plan = { ...NOTHING, settled: [found], cursor };
    const parts = { plan, from, node, cache: createSeriesCache(), turns: createTurns(), nowMs };
    this.#stale = true;
    this.#tried = { epoch: node.epoch, seq: cursor };
    await store.transaction(async trx => {
      await writeSlice(store, trx, parts);
      await endSuspense(store, trx, { number, how: 'booked', note: '', nowMs });
    });
    this.#once.booked(found, this.#asideHere.has(found.settlement.id));
    await this.#resume();
    return true;
  }

  async step(writeReadBeforeMs: number): Promise<void> {
    const { store, reader, clock } = this.#options;
    const open = await this.open();
    const turns = createTurns();
    const entries = await readSlice(reader, this.#position, turns);
    const readTo = entries.at(-1)?.seq ?? this.#position;
    this.#stale = true;
    const known = await settledBefore(store.db, entries, this.#replayedTo);
    const times = { nowMs: clock.nowMs(), readAtMs: clock.monotonicMs(), writeReadBeforeMs };
    const planned = planSlice(open, entries, { known, readTo, ...times });
    const plan = { ...planned, suspended: await phantomsAmong(store.db, planned.strays) };
    this.#told(plan.suspended);
    if (entries.length > 0 || plan.fresh.length > 0 || plan.noted.length > 0) {
      try {
        await this.#write(plan, turns);
      } catch (error) {
        // Nothing of it was written: it is read again from where the store is.
        if (error instanceof CursorMoved) return this.#resume();
        if (!isUnbookable(error)) throw error;
        return this.#writePiecemeal(plan, { turns, known, readTo });
      }
    }
    open.keep([...plan.fresh, ...plan.noted]);
    this.#position = readTo;
    this.#stale = false;
    this.#once.written(plan.settled, known, readTo);
  }

  async #resume(): Promise<void> {
    const { store, node, reader, onSetBack } = this.#options;
    const found = await readWitness(store.db, node.nodeId);
    const cursor = found.cursor?.seq ?? 0;
    const last = reader.lastSeq();
    if (cursor > last || (found.cursor?.epoch ?? 0) > node.epoch) throw olderJournal(cursor, last);
    if (this.#left && isSetBack(this.#left, found, this.#tried)) {
      onSetBack({ fromSeq: this.cursor(), toSeq: cursor });
      // What is remembered of the store may be gone from it.
      this.#cache = createSeriesCache();
    }
    this.#left = found;
    this.#tried = undefined;
    this.#once.foundUpTo(cursor);
    this.#position = cursor;
    // Of what the last run read beyond its cursor, some may be in the store.
    this.#replayedTo = last;
    this.#open = createOpenRequests(await readStored(store.db, node.nodeId));
    this.#stale = false;
  }

  /** Afterwards the store is asked what came of it. */
  async #writePiecemeal(
    plan: SlicePlan,
    { turns, known, readTo }: { readonly turns: Turns; readonly known: ReadonlySet<string>; readonly readTo: number },
  ): Promise<void> {
    const { store, node, clock } = this.#options;
    const parts = { plan, from: this.#left?.cursor, node, cache: createSeriesCache(), turns, nowMs: clock.nowMs() };
    const { cursor, settled, suspended } = await writePiecemeal(store, parts);
    this.#told(suspended);
    this.#once.written(settled, known, readTo);
    this.#left = { ...(await readWitness(store.db, node.nodeId)), cursor };
    this.#tried = undefined;
    await this.#resume();
  }

  #told(suspended: readonly Suspended[]): void {
    for (const each of suspended) {
      this.#asideHere.add(each.requestId);
      this.#options.onSuspended(each);
    }
  }

  async #write(plan: SlicePlan, turns: Turns): Promise<void> {
    const { store, node, clock } = this.#options;
    const from = this.#left?.cursor;
    const cache = this.#cache;
    const tried = { epoch: node.epoch, seq: plan.cursor };
    this.#tried = tried;
    this.#once.writing(plan.settled);
    const { learned, headSeq } = await store.transaction(async trx => {
      const written = await writeSlice(store, trx, { plan, from, node, cache, turns, nowMs: clock.nowMs() });
      crashPoint('loader.before-commit');
      return written;
    });
    crashPoint('loader.after-commit');
    this.#left = { cursor: tried, headSeq: headSeq ?? this.#left?.headSeq ?? 0n };
    this.#tried = undefined;
    cache.learn(learned);
  }
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
