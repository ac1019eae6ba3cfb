import type { Nano, RequestId } from '@millrace/contract/words';
import {
  type Attempt,
  type Disputed,
  ENTRY_KIND,
  type Intent,
  type JournalRecord,
  type Settlement,
  type Usage,
} from '../../ground/journal/index.ts';
import type { Fault } from '../../ground/std/index.ts';
import type { Deployment } from '../../models/catalog/index.ts';
import { type PriceVersion, priceInForce, rate } from '../../money/pricing/index.ts';
import type { Ticket } from './admit.ts';
import { type Meter, NOTHING_METERED } from './meter.ts';

/** A hold that no settlement ended is given back this long after the request must have ended. */
const HOLD_MARGIN_MS = 60_000;

export interface Timing {
  readonly startedAtMs: number;
  readonly ttftMs: number | undefined;
  readonly durationMs: number;
}

/** The promise that money may be spent from here on; durable before the upstream is called. */
export function intentOf(
  id: RequestId,
  ticket: Ticket,
  at: { readonly nowMs: number; readonly deployment: Deployment },
): JournalRecord {
  const { caller, call, plan, hold, bounds } = ticket;
  const { nowMs, deployment } = at;
  const cost = costPrice(deployment, plan.wallet.currency, nowMs);
  const value: Intent = {
    id,
    atMs: nowMs,
    organizationId: caller.organizationId,
    projectId: caller.projectId,
    keyId: caller.keyId,
    operation: call.operation,
    model: plan.model.id,
    stream: call.stream,
    currency: plan.wallet.currency,
    holdNano: hold.nano(),
    inputTokensMax: bounds.inputTokensMax,
    outputTokensMax: bounds.outputTokensMax,
    priceVersion: plan.price.version,
    deploymentId: deployment.id,
    providerId: deployment.upstream.providerId,
    ...(cost ? { costVersion: cost.version } : {}),
    // Whoever answers in the end: an attempt has what is left of its deployment's total since now.
    expiresAtMs: nowMs + Math.max(...plan.targets.map(target => target.timeoutMs.total)) + HOLD_MARGIN_MS,
  };
  return { kind: ENTRY_KIND.intent, value };
}

/** A deployment's cost in the wallet's currency where there is one, else in the first it is given in. */
function costPrice(deployment: Deployment, currency: string, nowMs: number) {
  return (
    priceInForce(deployment.costs, currency, nowMs) ??
    priceInForce(deployment.costs, deployment.costs[0]?.currency ?? currency, nowMs)
  );
}

export interface AttemptResult {
  readonly deployment: Deployment;
  readonly status: number;
  readonly outcome: Attempt['outcome'];
  readonly usage: Usage;
  /** What the upstream reported beyond it. */
  readonly disputed?: { readonly inputTokens: number; readonly outputTokens: number } | undefined;
  readonly durationMs: number;
  readonly upstreamRequestId: string | undefined;
}

export function attemptOf(
  result: AttemptResult,
  number: number,
  from: { readonly currency: string; readonly nowMs: number },
): Attempt {
  const { deployment, usage } = result;
  const disputed = disputedOf(result);
  const cost = costPrice(deployment, from.currency, from.nowMs);
  return {
    number,
    deploymentId: deployment.id,
    providerId: deployment.upstream.providerId,
    status: result.status,
    outcome: result.outcome,
    usage,
    ...(cost
      ? { costVersion: cost.version, costCurrency: cost.currency, costNano: costNano(usage, cost, from.nowMs) }
      : {}),
    ...(result.upstreamRequestId === undefined ? {} : { upstreamRequestId: result.upstreamRequestId }),
    durationMs: Math.round(result.durationMs),
    ...(disputed ? { disputed: withCost(disputed, usage, cost, from.nowMs) } : {}),
  };
}

function disputedOf({ disputed }: AttemptResult): Disputed | undefined {
  return disputed && disputed.inputTokens + disputed.outputTokens > 0 ? disputed : undefined;
}

/** Costs go by the moment of the intent: when an attempt ended is not on record. */
function costNano(usage: Usage, cost: PriceVersion, atMs: number): Nano {
  return rate(usage, cost, { startMs: atMs, endMs: atMs }).amountNano;
}

/** What the claim would cost on top, by the cost version of the attempt. */
function withCost(disputed: Disputed, usage: Usage, cost: PriceVersion | undefined, atMs: number): Disputed {
  if (!cost) return disputed;
  const claimed = {
    ...usage,
    inputTokens: usage.inputTokens + disputed.inputTokens,
    outputTokens: usage.outputTokens + disputed.outputTokens,
  };
  return { ...disputed, costNano: costNano(claimed, cost, atMs) - costNano(usage, cost, atMs) };
}

/** How a request ended, as the stages know it. */
export interface Ending {
  readonly outcome: Settlement['outcome'];
  readonly status: number;
  readonly faultCode?: string;
  /** Whether anything of value reached the client, or was spent for it: else nothing is charged. */
  readonly chargeable: boolean;
}

/** What the client was told in the end, by its answer or by `fault`; it pays where it got any of the answer. */
export function endingOf(
  outcome: Ending['outcome'],
  {
    fault,
    unserved,
    committed,
  }: { readonly fault: Fault | undefined; readonly unserved: boolean; readonly committed: boolean },
): Ending {
  const served = !unserved && (fault === undefined || committed);
  return {
    outcome,
    status: served ? 200 : unserved ? 0 : (fault?.status ?? 0),
    ...(fault ? { faultCode: fault.code } : {}),
    chargeable: served,
  };
}

/** What a request cost: the one settlement of its life. Holds what is missing to it, and else only reads. */
export function settlementOf(
  id: RequestId,
  ticket: Ticket,
  from: {
    readonly ending: Ending;
    readonly meter: Meter;
    readonly attempts: readonly Attempt[];
    readonly timing: Timing;
    /** When it was promised, and now. */
    readonly intentAtMs: number;
    readonly nowMs: number;
  },
): Settlement {
  const { ending, meter, attempts, timing, intentAtMs, nowMs } = from;
  const { plan, hold } = ticket;
  const result = ending.chargeable ? meter.result() : NOTHING_METERED;
  const { amountNano } = rate(result.usage, plan.price, { startMs: intentAtMs, endMs: nowMs });
  hold.cover(amountNano);
  return {
    id,
    atMs: nowMs,
    outcome: ending.outcome,
    status: ending.status,
    ...(ending.faultCode === undefined ? {} : { faultCode: ending.faultCode }),
    usage: result.usage,
    usageSource: result.source,
    estimated: result.estimated,
    amountNano,
    currency: plan.wallet.currency,
    priceVersion: plan.price.version,
    attempts,
    ...(timing.ttftMs === undefined ? {} : { ttftMs: Math.round(timing.ttftMs) }),
    durationMs: Math.round(timing.durationMs),
    holdNano: hold.nano(),
  };
}

export function totalTokens(usage: Usage): number {
  return usage.inputTokens + usage.outputTokens;
}
