import assert from 'node:assert/strict';
import { test } from 'node:test';
import { METERS, type MeterCount, type UsageVector } from '@millrace/contract';
import fc from 'fast-check';
import { usages } from '../../../test/support/price-books.ts';
import { checkUsage, mergeUsage, unitsOf } from './usage-vector.ts';

const NONE: UsageVector = { inputTokens: 0, cachedInputTokens: 0, outputTokens: 0, reasoningTokens: 0 };
const listed = (more: readonly MeterCount[], four: Partial<UsageVector> = {}): UsageVector => ({
  ...NONE,
  ...four,
  more,
});

test('the registry is a forest: parts name a whole that is there, and no meter stands twice', () => {
  const ids = METERS.map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length);
  for (const meter of METERS) {
    if (!('partOf' in meter)) continue;
    const whole = METERS.find(({ id }) => id === meter.partOf);
    assert.ok(whole && METERS.indexOf(whole) < METERS.indexOf(meter), `${meter.id} is part of what stands before it`);
    assert.equal(whole.unit, meter.unit, 'a part is counted as its whole is');
  }
});

test('a vector that is none is refused, never taken for less', () => {
  const cases: readonly (readonly [why: string, usage: UsageVector])[] = [
    ['a count below zero', listed([{ meter: 'images', units: -1 }])],
    ['a fraction', listed([{ meter: 'images', units: 0.5 }])],
    ['no number', listed([{ meter: 'images', units: Number.NaN }])],
    ['beyond the largest', listed([{ meter: 'images', units: 1_000_000_001 }])],
    ['a listed nothing', listed([{ meter: 'images', units: 0 }])],
    [
      'a meter twice',
      listed([
        { meter: 'images', units: 1 },
        { meter: 'images', units: 1 },
      ]),
    ],
    [
      'out of order',
      listed([
        { meter: 'pages', units: 1 },
        { meter: 'images', units: 1 },
      ]),
    ],
    ['a common one in the list', listed([{ meter: 'output', units: 1 }], { outputTokens: 1 })],
    ['cached beyond input', { ...NONE, inputTokens: 1, cachedInputTokens: 2 }],
    ['reasoning beyond output', { ...NONE, outputTokens: 1, reasoningTokens: 2 }],
    [
      'cached and written beyond input',
      listed([{ meter: 'cacheWrite', units: 6 }], { inputTokens: 10, cachedInputTokens: 5 }),
    ],
    [
      'lifetimes beyond what was written',
      listed(
        [
          { meter: 'cacheWrite', units: 5 },
          { meter: 'cacheWrite5m', units: 3 },
          { meter: 'cacheWrite1h', units: 3 },
        ],
        { inputTokens: 10 },
      ),
    ],
    ['a lifetime of nothing written', listed([{ meter: 'cacheWrite1h', units: 3 }], { inputTokens: 10 })],
    [
      'reasoning and sound beyond output',
      listed([{ meter: 'audioOutput', units: 6 }], { outputTokens: 10, reasoningTokens: 5 }),
    ],
  ];
  for (const [why, usage] of cases) assert.throws(() => checkUsage(usage), { code: 'upstream_error' }, why);
});

test('along different axes parts may overlap: a cached image is both', () => {
  checkUsage(listed([{ meter: 'imageInput', units: 9 }], { inputTokens: 10, cachedInputTokens: 8 }));
});

test('reports merge by maximum, meter by meter, whatever their order', () => {
  fc.assert(
    fc.property(usages, usages, (a, b) => {
      const merged = mergeUsage(a, b);
      assert.deepEqual(mergeUsage(b, a), merged);
      assert.deepEqual(mergeUsage(merged, a), merged);
      for (const { id } of METERS) assert.equal(unitsOf(merged, id), Math.max(unitsOf(a, id), unitsOf(b, id)));
    }),
  );
});
