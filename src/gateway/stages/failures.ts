import type { FaultCode } from '@millrace/contract/words';
import type { Clock, Fault, Log } from '../../ground/std/index.ts';
import type { Deployment } from '../../models/catalog/index.ts';
import type { Call } from '../../models/dialects/index.ts';
import { withoutEcho } from './without-echo.ts';

/** Why a deployment failed, in words for the operator: without prompt or key. Structured-cloneable. */
export interface UpstreamFailure {
  readonly deploymentId: string;
  readonly atMs: number;
  readonly code: FaultCode;
  /** What the upstream answered; 0 where it did not. */
  readonly status: number;
  readonly reason: string;
}

/** Notes why upstreams fail: one line in the log for each distinct reason, and the newest of each deployment for those who ask. */
export interface FailureNotes {
  note(
    requestId: string,
    failed: { readonly deployment: Deployment; readonly call: Call; readonly status: number; readonly fault: Fault },
  ): void;
}

/** The same reason is said again after so long, with how often it came meanwhile. */
const AGAIN_MS = 60_000;
/** Newest failure of a deployment: told on so often. */
const TOLD_MS = 1_000;
/** Reasons that are remembered; vendors that put a number into each would fill the memory. */
const REASONS_MAX = 1_000;
const REASON_LENGTH_MAX = 300;

export function createFailureNotes({
  log,
  clock,
  tell,
}: {
  readonly log: Log;
  readonly clock: Clock;
  readonly tell: (failure: UpstreamFailure) => void;
}): FailureNotes {
  const logged = new Map<string, { atMs: number; times: number }>();
  const told = new Map<string, number>();

  const isDue = (key: string, nowMs: number): number | undefined => {
    const before = logged.get(key);
    if (before && nowMs - before.atMs < AGAIN_MS) {
      before.times += 1;
      return undefined;
    }
    if (logged.size >= REASONS_MAX) logged.clear();
    logged.set(key, { atMs: nowMs, times: 0 });
    return before?.times ?? 0;
  };

  return {
    note(requestId, { deployment, call, status, fault }) {
      // What the caller did wrong is no failure of the upstream.
      if (fault.status < 500) return;
      const deploymentId = deployment.id;
      const { code } = fault;
      const nowMs = clock.nowMs();
      const raw = (fault.details.internal ?? fault.message).slice(0, 2 * REASON_LENGTH_MAX);
      const repeats = isDue(`${deploymentId} ${code} ${status} ${raw}`, nowMs);
      const isToldAgain = nowMs - (told.get(deploymentId) ?? 0) >= TOLD_MS;
      if (repeats === undefined && !isToldAgain) return;
      const reason = firstLine(withoutEcho(raw, call.body)).slice(0, REASON_LENGTH_MAX);
      if (repeats !== undefined)
        log.warn('upstream-failed', {
          ...{ deployment: deploymentId, provider: deployment.upstream.providerId, model: call.model },
          ...{ requestId, code, status, reason, ...(repeats > 0 ? { repeats } : {}) },
        });
      if (!isToldAgain) return;
      told.set(deploymentId, nowMs);
      tell({ deploymentId, atMs: nowMs, code, status, reason });
    },
  };
}

/** Of an error of ours, whose further lines are a stack. */
function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}
