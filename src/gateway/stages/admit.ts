import { formatAmount, type Nano } from '@millrace/contract/words';
import type { Fault, Slots } from '../../ground/std/index.ts';
import type { Call } from '../../models/dialects/index.ts';
import { holdNano } from '../../money/pricing/index.ts';
import type { CallerRecord } from '../../people/callers/index.ts';
import { type Entry, limited, rateHeaders } from './enter.ts';
import { Hold, takeMoney } from './hold.ts';
import type { Plan } from './plan.ts';
import { Shortfall } from './shortfall.ts';

/** Admitted: the limits taken and the money held. */
export interface Ticket {
  readonly caller: CallerRecord;
  readonly call: Call;
  readonly plan: Plan;
  readonly hold: Hold;
  /** `x-ratelimit-*` for the answer; empty where the key has no limits. */
  readonly limitHeaders: readonly string[];
}

/** Tokens reserved for the answer against a token rate when the client set no bound: most answers are far below the cap. */
const OUTPUT_GUESS_MAX = 1_024;

/**
 * Takes, of one that was let in, what is cheapest to give back first: token rate, budget, wallet. A refusal returns what was taken
 * before it here. Throws `rate_limited` or `insufficient_funds`.
 */
export function admit(
  entry: Entry,
  call: Call,
  from: { readonly plan: Plan; readonly slots: Slots; readonly nowMs: number },
): Ticket {
  const { plan, slots, nowMs } = from;
  const { caller } = entry;
  // No more input than the context takes can be charged: an attachment's bound is far above it.
  const inputTokensMax = Math.min(call.inputTokensMax, plan.model.contextTokens ?? call.inputTokensMax);
  const nano = holdNano({ inputTokensMax, outputTokensMax: plan.outputTokensMax, price: plan.price });
  const tokens =
    call.inputTokensGuess +
    (call.maxOutputTokens === undefined ? Math.min(plan.outputTokensMax, OUTPUT_GUESS_MAX) : plan.outputTokensMax);
  const limitHeaders = takeTokens(entry, slots, { tokens, nowMs });
  if (!takeMoney(caller, plan, { slots, nano })) {
    returnTokens(caller, slots, tokens);
    throw uncovered(nano, plan);
  }
  entry.passOn();
  return { caller, call, plan, hold: new Hold(caller, plan, { slots, nano, tokensTaken: tokens }), limitHeaders };
}

/** From the key's rate of tokens; the headers that say what is left of it. Throws `rate_limited`. */
function takeTokens(
  { caller, limitHeaders }: Entry,
  slots: Slots,
  { tokens, nowMs }: { readonly tokens: number; readonly nowMs: number },
): readonly string[] {
  const { tokensPerMinute } = caller.scopes;
  if (tokensPerMinute === undefined) return limitHeaders;
  const verdict = slots.keys.takeRate(caller.slot, 'tokens', { count: tokens, perMinute: tokensPerMinute, nowMs });
  const headers = [...limitHeaders, ...rateHeaders('tokens', tokensPerMinute, verdict)];
  if (verdict.ok) return headers;
  throw limited(`${tokensPerMinute} tokens per minute`, `每分钟 ${tokensPerMinute} 个令牌`, {
    retryAfterMs: verdict.retryAfterMs,
    headers,
    need: { what: 'tokens', count: tokens },
  });
}

function returnTokens({ scopes, slot }: CallerRecord, slots: Slots, tokens: number): void {
  const { tokensPerMinute } = scopes;
  if (tokensPerMinute !== undefined && tokens > 0)
    slots.keys.returnRate(slot, 'tokens', { count: tokens, perMinute: tokensPerMinute });
}

function uncovered(nano: Nano, plan: Plan): Fault {
  const amount = `${formatAmount(nano)} ${plan.wallet.currency}`;
  const details = {
    message: `The wallet or the budget does not cover this request: it may cost up to ${amount}. A smaller max_tokens needs less`,
    messageZh: `钱包余额或预算不足：此请求最多可能花费 ${amount}。减小 max_tokens 可降低所需金额`,
  };
  return new Shortfall('insufficient_funds', details, { what: 'money', nano });
}
