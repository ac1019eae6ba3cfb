import type { Fault, Log } from '../std/index.ts';
import type { StoreTransaction } from '../store/index.ts';
import type { Backoff } from './backoff.ts';
import type { JobState } from './schema.ts';

export type { JobState };

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** Writes of a job: they are committed together with its state, or not at all. */
export type Effects = (trx: StoreTransaction) => Promise<void>;

export interface Progress {
  readonly done: number;
  readonly total?: number;
  readonly note?: string;
}

/** What a try may know and do. */
export interface JobRun {
  readonly id: string;
  /** 1 for the first. */
  readonly attempt: number;
  readonly organizationId: string | undefined;
  /** Where an earlier try got to; undefined for the first. */
  readonly checkpoint: JsonValue | undefined;
  /**
   * Aborted when the job is cancelled, its lease is lost, its time is over or the node stops: a job that goes on regardless can change
   * nothing any more.
   */
  readonly signal: AbortSignal;
  readonly log: Log;
  /** Tells how far it is; kept with the next heartbeat, so it may be called as often as one likes. */
  progress(progress: Progress): void;
  /**
   * Makes a step durable, once: `effects` and the checkpoint in one transaction, if the lease still stands. Throws Fault `conflict`
   * where it does not, and nothing was written.
   */
  step(checkpoint: JsonValue, effects?: Effects): Promise<void>;
}

/** How a try ended well. */
export interface JobOutcome {
  readonly result?: JsonValue;
  /** Committed together with the end of the job: done once, through any crash. */
  readonly effects?: Effects;
}

/** A sort of job. `P` is what {@link JobKind.parse} makes of the payload. */
export interface JobKind<P = unknown> {
  readonly kind: string;
  /** Throws where the payload is not of this kind: the job fails for good. */
  parse(payload: JsonValue): P;
  run(payload: P, run: JobRun): Promise<JobOutcome>;
  /** At once: on this node, and over all nodes. Absent: one on each node, no bound over all. */
  readonly concurrency?: { readonly node?: number; readonly total?: number };
  /** Tries before it is a dead letter; 5 unless told otherwise. */
  readonly attemptsMax?: number;
  readonly backoff?: Backoff;
  /** Longest time of one try; an hour unless told otherwise. */
  readonly timeoutMs?: number;
}

export interface JobView {
  readonly id: string;
  readonly kind: string;
  readonly state: JobState;
  readonly organizationId: string | undefined;
  readonly priority: number;
  readonly attempts: number;
  readonly attemptsMax: number;
  readonly cancelRequested: boolean;
  readonly progress: Progress | undefined;
  readonly result: JsonValue | undefined;
  readonly error: JobError | undefined;
  readonly createdMs: number;
  readonly runAfterMs: number;
  readonly startedMs: number | undefined;
  readonly endedMs: number | undefined;
}

export interface JobError {
  readonly code: string;
  readonly message: string;
  readonly messageZh: string;
}

/** Thrown by a job whose next try would fail as well. */
export class JobFailed extends Error {
  readonly fault: Fault;

  constructor(fault: Fault) {
    super(fault.message, { cause: fault });
    this.name = 'JobFailed';
    this.fault = fault;
  }
}
