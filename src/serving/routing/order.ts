import { busyMs, healthOf } from './breaker.ts';
import type { Loads, Target } from './loads.ts';

/** When none is open, the first may be after this long at the latest: engines start within seconds. */
const SOONEST_S_MAX = 5;

export interface Ordered<T> {
  /** Those that are not closed: by whether they asked to be left alone, by priority, then by load per weight. */
  readonly targets: readonly T[];
  /** Where there is none: when the first may be. */
  readonly soonestMs: number;
}

export function orderTargets<T extends Target>(targets: readonly T[], loads: Loads, nowMs: number): Ordered<T> {
  const [first] = targets;
  if (targets.length === 1 && first && healthOf(first, loads, nowMs) !== 'closed') return { targets, soonestMs: 0 };
  const open = targets.filter(target => healthOf(target, loads, nowMs) !== 'closed');
  if (open.length === 0) {
    const nowS = Math.floor(nowMs / 1000);
    const rests = targets.map(({ slot }) => Math.max(1, loads.get(slot, 'closedUntilS') - nowS));
    return { targets: [], soonestMs: Math.min(...rests, SOONEST_S_MAX) * 1000 };
  }
  const busy = (target: T) => (busyMs(target, loads, nowMs) > 0 ? 1 : 0);
  const load = ({ slot, weight }: T) => (loads.get(slot, 'inFlight') + 1) / weight;
  return {
    targets: open.toSorted((a, b) => busy(a) - busy(b) || a.priority - b.priority || load(a) - load(b)),
    soonestMs: 0,
  };
}
