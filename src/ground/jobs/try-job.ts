import { type Clock, type Log, toFault } from '../std/index.ts';
import { type Backoff, backoffMs } from './backoff.ts';
import { type JobError, JobFailed, type JobKind, type JobOutcome, type Progress } from './job.ts';
import { type Claimed, type JobQueue, LEASE_MS } from './queue.ts';

const BEAT_MS = LEASE_MS / 3;
const TIMEOUT_MS = 3_600_000;
const BACKOFF: Backoff = { firstMs: 1_000, maxMs: 600_000 };

/** Why a try is told to stop. */
type Stop = 'cancel' | 'lost' | 'stopping' | 'timeout';

/** How a try ended, for the log and the metrics. */
export type TryEnd = 'done' | 'failed' | 'again' | 'cancelled' | 'lost' | 'released';

export interface TryDeps {
  readonly queue: JobQueue;
  readonly clock: Clock;
  readonly log: Log;
  /** In [0, 1). */
  readonly random: () => number;
}

/** One try under way. */
export class JobTry {
  readonly id: string;
  readonly ended: Promise<TryEnd>;
  readonly #kind: JobKind;
  readonly #claimed: Claimed;
  readonly #deps: TryDeps;
  readonly #abort = new AbortController();
  #stop: Stop | undefined;
  #progress: Progress | undefined;

  constructor(kind: JobKind, claimed: Claimed, deps: TryDeps) {
    this.id = claimed.id;
    this.#kind = kind;
    this.#claimed = claimed;
    this.#deps = deps;
    this.ended = this.#run();
  }

  stop(why: Stop): void {
    this.#stop ??= why;
    this.#abort.abort(new Error(`the job is told to stop: ${why}`));
  }

  async #run(): Promise<TryEnd> {
    const { log, clock } = this.#deps;
    const startedMs = clock.monotonicMs();
    const beat = setInterval(() => void this.#beat(), BEAT_MS).unref();
    const timeout = setTimeout(() => this.stop('timeout'), this.#kind.timeoutMs ?? TIMEOUT_MS).unref();
    let end: TryEnd = 'lost';
    try {
      end = await this.#work();
    } catch (error) {
      // The store itself failed: the lease runs out, and another try begins.
      log.error('job-unsettled', { jobId: this.id, kind: this.#kind.kind, error: toFault(error).message });
    } finally {
      clearInterval(beat);
      clearTimeout(timeout);
    }
    const durationMs = Math.round(clock.monotonicMs() - startedMs);
    log.info('job', { jobId: this.id, kind: this.#kind.kind, attempt: this.#claimed.attempt, end, durationMs });
    return end;
  }

  async #work(): Promise<TryEnd> {
    const { queue } = this.#deps;
    let outcome: JobOutcome;
    try {
      outcome = await this.#outcome();
      await this.#beatOnce();
    } catch (error) {
      return this.#failed(error);
    }
    try {
      await queue.finish(this.#claimed, outcome);
      return 'done';
    } catch (error) {
      return this.#failed(error);
    }
  }

  async #outcome(): Promise<JobOutcome> {
    const { queue, log } = this.#deps;
    const { id, attempt, organizationId, checkpoint, payload } = this.#claimed;
    let parsed: unknown;
    try {
      parsed = this.#kind.parse(payload);
    } catch (error) {
      throw new JobFailed(toFault(error));
    }
    return this.#kind.run(parsed, {
      ...{ id, attempt, organizationId, checkpoint },
      signal: this.#abort.signal,
      log: log.child({ jobId: id, kind: this.#kind.kind }),
      progress: progress => {
        this.#progress = progress;
      },
      step: (next, effects) => queue.step(this.#claimed, next, effects),
    });
  }

  async #failed(error: unknown): Promise<TryEnd> {
    const { queue, random, log } = this.#deps;
    const claimed = this.#claimed;
    if (this.#stop === 'lost') return 'lost';
    if (this.#stop === 'cancel') {
      await queue.cancelled(claimed);
      return 'cancelled';
    }
    if (this.#stop === 'stopping') {
      await queue.release(claimed);
      return 'released';
    }
    const words = this.#stop === 'timeout' ? TIMED_OUT : wordsOf(error);
    const isFinal = error instanceof JobFailed || claimed.attempt >= claimed.attemptsMax;
    const waitMs = backoffMs(claimed.attempt, this.#kind.backoff ?? BACKOFF, random());
    log.warn('job-failed', { jobId: this.id, kind: this.#kind.kind, attempt: claimed.attempt, isFinal, ...words });
    await queue.fail(claimed, words, isFinal ? undefined : waitMs);
    return isFinal ? 'failed' : 'again';
  }

  async #beat(): Promise<void> {
    try {
      await this.#beatOnce();
    } catch (error) {
      // Once is no loss: a lease outlasts three beats.
      this.#deps.log.warn('job-heartbeat', { jobId: this.id, error: toFault(error).message });
    }
  }

  async #beatOnce(): Promise<void> {
    const answer = await this.#deps.queue.beat(this.#claimed, this.#progress);
    if (answer !== 'kept') this.stop(answer);
  }
}

const TIMED_OUT: JobError = {
  code: 'upstream_timeout',
  message: 'The job took longer than it may',
  messageZh: '任务执行超时',
};

function wordsOf(error: unknown): JobError {
  const fault = error instanceof JobFailed ? error.fault : toFault(error);
  return { code: fault.code, message: fault.message, messageZh: fault.details.messageZh ?? fault.message };
}
