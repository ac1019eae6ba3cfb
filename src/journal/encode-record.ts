import { type Attempt, ENTRY_KIND, type Intent, type JournalRecord, type Settlement, type Usage } from './records.ts';

/** What JSON text may not hold as it is, and halves of pairs, which UTF-8 cannot hold alone. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const NEEDS_ESCAPE = /["\\\u0000-\u001f\ud800-\udfff]/;

/**
 * A record as JSON text, amounts as decimal strings. Built by hand because it runs twice per request on gateway threads, and
 * `JSON.stringify` over a copy without bigints takes two to three times as long (bench/journal.ts).
 * @throws RangeError where a number is not finite: `NaN` in a durable record would make it unreadable.
 */
export function encodeRecord(record: JournalRecord): string {
  switch (record.kind) {
    case ENTRY_KIND.intent:
      return encodeIntent(record.value);
    case ENTRY_KIND.settlement:
      return encodeSettlement(record.value);
    case ENTRY_KIND.progress: {
      const { id, deploymentId, inputTokens, outputTokens, holdNano } = record.value;
      return `{"id":${text(id)},"deploymentId":${text(deploymentId)},"inputTokens":${whole(inputTokens)},"outputTokens":${whole(outputTokens)},"holdNano":"${holdNano}"}`;
    }
    default:
      return record satisfies never;
  }
}

function encodeIntent(intent: Intent): string {
  return (
    `{"id":${text(intent.id)},"atMs":${whole(intent.atMs)},"organizationId":${text(intent.organizationId)}` +
    `,"projectId":${text(intent.projectId)},"keyId":${text(intent.keyId)},"operation":"${intent.operation}"` +
    `,"model":${text(intent.model)},"stream":${intent.stream},"currency":${text(intent.currency)}` +
    `,"holdNano":"${intent.holdNano}","inputTokensMax":${whole(intent.inputTokensMax)}` +
    `,"outputTokensMax":${whole(intent.outputTokensMax)},"priceVersion":${text(intent.priceVersion)}` +
    `,"deploymentId":${text(intent.deploymentId)},"providerId":${text(intent.providerId)}` +
    `${optionalText('costVersion', intent.costVersion)},"expiresAtMs":${whole(intent.expiresAtMs)}}`
  );
}

function encodeSettlement(settlement: Settlement): string {
  let attempts = '';
  for (const attempt of settlement.attempts) attempts += `${attempts === '' ? '' : ','}${encodeAttempt(attempt)}`;
  return (
    `{"id":${text(settlement.id)},"atMs":${whole(settlement.atMs)},"outcome":"${settlement.outcome}"` +
    `,"status":${whole(settlement.status)}${optionalText('faultCode', settlement.faultCode)}` +
    `,"usage":${encodeUsage(settlement.usage)},"usageSource":"${settlement.usageSource}"` +
    `,"estimated":${settlement.estimated},"amountNano":"${settlement.amountNano}"` +
    `,"currency":${text(settlement.currency)},"priceVersion":${text(settlement.priceVersion)},"attempts":[${attempts}]` +
    `${settlement.ttftMs === undefined ? '' : `,"ttftMs":${whole(settlement.ttftMs)}`},"durationMs":${whole(settlement.durationMs)}}`
  );
}

function encodeAttempt(attempt: Attempt): string {
  return (
    `{"number":${whole(attempt.number)},"deploymentId":${text(attempt.deploymentId)}` +
    `,"providerId":${text(attempt.providerId)},"status":${whole(attempt.status)},"outcome":"${attempt.outcome}"` +
    `,"usage":${encodeUsage(attempt.usage)}${optionalText('costVersion', attempt.costVersion)}` +
    `${optionalText('costCurrency', attempt.costCurrency)}` +
    `${attempt.costNano === undefined ? '' : `,"costNano":"${attempt.costNano}"`}` +
    `${optionalText('upstreamRequestId', attempt.upstreamRequestId)},"durationMs":${whole(attempt.durationMs)}}`
  );
}

function encodeUsage(usage: Usage): string {
  return `{"inputTokens":${whole(usage.inputTokens)},"cachedInputTokens":${whole(usage.cachedInputTokens)},"outputTokens":${whole(usage.outputTokens)},"reasoningTokens":${whole(usage.reasoningTokens)}}`;
}

function text(value: string): string {
  return NEEDS_ESCAPE.test(value) ? JSON.stringify(value) : `"${value}"`;
}

function optionalText(name: string, value: string | undefined): string {
  return value === undefined ? '' : `,"${name}":${text(value)}`;
}

/** Durations come with fractions; on disk every number is whole. */
function whole(value: number): number {
  const rounded = Math.round(value);
  if (!Number.isSafeInteger(rounded)) throw new RangeError(`not a number that the journal can keep: ${value}`);
  return rounded;
}
