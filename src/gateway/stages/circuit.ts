import type { DeploymentSlots, Fault } from '../../ground/std/index.ts';

/** Failures in a row after which a deployment is left alone for a while. */
const FAILURES_MAX = 5;
const CLOSED_S_MAX = 30;

/** Counts a failure of the target's own; after {@link FAILURES_MAX} in a row it closes for 1, 2, 4 … s, at most 30. */
export function recordFailure(
  slots: DeploymentSlots,
  slot: number,
  { fault, nowMs }: { readonly fault: Fault; readonly nowMs: number },
): void {
  // "Busy" and the caller's own mistakes say nothing about the target's health.
  if (fault.status < 500 || fault.code === 'capacity') return;
  const failures = slots.add(slot, 'failures', 1);
  if (failures < FAILURES_MAX) return;
  const seconds = Math.min(CLOSED_S_MAX, 2 ** Math.min(failures - FAILURES_MAX, 10));
  slots.set(slot, 'closedUntilS', Math.floor(nowMs / 1000) + seconds);
}

export function recordSuccess(slots: DeploymentSlots, slot: number, ttftMs: number | undefined): void {
  if (slots.get(slot, 'failures') !== 0) {
    slots.set(slot, 'failures', 0);
    slots.set(slot, 'closedUntilS', 0);
  }
  if (ttftMs === undefined) return;
  const seen = slots.get(slot, 'ttftMs');
  slots.set(slot, 'ttftMs', Math.max(1, Math.round(seen === 0 ? ttftMs : seen + (ttftMs - seen) / 8)));
}
