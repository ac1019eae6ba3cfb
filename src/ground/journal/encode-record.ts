import {
  type Attempt,
  type Disputed,
  ENTRY_KIND,
  type Intent,
  type JournalRecord,
  type Settlement,
  type Usage,
} from './records.ts';

/** What JSON text may not hold as it is, and halves of pairs, which UTF-8 cannot hold alone. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const NEEDS_ESCAPE = /["\\\u0000-\u001f\ud800-\udfff]/;

/**
 * A record as JSON text: a list of its fields in a fixed order, amounts as decimal strings, what is absent as null, the request
 * id first. New fields go to the end. Without the names it is half as long, which every step from here to the disk and back
 * pays for; and built by hand it takes a third of the time of `JSON.stringify` (bench/journal.ts): it runs twice per request on
 * gateway threads. For people, `millrace journal inspect --request ID` shows the
 * names.
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
      return `[${text(id)},${text(deploymentId)},${whole(inputTokens)},${whole(outputTokens)},"${holdNano}"]`;
    }
    default:
      return record satisfies never;
  }
}

function encodeIntent(intent: Intent): string {
  return (
    `[${text(intent.id)},${whole(intent.atMs)},${text(intent.organizationId)},${text(intent.projectId)}` +
    `,${text(intent.keyId)},"${intent.operation}",${text(intent.model)},${intent.stream},${text(intent.currency)}` +
    `,"${intent.holdNano}",${whole(intent.inputTokensMax)},${whole(intent.outputTokensMax)}` +
    `,${text(intent.priceVersion)},${text(intent.deploymentId)},${text(intent.providerId)}` +
    `,${optional(intent.costVersion)},${whole(intent.expiresAtMs)}]`
  );
}

function encodeSettlement(settlement: Settlement): string {
  let attempts = '';
  for (const attempt of settlement.attempts) attempts += `${attempts === '' ? '' : ','}${encodeAttempt(attempt)}`;
  return (
    `[${text(settlement.id)},${whole(settlement.atMs)},"${settlement.outcome}",${whole(settlement.status)}` +
    `,${optional(settlement.faultCode)},${encodeUsage(settlement.usage)},"${settlement.usageSource}"` +
    `,${settlement.estimated},"${settlement.amountNano}",${text(settlement.currency)},${text(settlement.priceVersion)}` +
    `,[${attempts}],${settlement.ttftMs === undefined ? 'null' : whole(settlement.ttftMs)},${whole(settlement.durationMs)}` +
    `,"${settlement.holdNano}"]`
  );
}

function encodeAttempt(attempt: Attempt): string {
  return (
    `[${whole(attempt.number)},${text(attempt.deploymentId)},${text(attempt.providerId)},${whole(attempt.status)}` +
    `,"${attempt.outcome}",${encodeUsage(attempt.usage)},${optional(attempt.costVersion)}` +
    `,${optional(attempt.costCurrency)},${attempt.costNano === undefined ? 'null' : `"${attempt.costNano}"`}` +
    `,${optional(attempt.upstreamRequestId)},${whole(attempt.durationMs)}${attempt.disputed ? encodeDisputed(attempt.disputed) : ''}]`
  );
}

/** At the end, and rare: an attempt without says nothing of it. */
function encodeDisputed({ inputTokens, outputTokens, costNano }: Disputed): string {
  return `,[${whole(inputTokens)},${whole(outputTokens)},${costNano === undefined ? 'null' : `"${costNano}"`}]`;
}

function encodeUsage({ inputTokens, cachedInputTokens, outputTokens, reasoningTokens }: Usage): string {
  return `[${whole(inputTokens)},${whole(cachedInputTokens)},${whole(outputTokens)},${whole(reasoningTokens)}]`;
}

function text(value: string): string {
  return NEEDS_ESCAPE.test(value) ? JSON.stringify(value) : `"${value}"`;
}

function optional(value: string | undefined): string {
  return value === undefined ? 'null' : text(value);
}

/** Durations come with fractions; on disk every number is whole. */
function whole(value: number): number {
  const rounded = Math.round(value);
  if (!Number.isSafeInteger(rounded)) throw new RangeError(`not a number that the journal can keep: ${value}`);
  // Not -0, which JSON would keep.
  return rounded + 0;
}
