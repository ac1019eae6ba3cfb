import type { Database, StoreValue } from '../../../ground/store/index.ts';
import type { Series } from './series.ts';
import type { Settled } from './settled.ts';

export const REQUEST_COLUMNS = [
  'seq',
  'id',
  'organization_id',
  'at_us',
  'series',
  'outcome',
  'status',
  'fault_code',
  'input_tokens',
  'cached_input_tokens',
  'output_tokens',
  'reasoning_tokens',
  'usage_source',
  'estimated',
  'amount_nano',
  'cost_nano',
  'held_nano',
  'input_tokens_max',
  'output_tokens_max',
  'ttft_ms',
  'duration_ms',
  'call_outcome',
  'call_status',
  'call_ms',
  'upstream_request_id',
] as const satisfies readonly (keyof Database['requests'])[];

/** `seq` is the request's number among all that is booked. */
export function requestRow({ settlement, intent, call, cost }: Settled, series: Series, seq: number): StoreValue[] {
  const { usage } = settlement;
  return [
    seq,
    settlement.id,
    intent.organizationId,
    settlement.atMs * 1000,
    series.number,
    settlement.outcome,
    settlement.status,
    settlement.faultCode ?? null,
    usage.inputTokens,
    usage.cachedInputTokens,
    usage.outputTokens,
    usage.reasoningTokens,
    settlement.usageSource,
    settlement.estimated ? 1 : 0,
    settlement.amountNano,
    cost?.nano ?? null,
    settlement.holdNano,
    intent.inputTokensMax,
    intent.outputTokensMax,
    settlement.ttftMs ?? null,
    settlement.durationMs,
    call?.outcome ?? null,
    call?.status ?? null,
    call?.durationMs ?? null,
    call?.upstreamRequestId ?? null,
  ];
}

export const ATTEMPT_COLUMNS = [
  'seq',
  'number',
  'deployment_id',
  'provider_id',
  'status',
  'outcome',
  'input_tokens',
  'cached_input_tokens',
  'output_tokens',
  'reasoning_tokens',
  'cost_version',
  'cost_currency',
  'cost_nano',
  'upstream_request_id',
  'duration_ms',
  'disputed_input_tokens',
  'disputed_output_tokens',
  'disputed_nano',
] as const satisfies readonly (keyof Database['attempts'])[];

/** Rows of the calls of a request, where its own row does not tell them. */
export function attemptRows({ settlement, call }: Settled, seq: number): readonly StoreValue[][] {
  if (call) return [];
  return settlement.attempts.map(attempt => [
    seq,
    attempt.number,
    attempt.deploymentId,
    attempt.providerId,
    attempt.status,
    attempt.outcome,
    attempt.usage.inputTokens,
    attempt.usage.cachedInputTokens,
    attempt.usage.outputTokens,
    attempt.usage.reasoningTokens,
    attempt.costVersion ?? null,
    attempt.costCurrency ?? null,
    attempt.costNano ?? null,
    attempt.upstreamRequestId ?? null,
    attempt.durationMs,
    attempt.disputed?.inputTokens ?? 0,
    attempt.disputed?.outputTokens ?? 0,
    attempt.disputed?.costNano ?? null,
  ]);
}
