import { type Clock, createSlotPool, type DeploymentSlots } from '../../ground/std/index.ts';
import type { DeploymentTable } from '../../ground/store/index.ts';

/** Rest of a slot: twice the longest a request may run. */
const SLOT_REST_MS = 3_600_000;

export interface SlotBook {
  slotOf(row: DeploymentTable): number | undefined;
  /** Lets go of the slots that were not asked for since the last time. */
  sweep(): void;
}

/** What a deployment calls: with another provider or file it starts with a clean record, in another slot. */
function targetOf({ id, provider_id, engine }: DeploymentTable): string {
  return JSON.stringify([id, provider_id, engine]);
}

/**
 * Gives each deployment a row of the shared counters for as long as it calls the same target. A provider is ready from the
 * start; an engine is not, until it says so.
 */
export function createSlotBook(slots: DeploymentSlots, clock: Clock): SlotBook {
  const isIdle = (slot: number) => slots.get(slot, 'inFlight') === 0 && slots.get(slot, 'waiting') === 0;
  const pool = createSlotPool({ rows: slots.rows, restMs: SLOT_REST_MS, clock, isIdle });
  const taken = new Map<string, number>();
  let asked = new Set<string>();
  return {
    slotOf(row) {
      const target = targetOf(row);
      asked.add(target);
      const known = taken.get(target);
      if (known !== undefined) return known;
      const slot = pool.take();
      if (slot === undefined) return undefined;
      slots.clear(slot);
      slots.set(slot, 'ready', row.engine === null ? 1 : -1);
      taken.set(target, slot);
      return slot;
    },
    sweep() {
      for (const [target, slot] of taken) {
        if (asked.has(target)) continue;
        taken.delete(target);
        pool.release(slot);
      }
      asked = new Set();
    },
  };
}
