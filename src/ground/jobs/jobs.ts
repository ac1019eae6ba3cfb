import { randomInt } from 'node:crypto';
import type { RawBuilder } from 'kysely';
import { type Clock, createUuid7, Fault, type Log, toFault } from '../std/index.ts';
import type { Store, StoreTransaction } from '../store/index.ts';
import type { JobKind, JobView, JsonValue } from './job.ts';
import type { JobDepth, ListOptions } from './job-view.ts';
import { type Claimed, type EnqueueOptions, JobQueue } from './queue.ts';
import { type ScheduleInput, Schedules, type ScheduleView } from './schedules.ts';
import { JobTry, type TryEnd } from './try-job.ts';

/** How often a node looks for jobs that others enqueued, whose time came, or whose node fell silent. */
const LOOK_MS = 1_000;
const ATTEMPTS_MAX = 5;
/** What ended is kept so long. */
const KEPT_MS = 30 * 86_400_000;
const FORGET_EVERY_MS = 60_000;
const RANDOM_STEPS = 1_000_000;

export interface JobsOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly kinds: readonly JobKind[];
  /** For tests: the time of the shared clock. */
  readonly nowUs?: () => RawBuilder<bigint>;
  /** For tests: in [0, 1). */
  readonly random?: () => number;
}

export interface JobCount {
  readonly kind: string;
  readonly end: TryEnd;
  readonly count: number;
}

/** The queue of this node: what it enqueues any node may run. */
export interface Jobs extends AsyncDisposable {
  /** Begins to run jobs: when all that they need is there. */
  start(): void;
  /**
   * Adds a job; inside the caller's transaction where `trx` is given, so that it is there exactly if the rest is. Fault
   * `invalid_parameter` for a kind that nobody runs, or a payload that is not of it.
   */
  enqueue(
    kind: string,
    payload: JsonValue,
    options?: EnqueueOptions,
    trx?: StoreTransaction,
  ): Promise<{ readonly id: string; readonly isNew: boolean }>;
  cancel(id: string): Promise<boolean>;
  retry(id: string): Promise<void>;
  show(id: string): Promise<JobView>;
  list(options: ListOptions): Promise<readonly JobView[]>;
  depth(): Promise<readonly JobDepth[]>;
  saveSchedule(input: ScheduleInput): Promise<ScheduleView>;
  removeSchedule(name: string): Promise<boolean>;
  schedules(): Promise<readonly ScheduleView[]>;
  /** Tries that ended on this node since its start. */
  counts(): readonly JobCount[];
  /** Looks for work now; returns when all that it began has ended. Tests call it in place of {@link Jobs.start}. */
  drain(): Promise<void>;
}

export async function createJobs(options: JobsOptions): Promise<Jobs> {
  const jobs = new NodeJobs(options);
  await jobs.open();
  return jobs;
}

class NodeJobs implements Jobs {
  readonly #options: JobsOptions;
  readonly #kinds: ReadonlyMap<string, JobKind>;
  readonly #queue: JobQueue;
  readonly #schedules: Schedules;
  readonly #running = new Map<string, JobTry>();
  readonly #byKind = new Map<string, number>();
  readonly #ends = new Map<string, JobCount>();
  #timer: NodeJS.Timeout | undefined;
  /** The look under way, and whether another is wanted behind it. */
  #look: Promise<void> | undefined;
  #wanted = false;
  #stopping = false;
  #forgotMs = 0;

  constructor(options: JobsOptions) {
    const { store, clock, kinds, nowUs } = options;
    this.#options = options;
    this.#kinds = new Map(kinds.map(kind => [kind.kind, kind]));
    this.#queue = new JobQueue(store, createUuid7(clock.nowMs), nowUs);
    this.#schedules = new Schedules({
      store,
      clock,
      enqueue: async ({ name, kind, payload }, dueMs, trx) => {
        await this.#add(kind, payload, { idempotencyKey: `schedule ${name} ${dueMs}` }, trx);
      },
    });
  }

  async open(): Promise<void> {
    const bounded = this.#options.kinds.filter(({ concurrency }) => concurrency?.total !== undefined);
    await this.#queue.know(bounded.map(({ kind }) => kind));
  }

  start(): void {
    // Without a kind that it runs, a node has nothing to look for.
    if (this.#kinds.size === 0) return;
    this.#timer ??= setInterval(() => this.#wake(), LOOK_MS).unref();
    this.#wake();
  }

  async enqueue(kind: string, payload: JsonValue, options: EnqueueOptions = {}, trx?: StoreTransaction) {
    const added = await this.#add(kind, payload, options, trx);
    // Inside a transaction it is not there yet; the next look finds it.
    if (!trx && this.#timer) this.#wake();
    return added;
  }

  #add(kind: string, payload: JsonValue, options: EnqueueOptions, trx?: StoreTransaction) {
    const known = this.#kindOf(kind);
    known.parse(payload);
    return this.#queue.add(
      kind,
      payload,
      { ...options, attemptsMax: options.attemptsMax ?? known.attemptsMax ?? ATTEMPTS_MAX },
      trx,
    );
  }

  #kindOf(kind: string): JobKind {
    const known = this.#kinds.get(kind);
    if (known) return known;
    throw new Fault('invalid_parameter', {
      param: 'kind',
      message: `There is no kind of job "${kind}"; there are ${[...this.#kinds.keys()].join(', ') || 'none'}`,
      messageZh: `没有名为“${kind}”的任务类型；现有 ${[...this.#kinds.keys()].join('、') || '无'}`,
    });
  }

  async cancel(id: string): Promise<boolean> {
    const isAsked = await this.#queue.cancel(id);
    if (isAsked) this.#running.get(id)?.stop('cancel');
    return isAsked;
  }

  async retry(id: string): Promise<void> {
    await this.#queue.retry(id);
    if (this.#timer) this.#wake();
  }

  show(id: string): Promise<JobView> {
    return this.#queue.show(id);
  }

  list(options: ListOptions): Promise<readonly JobView[]> {
    return this.#queue.list(options);
  }

  depth() {
    return this.#queue.depth();
  }

  async saveSchedule(input: ScheduleInput): Promise<ScheduleView> {
    this.#kindOf(input.kind).parse(input.payload);
    return this.#schedules.save(input);
  }

  removeSchedule(name: string): Promise<boolean> {
    return this.#schedules.remove(name);
  }

  schedules(): Promise<readonly ScheduleView[]> {
    return this.#schedules.list();
  }

  counts(): readonly JobCount[] {
    return [...this.#ends.values()];
  }

  async drain(): Promise<void> {
    for (let ran = true; ran; ) {
      this.#wake();
      await this.#look;
      const ends = [...this.#running.values()].map(({ ended }) => ended);
      await Promise.all(ends);
      ran = ends.length > 0;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping = true;
    clearInterval(this.#timer);
    this.#timer = undefined;
    await this.#look;
    for (const running of this.#running.values()) running.stop('stopping');
    await Promise.all([...this.#running.values()].map(({ ended }) => ended));
  }

  #wake(): void {
    if (this.#stopping) return;
    this.#wanted = true;
    this.#look ??= this.#lookAll().finally(() => {
      this.#look = undefined;
      if (this.#wanted) this.#wake();
    });
  }

  async #lookAll(): Promise<void> {
    while (this.#wanted && !this.#stopping) {
      this.#wanted = false;
      try {
        await this.#schedules.run();
        await this.#queue.reclaim();
        for (const kind of this.#kinds.values()) await this.#claimAll(kind);
        await this.#forget();
      } catch (error) {
        this.#options.log.error('jobs-look', { error: toFault(error).message });
      }
    }
  }

  async #claimAll(kind: JobKind): Promise<void> {
    const { node = 1, total } = kind.concurrency ?? {};
    while (!this.#stopping && (this.#byKind.get(kind.kind) ?? 0) < node) {
      const claimed = await this.#queue.claim(kind.kind, total);
      if (!claimed) return;
      this.#begin(kind, claimed);
    }
  }

  #begin(kind: JobKind, claimed: Claimed): void {
    const { clock, log, random = () => randomInt(RANDOM_STEPS) / RANDOM_STEPS } = this.#options;
    const running = new JobTry(kind, claimed, { queue: this.#queue, clock, log, random });
    this.#running.set(running.id, running);
    this.#byKind.set(kind.kind, (this.#byKind.get(kind.kind) ?? 0) + 1);
    void running.ended.then(end => {
      this.#running.delete(running.id);
      this.#byKind.set(kind.kind, (this.#byKind.get(kind.kind) ?? 1) - 1);
      const name = `${kind.kind} ${end}`;
      this.#ends.set(name, { kind: kind.kind, end, count: (this.#ends.get(name)?.count ?? 0) + 1 });
      this.#wake();
    });
  }

  async #forget(): Promise<void> {
    const now = this.#options.clock.monotonicMs();
    if (this.#forgotMs !== 0 && now - this.#forgotMs < FORGET_EVERY_MS) return;
    this.#forgotMs = now;
    await this.#queue.forget(KEPT_MS);
  }
}
