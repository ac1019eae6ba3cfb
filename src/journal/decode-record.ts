import type { KeyId, Nano } from '@millrace/contract';
import {
  type Attempt,
  ENTRY_KIND,
  type Intent,
  type JournalRecord,
  type Progress,
  type Settlement,
  type Usage,
} from './records.ts';

type Fields = Readonly<Record<string, unknown>>;

/**
 * The body of an entry as a record again: the inverse of `encodeRecord`.
 * @throws TypeError where a field is missing or of another type; the reader turns it into a fault that names the file.
 */
export function decodeRecord(kind: number, body: string): JournalRecord {
  const fields = object(JSON.parse(body), 'body');
  switch (kind) {
    case ENTRY_KIND.intent:
      return { kind, value: decodeIntent(fields) };
    case ENTRY_KIND.progress:
      return { kind, value: decodeProgress(fields) };
    case ENTRY_KIND.settlement:
      return { kind, value: decodeSettlement(fields) };
    default:
      throw new TypeError(`kind ${kind} is not known to this version`);
  }
}

function decodeIntent(fields: Fields): Intent {
  return {
    id: text(fields, 'id'),
    atMs: whole(fields, 'atMs'),
    organizationId: text(fields, 'organizationId'),
    projectId: text(fields, 'projectId'),
    keyId: keyId(fields),
    operation: oneOf(fields, 'operation', OPERATIONS),
    model: text(fields, 'model'),
    stream: flag(fields, 'stream'),
    currency: text(fields, 'currency'),
    holdNano: nano(fields, 'holdNano'),
    inputTokensMax: whole(fields, 'inputTokensMax'),
    outputTokensMax: whole(fields, 'outputTokensMax'),
    priceVersion: text(fields, 'priceVersion'),
    deploymentId: text(fields, 'deploymentId'),
    providerId: text(fields, 'providerId'),
    ...(fields['costVersion'] === undefined ? {} : { costVersion: text(fields, 'costVersion') }),
    expiresAtMs: whole(fields, 'expiresAtMs'),
  };
}

function decodeProgress(fields: Fields): Progress {
  return {
    id: text(fields, 'id'),
    deploymentId: text(fields, 'deploymentId'),
    inputTokens: whole(fields, 'inputTokens'),
    outputTokens: whole(fields, 'outputTokens'),
    holdNano: nano(fields, 'holdNano'),
  };
}

function decodeSettlement(fields: Fields): Settlement {
  const attempts = fields['attempts'];
  if (!Array.isArray(attempts)) throw new TypeError('attempts is not a list');
  return {
    id: text(fields, 'id'),
    atMs: whole(fields, 'atMs'),
    outcome: oneOf(fields, 'outcome', OUTCOMES),
    status: whole(fields, 'status'),
    ...(fields['faultCode'] === undefined ? {} : { faultCode: text(fields, 'faultCode') }),
    usage: usage(fields),
    usageSource: oneOf(fields, 'usageSource', SOURCES),
    estimated: flag(fields, 'estimated'),
    amountNano: nano(fields, 'amountNano'),
    currency: text(fields, 'currency'),
    priceVersion: text(fields, 'priceVersion'),
    attempts: attempts.map((attempt: unknown) => decodeAttempt(object(attempt, 'attempts'))),
    ...(fields['ttftMs'] === undefined ? {} : { ttftMs: whole(fields, 'ttftMs') }),
    durationMs: whole(fields, 'durationMs'),
  };
}

function decodeAttempt(fields: Fields): Attempt {
  return {
    number: whole(fields, 'number'),
    deploymentId: text(fields, 'deploymentId'),
    providerId: text(fields, 'providerId'),
    status: whole(fields, 'status'),
    outcome: oneOf(fields, 'outcome', ATTEMPT_OUTCOMES),
    usage: usage(fields),
    ...(fields['costVersion'] === undefined ? {} : { costVersion: text(fields, 'costVersion') }),
    ...(fields['costCurrency'] === undefined ? {} : { costCurrency: text(fields, 'costCurrency') }),
    ...(fields['costNano'] === undefined ? {} : { costNano: nano(fields, 'costNano') }),
    ...(fields['upstreamRequestId'] === undefined ? {} : { upstreamRequestId: text(fields, 'upstreamRequestId') }),
    durationMs: whole(fields, 'durationMs'),
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

function usage(fields: Fields): Usage {
  const counts = object(fields['usage'], 'usage');
  return {
    inputTokens: whole(counts, 'inputTokens'),
    cachedInputTokens: whole(counts, 'cachedInputTokens'),
    outputTokens: whole(counts, 'outputTokens'),
    reasoningTokens: whole(counts, 'reasoningTokens'),
  };
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function object(value: unknown, name: string): Fields {
  if (!isFields(value)) throw new TypeError(`${name} is not an object`);
  return value;
}

function text(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value !== 'string') throw new TypeError(`${name} is not a text`);
  return value;
}

function isKeyId(value: string): value is KeyId {
  return value.startsWith('key_');
}

function keyId(fields: Fields): KeyId {
  const value = text(fields, 'keyId');
  if (!isKeyId(value)) throw new TypeError('keyId is not the id of a key');
  return value;
}

function whole(fields: Fields, name: string): number {
  const value = fields[name];
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw new TypeError(`${name} is not a whole number`);
  return value;
}

function flag(fields: Fields, name: string): boolean {
  const value = fields[name];
  if (typeof value !== 'boolean') throw new TypeError(`${name} is neither true nor false`);
  return value;
}

function nano(fields: Fields, name: string): Nano {
  const value = text(fields, name);
  // BigInt('') is 0n, and an amount must never become zero by itself.
  if (value === '') throw new TypeError(`${name} is empty`);
  return BigInt(value);
}

function oneOf<const T extends string>(fields: Fields, name: string, known: readonly T[]): T {
  const value = fields[name];
  for (const each of known) if (each === value) return each;
  throw new TypeError(`${name} has an unknown value`);
}
