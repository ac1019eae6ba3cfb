import { type Clock, systemClock } from './clock.ts';

/**
 * One wish reaches us more than once: a terminal sends Ctrl+C to all of its group, and the launcher in that group passes on
 * what it gets. What comes within this is the same wish; after it somebody is asking again.
 */
const SAME_WISH_MS = 1_000;

/** What is asked of the process; another in tests. */
interface Asked {
  on(event: NodeJS.Signals | 'disconnect', listener: () => void): unknown;
  exit(code: number): void;
}

/**
 * Calls `stop` once, at the first SIGTERM, SIGINT or SIGHUP, or, `supervised`, when the launcher at the other end of our channel
 * is gone. A second wish does not wait: the process exits with 1 at once, and what is not settled is recovered at the next start.
 */
export function onStopSignal(
  {
    supervised,
    clock = systemClock,
    asked = process,
  }: { readonly supervised: boolean; readonly clock?: Clock; readonly asked?: Asked },
  stop: () => void,
): void {
  let askedAtMs: number | undefined;
  const ask = () => {
    if (askedAtMs !== undefined) return;
    askedAtMs = clock.monotonicMs();
    stop();
  };
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const)
    asked.on(signal, () => {
      if (askedAtMs !== undefined && clock.monotonicMs() - askedAtMs > SAME_WISH_MS) asked.exit(1);
      else ask();
    });
  // A launcher that ends on the same wish is no second one.
  if (supervised) asked.on('disconnect', ask);
}
