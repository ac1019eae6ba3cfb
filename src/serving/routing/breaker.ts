import type { FaultCode } from '@millrace/contract/words';
import { tellsOfHealth } from './attempts.ts';
import type { Loads, Target } from './loads.ts';

/** Failures in a row after which a target is left alone for a while: 1, 2, 4 … s. */
const FAILURES_MAX = 5;
const CLOSED_S_MAX = 30;
/** A probe that nobody ended gives the turn to another after so long. */
const PROBE_S = 60;
/** A vendor's `Retry-After` is kept to up to here; shorter than the least is what we assume where it names none. */
const BUSY_MS = { least: 1_000, most: 60_000 };

/** `half-open`: it failed, its rest is over, and one request may find out whether it is well. */
export type Health = 'open' | 'half-open' | 'closed';

export function healthOf({ slot, embedded }: Target, loads: Loads, nowMs: number): Health {
  if (embedded && loads.get(slot, 'ready') !== 1) return 'closed';
  const nowS = Math.floor(nowMs / 1000);
  if (loads.get(slot, 'closedUntilS') > nowS) return 'closed';
  if (loads.get(slot, 'failures') < FAILURES_MAX) return 'open';
  return loads.get(slot, 'probeUntilS') > nowS ? 'closed' : 'half-open';
}

/** Until when it asked to be left alone, in ms from now; 0 where it did not. */
export function busyMs({ slot }: Pick<Target, 'slot'>, loads: Loads, nowMs: number): number {
  return Math.max(0, loads.get(slot, 'busyUntilS') * 1000 - nowMs);
}

/** Takes a place where its health, its own wish and its concurrency leave one. What is taken is given back by {@link leave}. */
export function enter(target: Target, loads: Loads, nowMs: number): boolean {
  const { slot, concurrency } = target;
  const health = healthOf(target, loads, nowMs);
  if (health === 'closed' || busyMs(target, loads, nowMs) > 0) return false;
  if (health === 'half-open') {
    const seen = loads.get(slot, 'probeUntilS');
    if (!loads.swap(slot, 'probeUntilS', seen, Math.floor(nowMs / 1000) + PROBE_S)) return false;
  }
  if (concurrency === undefined) loads.add(slot, 'inFlight', 1);
  else if (!loads.tryEnter(slot, concurrency)) {
    if (health === 'half-open') loads.set(slot, 'probeUntilS', 0);
    return false;
  }
  return true;
}

/** `durationMs`: of an answer that is whole. */
export function leave({ slot }: Pick<Target, 'slot'>, loads: Loads, durationMs: number | undefined): void {
  loads.add(slot, 'inFlight', -1);
  // Whoever leaves without a verdict leaves the probe to another.
  if (loads.get(slot, 'probeUntilS') !== 0) loads.set(slot, 'probeUntilS', 0);
  if (durationMs !== undefined) smooth(slot, 'durationMs', { loads, value: durationMs });
}

/** Counts a failure of the target's own; after {@link FAILURES_MAX} in a row it closes. */
export function recordFailure(
  { slot }: Pick<Target, 'slot'>,
  loads: Loads,
  {
    code,
    retryAfterMs,
    nowMs,
  }: { readonly code: FaultCode; readonly retryAfterMs?: number | undefined; readonly nowMs: number },
): void {
  if (code === 'capacity' && retryAfterMs !== undefined && retryAfterMs > BUSY_MS.least)
    loads.set(slot, 'busyUntilS', Math.ceil((nowMs + Math.min(retryAfterMs, BUSY_MS.most)) / 1000));
  if (!tellsOfHealth(code)) return;
  const failures = loads.add(slot, 'failures', 1);
  if (failures < FAILURES_MAX) return;
  const seconds = Math.min(CLOSED_S_MAX, 2 ** Math.min(failures - FAILURES_MAX, 10));
  loads.set(slot, 'closedUntilS', Math.floor(nowMs / 1000) + seconds);
}

/** It answers again: others may follow the probe before its answer is whole; one more failure, and it closes. */
export function recordAnswering({ slot }: Pick<Target, 'slot'>, loads: Loads): void {
  if (loads.get(slot, 'failures') < FAILURES_MAX) return;
  loads.set(slot, 'failures', FAILURES_MAX - 1);
  loads.set(slot, 'closedUntilS', 0);
}

/** Of an answer that is whole. */
export function recordSuccess({ slot }: Pick<Target, 'slot'>, loads: Loads, ttftMs: number | undefined): void {
  if (loads.get(slot, 'failures') !== 0) {
    loads.set(slot, 'failures', 0);
    loads.set(slot, 'closedUntilS', 0);
  }
  if (ttftMs !== undefined) smooth(slot, 'ttftMs', { loads, value: ttftMs });
}

/** Exponentially weighted, 1/8 new: follows a change within some ten answers, and is not thrown by one. */
function smooth(
  slot: number,
  gauge: 'ttftMs' | 'durationMs',
  { loads, value }: { readonly loads: Loads; readonly value: number },
): void {
  const seen = loads.get(slot, gauge);
  loads.set(slot, gauge, Math.max(1, Math.round(seen === 0 ? value : seen + (value - seen) / 8)));
}
