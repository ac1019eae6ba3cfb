import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KeyId } from '@millrace/contract';
import fc from 'fast-check';
import { decodeRecord } from './decode-record.ts';
import { encodeRecord } from './encode-record.ts';
import { ENTRY_KIND, type JournalRecord } from './records.ts';

// Lone surrogates, controls, quotes and wide letters: model ids and upstream ids come from outside.
const text = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('', '\ud800', '"\\\u0000', '重点🍓', '__proto__'));
const keyId: fc.Arbitrary<KeyId> = text.map(tail => `key_${tail}` as const);
const count = fc.maxSafeNat();
const nano = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.constantFrom(0n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 63n - 1n),
);
const usage = fc.record({
  inputTokens: count,
  cachedInputTokens: count,
  outputTokens: count,
  reasoningTokens: count,
});
const attempt = fc.record(
  {
    number: count,
    deploymentId: text,
    providerId: text,
    status: count,
    outcome: fc.constantFrom('ok' as const, 'failed' as const, 'aborted' as const),
    usage,
    costVersion: text,
    costCurrency: text,
    costNano: nano,
    upstreamRequestId: text,
    durationMs: count,
    disputed: fc.record(
      { inputTokens: count, outputTokens: count, costNano: nano },
      { requiredKeys: ['inputTokens', 'outputTokens'] },
    ),
  },
  { requiredKeys: ['number', 'deploymentId', 'providerId', 'status', 'outcome', 'usage', 'durationMs'] },
);
const intent = fc.record(
  {
    id: text,
    atMs: count,
    organizationId: text,
    projectId: text,
    keyId,
    operation: fc.constantFrom('chat' as const, 'completions' as const, 'embeddings' as const),
    model: text,
    stream: fc.boolean(),
    currency: text,
    holdNano: nano,
    inputTokensMax: count,
    outputTokensMax: count,
    priceVersion: text,
    deploymentId: text,
    providerId: text,
    costVersion: text,
    expiresAtMs: count,
  },
  {
    requiredKeys: [
      'id',
      'atMs',
      'organizationId',
      'projectId',
      'keyId',
      'operation',
      'model',
      'stream',
      'currency',
      'holdNano',
      'inputTokensMax',
      'outputTokensMax',
      'priceVersion',
      'deploymentId',
      'providerId',
      'expiresAtMs',
    ],
  },
);
const settlement = fc.record(
  {
    id: text,
    atMs: count,
    outcome: fc.constantFrom(
      'ok' as const,
      'failed' as const,
      'client-gone' as const,
      'cut-off' as const,
      'recovered' as const,
    ),
    status: count,
    faultCode: text,
    usage,
    usageSource: fc.constantFrom(
      'upstream' as const,
      'counted' as const,
      'progress' as const,
      'policy' as const,
      'none' as const,
    ),
    estimated: fc.boolean(),
    amountNano: nano,
    currency: text,
    priceVersion: text,
    attempts: fc.array(attempt, { maxLength: 3 }),
    ttftMs: count,
    durationMs: count,
    holdNano: nano,
  },
  {
    requiredKeys: [
      'id',
      'atMs',
      'outcome',
      'status',
      'usage',
      'usageSource',
      'estimated',
      'amountNano',
      'currency',
      'priceVersion',
      'attempts',
      'durationMs',
      'holdNano',
    ],
  },
);
const progress = fc.record({
  id: text,
  deploymentId: text,
  inputTokens: count,
  outputTokens: count,
  holdNano: nano,
});
const record: fc.Arbitrary<JournalRecord> = fc.oneof(
  fc.record({ kind: fc.constant(ENTRY_KIND.intent), value: intent }),
  fc.record({ kind: fc.constant(ENTRY_KIND.progress), value: progress }),
  fc.record({ kind: fc.constant(ENTRY_KIND.settlement), value: settlement }),
);

test('every record is read back as it was, also through UTF-8', () => {
  fc.assert(
    fc.property(record, value => {
      const bytes = Buffer.from(encodeRecord(value));
      // The clone has the ordinary prototype, which what the generator makes sometimes lacks.
      assert.deepEqual(decodeRecord(value.kind, bytes.toString()), structuredClone(value));
    }),
    { numRuns: 1_000 },
  );
});

test('a body with a field missing, or of another type, is refused', () => {
  fc.assert(
    fc.property(record, fc.nat(), fc.constantFrom(undefined, {}, 1.5, ''), (value, at, instead) => {
      const body: unknown[] = JSON.parse(encodeRecord(value));
      if (instead === undefined) body.splice(at % body.length);
      else {
        const index = at % body.length;
        // An empty text is a text where any text may be, or none.
        fc.pre(
          instead !== '' || (body[index] !== null && typeof body[index] !== 'string') || isAmount(value.kind, index),
        );
        body[index] = instead;
      }
      assert.throws(() => decodeRecord(value.kind, JSON.stringify(body)), TypeError);
    }),
    { numRuns: 1_000 },
  );
  assert.throws(() => decodeRecord(9, '[]'), /kind 9 is not known/);
  assert.throws(() => decodeRecord(ENTRY_KIND.progress, '{}'), TypeError);
});

/** Where amounts stand in the list of a record. */
function isAmount(kind: JournalRecord['kind'], index: number): boolean {
  return { [ENTRY_KIND.intent]: [9], [ENTRY_KIND.progress]: [4], [ENTRY_KIND.settlement]: [8, 14] }[kind].includes(
    index,
  );
}
