import { systemClock } from './clock.ts';

/**
 * One wish reaches us more than once: a terminal sends Ctrl+C to all of its group, and the launcher in that group passes on
 * what it gets. What comes within this is the same wish; after it somebody is asking again.
 */
const SAME_WISH_MS = 1_000;

/**
 * Calls `stop` once, at the first SIGTERM, SIGINT or SIGHUP, or, `supervised`, when the launcher at the other end of our channel
 * is gone. A second wish does not wait: the process exits with 1 at once, and what is not settled is recovered at the next start.
 */
export function onStopSignal({ supervised }: { readonly supervised: boolean }, stop: () => void): void {
  let askedAtMs: number | undefined;
  const ask = () => {
    if (askedAtMs !== undefined) return;
    askedAtMs = systemClock.monotonicMs();
    stop();
  };
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const)
    process.on(signal, () => {
      if (askedAtMs !== undefined && systemClock.monotonicMs() - askedAtMs > SAME_WISH_MS) process.exit(1);
      ask();
    });
  // A launcher that ends on the same wish is no second one.
  if (supervised) process.on('disconnect', ask);
}
