import type { Nano } from '@millrace/contract/words';
import type { Slots } from '../../ground/std/index.ts';
import type { CallerRecord } from '../../people/callers/index.ts';
import type { Payer } from './plan.ts';

/** Budget, then wallet; both or none. */
export function takeMoney(caller: CallerRecord, payer: Payer, { slots, nano }: { slots: Slots; nano: Nano }): boolean {
  const budget = budgetApplies(caller, payer);
  // A budget in a currency that this model is not paid in cannot be measured here, so it does not pass.
  if (caller.scopes.budget !== undefined && !budget) return false;
  if (budget && !slots.keys.tryBudget(caller.slot, nano)) return false;
  if (slots.wallets.tryHold(payer.wallet.slot, nano)) return true;
  if (budget) slots.keys.addBudget(caller.slot, nano);
  return false;
}

/** Whether the key has a budget that this wallet's currency counts against. */
export function budgetApplies({ scopes }: CallerRecord, { wallet }: Payer): boolean {
  return scopes.budget !== undefined && scopes.budget.currency === wallet.currency;
}

/** What an admitted request has taken. Given back exactly once, by {@link settle} or {@link cancel}. */
export class Hold {
  private heldNano: Nano;
  private open = true;
  private readonly caller: CallerRecord;
  private readonly payer: Payer;
  private readonly slots: Slots;
  private readonly tokensTaken: number;

  /** `nano` was taken by {@link takeMoney}, and `tokensTaken` from the token rate. */
  constructor(
    caller: CallerRecord,
    payer: Payer,
    { slots, nano, tokensTaken }: { slots: Slots; nano: Nano; tokensTaken: number },
  ) {
    this.caller = caller;
    this.payer = payer;
    this.slots = slots;
    this.heldNano = nano;
    this.tokensTaken = tokensTaken;
  }

  nano(): Nano {
    return this.heldNano;
  }

  /** Holds `more` on top; false, and nothing held, when wallet or budget does not cover it. */
  extend(more: Nano): boolean {
    if (!this.open || !takeMoney(this.caller, this.payer, { slots: this.slots, nano: more })) return false;
    this.heldNano += more;
    return true;
  }

  /** Holds what is missing to `amountNano`, where wallet and budget cover it: at the end more may be reported than was shown. */
  cover(amountNano: Nano): void {
    if (amountNano > this.heldNano) this.extend(amountNano - this.heldNano);
  }

  /** Books what it cost and returns the rest. `tokens` is what counts against the token rate. */
  settle(amountNano: Nano, tokens: number): void {
    if (!this.open) return;
    this.open = false;
    const { caller, payer, slots } = this;
    const restNano = this.heldNano - amountNano;
    slots.wallets.add(payer.wallet.slot, restNano);
    if (budgetApplies(caller, payer)) slots.keys.addBudget(caller.slot, restNano);
    const { concurrency, tokensPerMinute } = caller.scopes;
    if (concurrency !== undefined) slots.keys.leave(caller.slot);
    if (tokensPerMinute !== undefined)
      slots.keys.returnRate(caller.slot, 'tokens', { count: this.tokensTaken - tokens, perMinute: tokensPerMinute });
  }

  /** Nothing was sent upstream: everything goes back. */
  cancel(): void {
    this.settle(0n, 0);
  }
}
