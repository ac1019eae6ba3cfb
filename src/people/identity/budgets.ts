import type { Nano } from '@millrace/contract';
import type { KeySlots } from '../../ground/std/index.ts';
import type { Store } from '../../ground/store/index.ts';
import { type Budget, periodAfter, periodOf, periodsBefore, readSpend } from './key-spend.ts';

/** For so long after a period's end its late settlements are looked for at every look, then once in so long: a store may be away for hours. */
const LATE_MS = 60_000;
const LATE_EVERY_MS = 60_000;
const LATE_PERIODS_MAX = 7;

/** Keeps the budget cells of the keys: filled when a key starts, refilled when a period begins. */
export interface Budgets {
  /** Fills the cells of keys that start now, from what they have spent so far. */
  fill(keys: readonly { readonly keyId: string; readonly slot: number; readonly budget: Budget }[]): Promise<void>;
  drop(keyId: string): void;
  /** Another amount of the same currency and period: what is spent and held of it stays so. */
  resize(keyId: string, budget: Budget): void;
  /** Refills the cells whose period has ended. */
  roll(): Promise<void>;
}

interface Entry {
  readonly keyId: string;
  readonly slot: number;
  budget: Budget;
  period: string;
  /** What was spent of the next period when the cell was filled: before a clock stepped back. */
  ahead: { readonly period: string; readonly nano: Nano } | undefined;
  /** Of the periods that are over, since when, and how much of their spending was given back so far. */
  last?: { readonly periods: readonly string[]; readonly sinceMs: number; lookAtMs: number; returnedNano: Nano };
}

/**
 * A cell holds `amount − spent − holds of running requests`. At the turn of a period the spending of the old one is added
 * back, not the cell set anew: what running requests hold stays held. Settlements of the old period that reach the store
 * later are added back as they come. While a clock stands before the turn that it has passed once, nothing is given back: what is
 * spent meanwhile is filed under the old period, and would be free in both.
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
      const fresh = keys.map(key => ({ ...key, period: periodOf(key.budget.period, now), ahead: undefined }));
      const ask = (periodFor: (entry: Entry) => string) =>
        readSpend(
          store,
          fresh.map(entry => ({ keyId: entry.keyId, period: periodFor(entry), currency: entry.budget.currency })),
        );
      const spent = await ask(({ period }) => period);
      const ahead = await ask(({ budget }) => periodAfter(budget.period, now));
      for (const entry of fresh) {
        slots.setBudgetLeft(entry.slot, entry.budget.amountNano - (spent.get(entry.keyId) ?? 0n));
        const nano = ahead.get(entry.keyId);
        entries.set(entry.keyId, {
          ...entry,
          ahead: nano === undefined ? undefined : { period: periodAfter(entry.budget.period, now), nano },
        });
      }
    },
    drop: keyId => void entries.delete(keyId),
    resize(keyId, budget) {
      const entry = entries.get(keyId);
      if (!entry) return;
      slots.addBudget(entry.slot, budget.amountNano - entry.budget.amountNano);
      entry.budget = budget;
    },
    async roll() {
      const now = nowMs();
      // The names of days and months, once for all keys.
      const current = { day: periodOf('day', now), month: periodOf('month', now), total: 'total' };
      const open: { readonly entry: Entry; readonly last: NonNullable<Entry['last']> }[] = [];
      for (const entry of entries.values()) {
        const period = current[entry.budget.period];
        // Later, not merely other: a clock that steps back must not hand out a period twice.
        if (period > entry.period) slots.addBudget(entry.slot, -turn(entry, period, now));
        else if (period < entry.period) delete entry.last;
        if (entry.last === undefined || now < entry.last.lookAtMs) continue;
        open.push({ entry, last: entry.last });
        if (now - entry.last.sinceMs >= LATE_MS) entry.last.lookAtMs = now + LATE_EVERY_MS;
      }
      if (open.length === 0) return;
      const spent = await readSpend(
        store,
        open.flatMap(({ entry, last }) =>
          last.periods.map(period => ({ keyId: entry.keyId, period, currency: entry.budget.currency })),
        ),
      );
      for (const { entry, last } of open) {
        const due = (spent.get(entry.keyId) ?? 0n) - last.returnedNano;
        last.returnedNano += due;
        if (due !== 0n) slots.addBudget(entry.slot, due);
      }
    },
  };
}

/** Begins a period. Returns what was spent of it when the cell was filled, which is not in the cell. */
function turn(entry: Entry, period: string, now: number): Nano {
  const over = periodsBefore(entry.budget.period, entry.period, now);
  // What is late may be later than a period is long.
  const { periods, returnedNano } = entry.last ?? { periods: [], returnedNano: 0n };
  const goOn = periods.length + over.length <= LATE_PERIODS_MAX;
  entry.last = {
    periods: goOn ? [...periods, ...over] : over,
    returnedNano: goOn ? returnedNano : 0n,
    sinceMs: now,
    lookAtMs: now,
  };
  const { ahead } = entry;
  entry.period = period;
  entry.ahead = undefined;
  return ahead?.period === period ? ahead.nano : 0n;
}
