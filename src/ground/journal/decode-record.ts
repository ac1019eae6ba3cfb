import type { KeyId, Nano } from '@millrace/contract';
import {
  type Attempt,
  type Disputed,
  ENTRY_KIND,
  type Intent,
  type JournalRecord,
  type Progress,
  type Settlement,
  type Usage,
} from './records.ts';

/** The fields of a record in the order of `encodeRecord`. */
type Fields = readonly unknown[];

/**
 * The body of an entry as a record again: the inverse of `encodeRecord`.
 * @throws TypeError where a field is missing or of another type; the reader turns it into a fault that names the file.
 */
export function decodeRecord(kind: number, body: string): JournalRecord {
  return decodeFields(kind, JSON.parse(body));
}

/** The same of a body that is parsed. */
export function decodeFields(kind: unknown, body: unknown): JournalRecord {
  const fields = list(body);
  switch (kind) {
    case ENTRY_KIND.intent:
      return { kind, value: decodeIntent(fields) };
    case ENTRY_KIND.progress:
      return { kind, value: decodeProgress(fields) };
    case ENTRY_KIND.settlement:
      return { kind, value: decodeSettlement(fields) };
    default:
      throw new TypeError(`kind ${String(kind)} is not known to this version`);
  }
}

/** What is absent is left out afterwards: a spread of nothing costs as much as all the rest. */
type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

function decodeIntent(fields: Fields): Intent {
  const intent: Writable<Intent> = {
    id: text(fields[0]),
    atMs: whole(fields[1]),
    organizationId: text(fields[2]),
    projectId: text(fields[3]),
    keyId: keyId(fields[4]),
    operation: oneOf(fields[5], OPERATIONS),
    model: text(fields[6]),
    stream: flag(fields[7]),
    currency: text(fields[8]),
    holdNano: nano(fields[9]),
    inputTokensMax: whole(fields[10]),
    outputTokensMax: whole(fields[11]),
    priceVersion: text(fields[12]),
    deploymentId: text(fields[13]),
    providerId: text(fields[14]),
    expiresAtMs: whole(fields[16]),
  };
  const costVersion = optionalText(fields[15]);
  if (costVersion !== undefined) intent.costVersion = costVersion;
  return intent;
}

function decodeProgress(fields: Fields): Progress {
  return {
    id: text(fields[0]),
    deploymentId: text(fields[1]),
    inputTokens: whole(fields[2]),
    outputTokens: whole(fields[3]),
    holdNano: nano(fields[4]),
  };
}

function decodeSettlement(fields: Fields): Settlement {
  const settlement: Writable<Settlement> = {
    id: text(fields[0]),
    atMs: whole(fields[1]),
    outcome: oneOf(fields[2], OUTCOMES),
    status: whole(fields[3]),
    usage: decodeUsage(fields[5]),
    usageSource: oneOf(fields[6], SOURCES),
    estimated: flag(fields[7]),
    amountNano: nano(fields[8]),
    currency: text(fields[9]),
    priceVersion: text(fields[10]),
    attempts: list(fields[11]).map(decodeAttempt),
    durationMs: whole(fields[13]),
    holdNano: nano(fields[14]),
  };
  const faultCode = optionalText(fields[4]);
  if (faultCode !== undefined) settlement.faultCode = faultCode;
  if (fields[12] !== null) settlement.ttftMs = whole(fields[12]);
  return settlement;
}

function decodeAttempt(value: unknown): Attempt {
  const fields = list(value);
  const attempt: Writable<Attempt> = {
    number: whole(fields[0]),
    deploymentId: text(fields[1]),
    providerId: text(fields[2]),
    status: whole(fields[3]),
    outcome: oneOf(fields[4], ATTEMPT_OUTCOMES),
    usage: decodeUsage(fields[5]),
    durationMs: whole(fields[10]),
  };
  const costVersion = optionalText(fields[6]);
  if (costVersion !== undefined) attempt.costVersion = costVersion;
  const costCurrency = optionalText(fields[7]);
  if (costCurrency !== undefined) attempt.costCurrency = costCurrency;
  if (fields[8] !== null) attempt.costNano = nano(fields[8]);
  const upstreamRequestId = optionalText(fields[9]);
  if (upstreamRequestId !== undefined) attempt.upstreamRequestId = upstreamRequestId;
  if (fields[11] !== undefined) attempt.disputed = decodeDisputed(fields[11]);
  return attempt;
}

function decodeDisputed(value: unknown): Disputed {
  const fields = list(value);
  const disputed: Writable<Disputed> = { inputTokens: whole(fields[0]), outputTokens: whole(fields[1]) };
  if (fields[2] !== null) disputed.costNano = nano(fields[2]);
  return disputed;
}

function decodeUsage(value: unknown): Usage {
  const fields = list(value);
  return {
    inputTokens: whole(fields[0]),
    cachedInputTokens: whole(fields[1]),
    outputTokens: whole(fields[2]),
    reasoningTokens: whole(fields[3]),
  };
}

const OPERATIONS = ['chat', 'completions', 'embeddings'] as const satisfies readonly Intent['operation'][];
const OUTCOMES = [
  'ok',
  'failed',
  'client-gone',
  'cut-off',
  'recovered',
] as const satisfies readonly Settlement['outcome'][];
const SOURCES = [
  'upstream',
  'counted',
  'progress',
  'policy',
  'none',
] as const satisfies readonly Settlement['usageSource'][];
const ATTEMPT_OUTCOMES = ['ok', 'failed', 'aborted'] as const satisfies readonly Attempt['outcome'][];

function list(value: unknown): Fields {
  if (!Array.isArray(value)) throw new TypeError('a list is missing');
  return value;
}

function text(value: unknown): string {
  if (typeof value !== 'string') throw new TypeError('a text is missing');
  return value;
}

/** Null says that it was absent; undefined that the list is too short. */
function optionalText(value: unknown): string | undefined {
  return value === null ? undefined : text(value);
}

function isKeyId(value: string): value is KeyId {
  return value.startsWith('key_');
}

function keyId(value: unknown): KeyId {
  const id = text(value);
  if (!isKeyId(id)) throw new TypeError('the id of a key is missing');
  return id;
}

function whole(value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw new TypeError('a whole number is missing');
  return value;
}

function flag(value: unknown): boolean {
  if (typeof value !== 'boolean') throw new TypeError('a yes or no is missing');
  return value;
}

function nano(value: unknown): Nano {
  const digits = text(value);
  // BigInt('') is 0n, and an amount must never become zero by itself.
  if (digits === '') throw new TypeError('an amount is empty');
  return BigInt(digits);
}

function oneOf<const T extends string>(value: unknown, known: readonly T[]): T {
  for (const each of known) if (each === value) return each;
  throw new TypeError('a word is not one of those known');
}
