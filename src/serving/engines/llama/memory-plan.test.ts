import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fault } from '../../../ground/std/index.ts';
import type { GgufSummary } from './inspect-gguf.ts';
import { planMemory } from './memory-plan.ts';

const GIB = 1_073_741_824;

/** An 8B model in 4 bits: 32 layers, 8 heads for keys and values of 128, so 128 KiB of cache per token. */
const MODEL: GgufSummary = {
  name: 'Eight',
  architecture: 'llama',
  contextTokens: 131_072,
  parameterCount: 8_000_000_000,
  quantization: 'Q4_K_M',
  hasChatTemplate: true,
  operations: ['chat', 'completions', 'embeddings'],
  fileBytes: 4.6 * GIB,
  vocabularySize: 128_256,
  embeddingLength: 4096,
  layerCount: 32,
  headCount: 32,
  cacheNumbersPerToken: 32 * 8 * 256,
  sampling: {},
};

const CASES = [
  { what: 'plenty', gib: 64, wish: {}, contextTokens: 8192, sequences: 8 },
  { what: 'fewer answers at once before a shorter context', gib: 10, wish: {}, contextTokens: 8192, sequences: 2 },
  { what: 'then a shorter context', gib: 6, wish: {}, contextTokens: 4096, sequences: 1 },
  { what: 'a wish is kept', gib: 10, wish: { contextTokens: 2048, sequences: 3 }, contextTokens: 2048, sequences: 3 },
  {
    what: 'the rest gives way to a wish',
    gib: 12,
    wish: { contextTokens: 16_384 },
    contextTokens: 16_384,
    sequences: 1,
  },
] as const;

for (const { what, gib, wish, contextTokens, sequences } of CASES)
  test(`plan with ${gib} GiB: ${what}`, () => {
    const plan = planMemory(MODEL, wish, gib * GIB);
    assert.deepEqual([plan.contextTokens, plan.sequences], [contextTokens, sequences]);
    assert.equal(plan.cacheBytes, contextTokens * sequences * MODEL.cacheNumbersPerToken * 2);
    assert.ok(plan.neededBytes <= gib * GIB);
  });

test('what does not fit is refused with both numbers', () => {
  for (const [gib, wish] of [
    [4, {}],
    [10, { contextTokens: 131_072 }],
    [10, { sequences: 64, contextTokens: 8192 }],
  ] as const)
    assert.throws(
      () => planMemory(MODEL, wish, gib * GIB),
      (error: unknown) =>
        error instanceof Fault &&
        error.code === 'config_invalid' &&
        /needs about \d+ MiB.*\d+ MiB are free/.test(error.message),
    );
  assert.throws(() => planMemory(MODEL, { contextTokens: 200_000 }, 999 * GIB), /trained for 131072/);
});
