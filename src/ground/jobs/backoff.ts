/** How long a job that failed waits for its next try. */
export interface Backoff {
  readonly firstMs: number;
  readonly maxMs: number;
}

/**
 * Exponential with full jitter over its upper half: `random` is in [0, 1). Without jitter jobs that failed together come back
 * together (AWS Architecture Blog, "Exponential Backoff and Jitter", 2015); a floor of one half keeps a try from following at once.
 */
export function backoffMs(attempts: number, { firstMs, maxMs }: Backoff, random: number): number {
  const ceiling = Math.min(maxMs, firstMs * 2 ** Math.min(30, Math.max(0, attempts - 1)));
  return Math.round(ceiling / 2 + (ceiling / 2) * random);
}
