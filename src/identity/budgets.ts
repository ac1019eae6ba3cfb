import type { Nano } from '@millrace/contract';
import type { KeySlots } from '../std/index.ts';
import type { Store } from '../store/index.ts';
import { type Budget, periodOf, readSpend } from './key-spend.ts';

/** For so long after a period's end its late settlements are still given back to the new one. */
const LATE_MS = 60_000;

/** Keeps the budget cells of the keys: filled when a key starts, refilled when a period begins. */
export interface Budgets {
  /** Fills the cells of keys that start now, from what they have spent so far. */
  fill(keys: readonly { readonly keyId: string; readonly slot: number; readonly budget: Budget }[]): Promise<void>;
  drop(keyId: string): void;
  /** Refills the cells whose period has ended. */
  roll(): Promise<void>;
}

interface Entry {
  readonly keyId: string;
  readonly slot: number;
  readonly budget: Budget;
  period: string;
  /** The period before, and how much of its spending was given back so far. */
  last?: { readonly period: string; readonly untilMs: number; returnedNano: Nano };
}

/**
 * A cell holds `amount − spent − holds of running requests`. At the turn of a period the spending of the old one is added
 * back, not the cell set anew: what running requests hold stays held. Settlements of the old period that reach the store
 * later are added back as they come.
 */
export function createBudgets({
  store,
  slots,
  nowMs,
}: {
  readonly store: Store;
  readonly slots: KeySlots;
  readonly nowMs: () => number;
}): Budgets {
  const entries = new Map<string, Entry>();
  return {
    async fill(keys) {
      const now = nowMs();
      const fresh = keys.map((key): Entry => ({ ...key, period: periodOf(key.budget.period, now) }));
      const spent = await readSpend(
        store,
        fresh.map(({ keyId, period, budget }) => ({ keyId, period, currency: budget.currency })),
      );
      for (const entry of fresh) {
        slots.setBudgetLeft(entry.slot, entry.budget.amountNano - (spent.get(entry.keyId) ?? 0n));
        if (entry.budget.period !== 'total') entries.set(entry.keyId, entry);
      }
    },
    drop: keyId => void entries.delete(keyId),
    async roll() {
      const now = nowMs();
      // The names of days and months, once for all keys.
      const current = { day: periodOf('day', now), month: periodOf('month', now), total: 'total' };
      const open: { readonly entry: Entry; readonly last: NonNullable<Entry['last']> }[] = [];
      for (const entry of entries.values()) {
        const period = current[entry.budget.period];
        // Later, not merely other: a clock that steps back must not hand out a period twice.
        if (period > entry.period) {
          entry.last = { period: entry.period, untilMs: now + LATE_MS, returnedNano: 0n };
          entry.period = period;
        }
        if (entry.last === undefined) continue;
        open.push({ entry, last: entry.last });
        if (entry.last.untilMs <= now) delete entry.last;
      }
      if (open.length === 0) return;
      const spent = await readSpend(
        store,
        open.map(({ entry, last }) => ({ keyId: entry.keyId, period: last.period, currency: entry.budget.currency })),
      );
      for (const { entry, last } of open) {
        const due = (spent.get(entry.keyId) ?? 0n) - last.returnedNano;
        last.returnedNano += due;
        if (due !== 0n) slots.addBudget(entry.slot, due);
      }
    },
  };
}
