import type { Settlement } from '../../ground/journal/index.ts';
import type { Log } from '../../ground/std/index.ts';
import type { Ticket } from '../stages/admit.ts';

/** One wide event per request; numbers and names only. */
export function logRequest(log: Log, { caller, call, plan }: Ticket, settlement: Settlement): void {
  log.info('request', {
    requestId: settlement.id,
    organization: caller.organizationId,
    project: caller.projectId,
    key: caller.keyId,
    operation: call.operation,
    model: plan.model.id,
    stream: call.stream,
    outcome: settlement.outcome,
    status: settlement.status,
    fault: settlement.faultCode,
    ...settlement.usage,
    usageSource: settlement.usageSource,
    amountNano: String(settlement.amountNano),
    currency: settlement.currency,
    attempts: settlement.attempts.length,
    deployment: settlement.attempts.at(-1)?.deploymentId,
    ttftMs: settlement.ttftMs,
    durationMs: settlement.durationMs,
  });
}
