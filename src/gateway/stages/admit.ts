import { formatAmount, type Nano } from '@millrace/contract/words';
import { Fault, type RateVerdict, type Slots } from '../../ground/std/index.ts';
import type { Call } from '../../models/dialects/index.ts';
import { holdNano } from '../../money/pricing/index.ts';
import type { CallerRecord } from '../../people/callers/index.ts';
import { Hold, takeMoney } from './hold.ts';
import type { Plan } from './plan.ts';
import { type Need, Shortfall } from './shortfall.ts';

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
  // No more input than the context takes can be charged: an attachment's bound is far above it.
  const inputTokensMax = Math.min(call.inputTokensMax, plan.model.contextTokens ?? call.inputTokensMax);
  const nano = holdNano({ inputTokensMax, outputTokensMax: plan.outputTokensMax, price: plan.price });
  const tokens =
    call.inputTokensGuess +
    (call.maxOutputTokens === undefined ? Math.min(plan.outputTokensMax, OUTPUT_GUESS_MAX) : plan.outputTokensMax);
  const limitHeaders = takeLimits(caller, slots, { tokens, nowMs });
  if (!takeMoney(caller, plan, { slots, nano })) {
    returnLimits(caller, slots, { requests: 1, tokens });
    throw uncovered(nano, plan);
  }
  return { caller, call, plan, hold: new Hold(caller, plan, { slots, nano, tokensTaken: tokens }), limitHeaders };
}

/** All of the key's limits or none; the headers that say what is left of them. Throws `rate_limited`. */
function takeLimits(
  { scopes, slot }: CallerRecord,
  slots: Slots,
  { tokens, nowMs }: { readonly tokens: number; readonly nowMs: number },
): readonly string[] {
  const { concurrency, requestsPerMinute, tokensPerMinute } = scopes;
  const headers: string[] = [];
  if (concurrency !== undefined && !slots.keys.tryEnter(slot, concurrency))
    throw limited(`${concurrency} requests at once`, `同时 ${concurrency} 个请求`, {
      retryAfterMs: 1_000,
      headers,
      need: { what: 'places' },
    });
  if (requestsPerMinute !== undefined) {
    const verdict = slots.keys.takeRate(slot, 'requests', { count: 1, perMinute: requestsPerMinute, nowMs });
    headers.push(...rateHeaders('requests', requestsPerMinute, verdict));
    if (!verdict.ok) {
      returnLimits({ scopes, slot }, slots, { requests: 0, tokens: 0 });
      throw limited(`${requestsPerMinute} requests per minute`, `每分钟 ${requestsPerMinute} 个请求`, {
        retryAfterMs: verdict.retryAfterMs,
        headers,
        need: { what: 'requests', count: 1 },
      });
    }
  }
  if (tokensPerMinute !== undefined) {
    const verdict = slots.keys.takeRate(slot, 'tokens', { count: tokens, perMinute: tokensPerMinute, nowMs });
    headers.push(...rateHeaders('tokens', tokensPerMinute, verdict));
    if (!verdict.ok) {
      returnLimits({ scopes, slot }, slots, { requests: 1, tokens: 0 });
      throw limited(`${tokensPerMinute} tokens per minute`, `每分钟 ${tokensPerMinute} 个词元`, {
        retryAfterMs: verdict.retryAfterMs,
        headers,
        need: { what: 'tokens', count: tokens },
      });
    }
  }
  return headers;
}

/** After a refusal: as though it had never asked. */
function returnLimits(
  { scopes, slot }: Pick<CallerRecord, 'scopes' | 'slot'>,
  slots: Slots,
  { requests, tokens }: { readonly requests: number; readonly tokens: number },
): void {
  const { concurrency, requestsPerMinute, tokensPerMinute } = scopes;
  if (tokensPerMinute !== undefined && tokens > 0)
    slots.keys.returnRate(slot, 'tokens', { count: tokens, perMinute: tokensPerMinute });
  if (requestsPerMinute !== undefined && requests > 0)
    slots.keys.returnRate(slot, 'requests', { count: requests, perMinute: requestsPerMinute });
  if (concurrency !== undefined) slots.keys.leave(slot);
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

function uncovered(nano: Nano, plan: Plan): Fault {
  const amount = `${formatAmount(nano)} ${plan.wallet.currency}`;
  const details = {
    message: `The wallet or the budget does not cover this request: it may cost up to ${amount}. A smaller max_tokens needs less`,
    messageZh: `钱包余额或预算不足：此请求最多可能花费 ${amount}。减小 max_tokens 可降低所需金额`,
  };
  return new Shortfall('insufficient_funds', details, { what: 'money', nano });
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

function limited(
  en: string,
  zh: string,
  {
    retryAfterMs,
    headers: pairs,
    need,
  }: { readonly retryAfterMs: number; readonly headers: readonly string[]; readonly need: Need },
): Fault {
  const headers: Record<string, string> = {};
  for (let index = 0; index + 1 < pairs.length; index += 2) headers[pairs[index] ?? ''] = pairs[index + 1] ?? '';
  const details = { message: `This key is limited to ${en}`, messageZh: `此密钥限制为${zh}`, retryAfterMs, headers };
  return new Shortfall('rate_limited', details, need);
}
