import type { Fault } from '../../ground/std/index.ts';
import type { Call } from '../../models/dialects/index.ts';
import { recordFailure } from '../../serving/routing/index.ts';
import type { AttemptRun } from '../stages/attempt.ts';
import type { ExchangeDeps } from './exchange-deps.ts';

/** A try failed: its target's record, and the operator, hear of it. */
export function noteFailure(
  { slots, clock, failures }: Pick<ExchangeDeps, 'slots' | 'clock' | 'failures'>,
  { deployment, status }: Pick<AttemptRun, 'deployment' | 'status'>,
  { requestId, call, fault }: { readonly requestId: string; readonly call: Call; readonly fault: Fault },
): void {
  const { code, details } = fault;
  const { retryAfterMs } = details;
  recordFailure(deployment, slots.deployments, { code, retryAfterMs, nowMs: clock.nowMs() });
  failures.note(requestId, { deployment, call, status, fault });
}
