import type { Clock } from './clock.ts';

/** Hands out rows of a shared table. */
export interface SlotPool {
  /** Undefined when none is free. */
  take(): number | undefined;
  release(slot: number): void;
}

/**
 * A row that was given back rests for `restMs`, and then until `isIdle`, before another gets it: threads may still count in
 * it for the one who had it, and would count against the next.
 */
export function createSlotPool({
  rows,
  restMs,
  clock,
  isIdle,
}: {
  readonly rows: number;
  readonly restMs: number;
  readonly clock: Clock;
  readonly isIdle: (slot: number) => boolean;
}): SlotPool {
  let fresh = 0;
  const resting: { readonly slot: number; readonly fromMs: number }[] = [];
  const takeRested = (): number | undefined => {
    const restedFromMs = clock.monotonicMs() - restMs;
    // In order of release: the first that has not rested ends the search.
    for (const [index, { slot, fromMs }] of resting.entries()) {
      if (fromMs > restedFromMs) return undefined;
      if (!isIdle(slot)) continue;
      resting.splice(index, 1);
      return slot;
    }
    return undefined;
  };
  return {
    take: () => takeRested() ?? (fresh < rows ? fresh++ : undefined),
    release: slot => void resting.push({ slot, fromMs: clock.monotonicMs() }),
  };
}
