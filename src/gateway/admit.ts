import { formatAmount, type Nano } from '@millrace/contract';
import type { Call } from '../dialects/index.ts';
import type { CallerRecord } from '../identity/index.ts';
import { holdNano } from '../metering/index.ts';
import { Fault, type RateVerdict, type Slots } from '../std/index.ts';
import type { Plan } from './plan.ts';

/** Admitted: the limits taken and the money held. Given back exactly once, by {@link Hold.settle} or {@link Hold.cancel}. */
export interface Ticket {
  readonly caller: CallerRecord;
  readonly call: Call;
  readonly plan: Plan;
  readonly hold: Hold;
  /** `x-ratelimit-*` for the answer; empty where the key has no limits. */
  readonly limitHeaders: readonly string[];
}

export interface Hold {
  nano(): Nano;
  /** Holds `more` on top; false, and nothing held, when wallet or budget does not cover it. */
  extend(more: Nano): boolean;
  /** Books what it cost and returns the rest. `tokens` is what counts against the token rate. */
  settle(amountNano: Nano, tokens: number): void;
  /** Nothing was sent upstream: everything goes back. */
  cancel(): void;
}

/** Tokens reserved for the answer against a token rate when the client set no bound: most answers are far below the cap. */
const OUTPUT_GUESS_MAX = 1_024;

/**
 * Takes, in this order, what is cheapest to give back: concurrency, request rate, token rate, budget, wallet. A refusal returns
 * what was taken before it. Throws `rate_limited`, `insufficient_funds`, `storage_full` or `unavailable`.
 */
export function admit(
  caller: CallerRecord,
  call: Call,
  from: { readonly plan: Plan; readonly slots: Slots; readonly nowMs: number },
): Ticket {
  const { plan, slots, nowMs } = from;
  refuseWhenClosed(slots);
  const { scopes, slot } = caller;
  const undo: (() => void)[] = [];
  const headers: string[] = [];
  const fail = (fault: Fault): never => {
    for (const back of undo.reverse()) back();
    throw fault;
  };
  if (scopes.concurrency !== undefined) {
    if (!slots.keys.tryEnter(slot, scopes.concurrency))
      fail(limited(`${scopes.concurrency} requests at once`, `同时 ${scopes.concurrency} 个请求`, 1_000, []));
    undo.push(() => slots.keys.leave(slot));
  }
  if (scopes.requestsPerMinute !== undefined) {
    const take = { count: 1, perMinute: scopes.requestsPerMinute, nowMs };
    const verdict = slots.keys.takeRate(slot, 'requests', take);
    headers.push(...rateHeaders('requests', take.perMinute, verdict));
    if (!verdict.ok)
      fail(
        limited(
          `${take.perMinute} requests per minute`,
          `每分钟 ${take.perMinute} 个请求`,
          verdict.retryAfterMs,
          headers,
        ),
      );
    undo.push(() => slots.keys.returnRate(slot, 'requests', take));
  }
  const guess =
    call.inputTokensGuess +
    (call.maxOutputTokens === undefined ? Math.min(plan.outputTokensMax, OUTPUT_GUESS_MAX) : plan.outputTokensMax);
  if (scopes.tokensPerMinute !== undefined) {
    const take = { count: guess, perMinute: scopes.tokensPerMinute, nowMs };
    const verdict = slots.keys.takeRate(slot, 'tokens', take);
    headers.push(...rateHeaders('tokens', take.perMinute, verdict));
    if (!verdict.ok)
      fail(
        limited(
          `${take.perMinute} tokens per minute`,
          `每分钟 ${take.perMinute} 个令牌`,
          verdict.retryAfterMs,
          headers,
        ),
      );
    undo.push(() => slots.keys.returnRate(slot, 'tokens', take));
  }
  // No more input than the context takes can be charged: an attachment's bound is far above it.
  const inputTokensMax = Math.min(call.inputTokensMax, plan.model.contextTokens ?? call.inputTokensMax);
  const nano = holdNano({
    inputTokensMax,
    outputTokensMax: plan.outputTokensMax,
    price: plan.price,
  });
  if (!takeMoney(caller, plan, { slots, nano })) fail(uncovered(nano, plan));
  return {
    caller,
    call,
    plan,
    hold: createHold(caller, plan, { slots, nano, tokensTaken: guess }),
    limitHeaders: headers,
  };
}

function refuseWhenClosed(slots: Slots): void {
  if (slots.node.get('storageFull') !== 0) throw new Fault('storage_full', { retryAfterMs: 5_000 });
  if (slots.node.get('draining') !== 0 || slots.node.get('journalBroken') !== 0) {
    throw new Fault('unavailable', {
      message: 'This node is shutting down',
      messageZh: '本节点正在关闭',
      retryAfterMs: 2_000,
    });
  }
}

function budgetApplies(caller: CallerRecord, plan: Plan): boolean {
  return caller.scopes.budget !== undefined && caller.scopes.budget.currency === plan.wallet.currency;
}

/** Budget, then wallet; both or none. */
function takeMoney(caller: CallerRecord, plan: Plan, { slots, nano }: { slots: Slots; nano: Nano }): boolean {
  const budget = budgetApplies(caller, plan);
  // A budget in a currency that this model is not paid in cannot be measured here, so it does not pass.
  if (caller.scopes.budget !== undefined && !budget) return false;
  if (budget && !slots.keys.tryBudget(caller.slot, nano)) return false;
  if (slots.wallets.tryHold(plan.wallet.slot, nano)) return true;
  if (budget) slots.keys.addBudget(caller.slot, nano);
  return false;
}

function uncovered(nano: Nano, plan: Plan): Fault {
  const amount = `${formatAmount(nano)} ${plan.wallet.currency}`;
  return new Fault('insufficient_funds', {
    message: `The wallet or the budget does not cover this request: it may cost up to ${amount}. A smaller max_tokens needs less`,
    messageZh: `钱包余额或预算不足：此请求最多可能花费 ${amount}。减小 max_tokens 可降低所需金额`,
  });
}

function createHold(
  caller: CallerRecord,
  plan: Plan,
  { slots, nano, tokensTaken }: { slots: Slots; nano: Nano; tokensTaken: number },
): Hold {
  let held = nano;
  let open = true;
  const close = (amountNano: Nano, tokens: number) => {
    if (!open) return;
    open = false;
    slots.wallets.add(plan.wallet.slot, held - amountNano);
    if (budgetApplies(caller, plan)) slots.keys.addBudget(caller.slot, held - amountNano);
    const { concurrency, tokensPerMinute } = caller.scopes;
    if (concurrency !== undefined) slots.keys.leave(caller.slot);
    if (tokensPerMinute !== undefined)
      slots.keys.returnRate(caller.slot, 'tokens', { count: tokensTaken - tokens, perMinute: tokensPerMinute });
  };
  return {
    nano: () => held,
    extend(more) {
      if (!open || !takeMoney(caller, plan, { slots, nano: more })) return false;
      held += more;
      return true;
    },
    settle: close,
    cancel: () => close(0n, 0),
  };
}

function rateHeaders(what: 'requests' | 'tokens', limit: number, verdict: RateVerdict): string[] {
  const [remaining, resetMs] = verdict.ok ? [verdict.remaining, verdict.resetMs] : [0, verdict.retryAfterMs];
  return [
    `x-ratelimit-limit-${what}`,
    String(limit),
    `x-ratelimit-remaining-${what}`,
    String(remaining),
    `x-ratelimit-reset-${what}`,
    `${(resetMs / 1000).toFixed(3)}s`,
  ];
}

function limited(en: string, zh: string, retryAfterMs: number, pairs: readonly string[]): Fault {
  const headers: Record<string, string> = {};
  for (let index = 0; index + 1 < pairs.length; index += 2) headers[pairs[index] ?? ''] = pairs[index + 1] ?? '';
  return new Fault('rate_limited', {
    message: `This key is limited to ${en}`,
    messageZh: `此密钥限制为${zh}`,
    retryAfterMs,
    headers,
  });
}
