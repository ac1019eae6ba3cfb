import type { Clock } from './clock.ts';

/** Hands out rows of a shared table. */
export interface SlotPool {
  /** Undefined when none is free. */
  take(): number | undefined;
  hasFree(): boolean;
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
  /** In order of release: the first that has not rested ends the search. */
  const restedAt = (): number => {
    const restedFromMs = clock.monotonicMs() - restMs;
    for (const [index, { slot, fromMs }] of resting.entries()) {
      if (fromMs > restedFromMs) return -1;
      if (isIdle(slot)) return index;
    }
    return -1;
  };
  return {
    take() {
      const index = restedAt();
      if (index >= 0) return resting.splice(index, 1)[0]?.slot;
      return fresh < rows ? fresh++ : undefined;
    },
    hasFree: () => fresh < rows || restedAt() >= 0,
    release: slot => void resting.push({ slot, fromMs: clock.monotonicMs() }),
  };
}
