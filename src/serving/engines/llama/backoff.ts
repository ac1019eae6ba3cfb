/** Restarts wait this long after the first failure, twice as long after each further one, up to the cap. */
export interface Backoff {
  readonly firstMs: number;
  readonly mostMs: number;
}

/** After a crash: back at once, since most are one bad request. */
export const CRASH_BACKOFF: Backoff = { firstMs: 250, mostMs: 30_000 };
/** After the host itself refused: only a person or another process changes that. */
export const REFUSAL_BACKOFF: Backoff = { firstMs: 5_000, mostMs: 60_000 };

/**
 * Exponential, with the upper half random: hosts that died together must not come back together.
 * @param failures in a row, at least 1
 * @param random 0 to 1
 */
export function backoffMs({ firstMs, mostMs }: Backoff, failures: number, random: number): number {
  const ceiling = Math.min(mostMs, firstMs * 2 ** Math.min(30, failures - 1));
  return Math.round(ceiling * (0.5 + random / 2));
}
