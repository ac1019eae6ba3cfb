import { Fault, type RateVerdict, type Slots } from '../../ground/std/index.ts';
import type { Call } from '../../models/dialects/index.ts';
import { holdNano } from '../../money/pricing/index.ts';
import type { CallerRecord } from '../../people/identity/index.ts';
import { Hold, takeMoney } from './hold.ts';
import type { AnswerBounds } from './meter.ts';
import type { Plan } from './plan.ts';
import { shortOfMoney } from './short-of-money.ts';
import { type Need, Shortfall } from './shortfall.ts';

/** Admitted: the limits taken and the money held. */
export interface Ticket {
  readonly caller: CallerRecord;
  readonly call: Call;
  /** With the payer that covers it. */
  readonly plan: Plan;
  readonly hold: Hold;
  /** What may be charged at most; no more input than the context takes: an attachment's bound is far above it. */
  readonly bounds: AnswerBounds;
  /** How many output tokens the hold covers from the start, over all choices. */
  readonly heldOutputTokens: number;
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
  const bounds = boundsOf(call, plan);
  const tokens =
    call.inputTokensGuess +
    (call.maxOutputTokens === undefined ? Math.min(plan.outputTokensHeld, OUTPUT_GUESS_MAX) : plan.outputTokensHeld);
  const limitHeaders = takeLimits(caller, slots, { tokens, nowMs });
  for (const payer of plan.payers) {
    const outputTokensMax = plan.outputTokensHeld;
    const nano = holdNano({ inputTokensMax: bounds.inputTokensMax, outputTokensMax, price: payer.price });
    if (!takeMoney(caller, payer, { slots, nano })) continue;
    const hold = new Hold(caller, payer, { slots, nano, tokensTaken: tokens });
    const paid = payer === plan.payers[0] ? plan : { ...plan, ...payer };
    return { caller, call, plan: paid, hold, bounds, heldOutputTokens: outputTokensMax, limitHeaders };
  }
  returnLimits(caller, slots, { requests: 1, tokens });
  throw shortOfMoney(caller, plan, { slots, inputTokensMax: bounds.inputTokensMax, nowMs });
}

function boundsOf({ inputTokensGuess, inputTokensMax }: Call, { model, outputTokensMax }: Plan): AnswerBounds {
  const most = Math.min(inputTokensMax, model.contextTokens ?? inputTokensMax);
  return { inputTokensGuess: Math.min(inputTokensGuess, most), inputTokensMax: most, outputTokensMax };
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
