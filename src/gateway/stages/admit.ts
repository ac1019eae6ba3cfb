import type { Slots } from '../../ground/std/index.ts';
import type { Call } from '../../models/dialects/index.ts';
import type { CallerRecord } from '../../people/callers/index.ts';
import { type Entry, limited, rateHeaders } from './enter.ts';
import { Hold, takeMoney } from './hold.ts';
import type { AnswerBounds } from './meter.ts';
import type { Payer, Plan } from './plan.ts';
import { shortOfMoney } from './short-of-money.ts';
import { type Stretch, stretchOf, worstNano } from './worst-case.ts';

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
  /** The time that the hold is good for. */
  readonly stretch: Stretch;
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
  from: { readonly plan: Plan; readonly slots: Slots; readonly nowMs: number; readonly onlyWhole?: boolean },
): Ticket {
  const { plan, slots, nowMs, onlyWhole = false } = from;
  const { caller } = entry;
  const bounds = boundsOf(call, plan);
  const tokens =
    call.inputTokensGuess +
    (call.maxOutputTokens === undefined ? Math.min(plan.outputTokensHeld, OUTPUT_GUESS_MAX) : plan.outputTokensHeld);
  const limitHeaders = takeTokens(entry, slots, { tokens, nowMs });
  const stretch = stretchOf(plan, nowMs);
  const admitted = (outputTokens: number): Ticket | undefined => {
    for (const payer of plan.payers) {
      const nano = worstNano(payer.price, { ...bounds, outputTokensMax: outputTokens }, stretch);
      if (!takeMoney(caller, payer, { slots, nano })) continue;
      const hold = new Hold(caller, payer, { slots, nano, tokensTaken: tokens });
      entry.passOn();
      return { caller, call, hold, ...termsOf(call, { plan, payer, bounds, outputTokens }), stretch, limitHeaders };
    }
    return undefined;
  };
  // A wallet that covers all of it is preferred to an earlier one that covers less.
  let ticket = admitted(plan.outputTokensHeld);
  if (!onlyWhole)
    for (let at = 0; !ticket && at < plan.smallerHolds.length; at++) ticket = admitted(plan.smallerHolds[at] ?? 0);
  if (ticket) return ticket;
  returnTokens(caller, slots, tokens);
  throw shortOfMoney(caller, plan, { slots, inputTokensMax: bounds.inputTokensMax, nowMs });
}

/** An answer that comes whole cannot be cut as it flows: where less is held than it might come to, its upstream is told so. */
function termsOf(
  call: Call,
  from: { readonly plan: Plan; readonly payer: Payer; readonly bounds: AnswerBounds; readonly outputTokens: number },
): Pick<Ticket, 'plan' | 'bounds' | 'heldOutputTokens'> {
  const { plan, payer, bounds, outputTokens } = from;
  const paid = payer === plan.payers[0] ? plan : { ...plan, ...payer };
  if (call.stream || outputTokens >= plan.outputTokensHeld)
    return { plan: paid, bounds, heldOutputTokens: outputTokens };
  return {
    plan: { ...paid, maxOutputTokens: Math.floor(outputTokens / call.choices) },
    bounds: { ...bounds, outputTokensMax: outputTokens },
    heldOutputTokens: outputTokens,
  };
}

function boundsOf({ inputTokensGuess, inputTokensMax }: Call, { model, outputTokensMax }: Plan): AnswerBounds {
  const most = Math.min(inputTokensMax, model.contextTokens ?? inputTokensMax);
  return { inputTokensGuess: Math.min(inputTokensGuess, most), inputTokensMax: most, outputTokensMax };
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
  throw limited(`${tokensPerMinute} tokens per minute`, `每分钟 ${tokensPerMinute} 个词元`, {
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
