/** Source of time; injected so that tests can move it. */
export interface Clock {
  /** Wall time, ms since the epoch. May jump. */
  readonly nowMs: () => number;
  /** Monotonic ms with fractions; differences only. */
  readonly monotonicMs: () => number;
}

export const systemClock: Clock = { nowMs: Date.now, monotonicMs: () => performance.now() };

/** Monotonic ms that all threads of this machine agree on: `performance.now()` begins anew in each. */
export const bootMs = (): number => Number(process.hrtime.bigint() / 1_000_000n);
