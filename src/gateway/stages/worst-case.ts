import type { Nano } from '@millrace/contract/words';
import { holdNano, type PriceVersion } from '../../money/pricing/index.ts';
import type { Plan } from './plan.ts';

/** From admission until a request must have ended: prices by the hour may change meanwhile. */
export interface Stretch {
  readonly fromMs: number;
  readonly untilMs: number;
}

/** Waiting for a place and reading on for a report come on top of what a target may take. */
const AROUND_MS = 600_000;
/** What the gateway asks for, and so what it is charged as. */
const SERVICE_CLASS = 'standard';

export function stretchOf({ model }: Pick<Plan, 'model'>, nowMs: number): Stretch {
  return {
    fromMs: nowMs,
    untilMs: nowMs + Math.max(...model.deployments.map(each => each.timeoutMs.total)) + AROUND_MS,
  };
}

/** The most that a request with so much input and output can cost. */
export function worstNano(
  price: PriceVersion,
  { inputTokensMax, outputTokensMax }: { readonly inputTokensMax: number; readonly outputTokensMax: number },
  { fromMs, untilMs }: Stretch,
): Nano {
  return holdNano({ price, inputTokensMax, outputTokensMax, fromMs, untilMs, serviceClass: SERVICE_CLASS });
}
