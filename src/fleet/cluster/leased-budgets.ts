import type { Currency, Nano } from '@millrace/contract';
import type { KeySlots } from '../../ground/std/index.ts';
import { budgetLease } from '../../money/ledger/index.ts';
import type { CallerRecord } from '../../people/callers/index.ts';
import { type Budget, type Budgets, periodOf } from '../../people/identity/index.ts';
import type { Cell, LeaseKeeper, Supplied } from './lease-keeper.ts';

/** Budgets of keys that several nodes spend from: their cells hold what this node leased of them, at first nothing. */
export interface LeasedBudgets extends Budgets {
  supply(caller: CallerRecord, currency: Currency, nano: Nano): Promise<Supplied>;
}

interface Entry {
  readonly slot: number;
  budget: Budget;
  period: string;
}

export function createLeasedBudgets({
  keys,
  keeper,
  nowMs,
}: {
  readonly keys: KeySlots;
  readonly keeper: LeaseKeeper;
  readonly nowMs: () => number;
}): LeasedBudgets {
  const entries = new Map<string, Entry>();
  const account = (keyId: string, { budget, period }: Entry) =>
    budgetLease({ keyId, period, currency: budget.currency, amountNano: budget.amountNano });
  return {
    async fill(fresh) {
      for (const { keyId, slot, budget } of fresh) {
        keys.setBudgetLeft(slot, 0n);
        entries.set(keyId, { slot, budget, period: periodOf(budget.period, nowMs()) });
      }
    },
    drop(keyId) {
      const entry = entries.get(keyId);
      entries.delete(keyId);
      if (entry) keeper.drop(account(keyId, entry).id);
    },
    resize(keyId, budget) {
      // What other nodes hold of it, and this one, is measured against the new amount when more is asked for.
      const entry = entries.get(keyId);
      if (entry) entry.budget = budget;
    },
    async roll() {
      const now = nowMs();
      const current = { day: periodOf('day', now), month: periodOf('month', now), total: 'total' };
      for (const [keyId, entry] of entries) {
        const period = current[entry.budget.period];
        // Later, not merely other: a clock that steps back must not hand out a period twice.
        if (period <= entry.period) continue;
        keeper.retire(account(keyId, entry).id);
        entry.period = period;
      }
    },
    async supply({ keyId, scopes }, currency, nano) {
      const entry = entries.get(keyId);
      if (!scopes.budget) return 'supplied';
      // A budget in a currency that this model is not paid in cannot be measured here, so it does not pass.
      if (!entry || entry.budget.currency !== currency) return 'short';
      return keeper.supply(account(keyId, entry), cellOf(keys, entry.slot), nano);
    },
  };
}

function cellOf(keys: KeySlots, slot: number): Cell {
  return {
    left: () => keys.budgetLeft(slot),
    add: nano => keys.addBudget(slot, nano),
    tryTake: nano => keys.tryBudget(slot, nano),
  };
}
