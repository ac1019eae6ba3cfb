import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { holdNano } from './hold.ts';
import { priceInForce } from './price-in-force.ts';
import type { FlatPrice } from './price-version.ts';
import { rate } from './rate.ts';

const price = (input: bigint, output: bigint, more: Partial<FlatPrice> & { cachedInput?: bigint } = {}): FlatPrice => ({
  version: 'v',
  currency: 'CNY',
  effectiveFromMs: 0,
  rounding: 'ceil',
  ...more,
  nanoPerMillion: { input, output, ...(more.cachedInput === undefined ? {} : { cachedInput: more.cachedInput }) },
});
const usage = (inputTokens: number, outputTokens: number, cachedInputTokens = 0) => ({
  inputTokens,
  cachedInputTokens,
  outputTokens,
  reasoningTokens: 0,
});

test('rates by meter, one rounding per line', () => {
  const cases: readonly [ReturnType<typeof usage>, FlatPrice, bigint][] = [
    [usage(23, 21), price(4_000_000_000n, 16_000_000_000n), 23n * 4000n + 21n * 16_000n],
    [usage(100, 0, 40), price(4_000_000_000n, 0n, { cachedInput: 1_000_000_000n }), 60n * 4000n + 40n * 1000n],
    [usage(100, 0, 40), price(4_000_000_000n, 0n), 100n * 4000n],
    [usage(1, 1), price(1n, 1n), 2n],
    [usage(1, 0), price(500_000n, 0n, { rounding: 'half-even' }), 0n],
    [usage(3, 0), price(500_000n, 0n, { rounding: 'half-even' }), 2n],
    [usage(0, 0), price(4n, 4n), 0n],
    [usage(1_000_000_000, 1_000_000_000), price(10n ** 15n, 10n ** 15n), 2n * 10n ** 18n],
  ];
  for (const [counts, version, expected] of cases) assert.equal(rate(counts, version).amountNano, expected);
});

test('a count that is no count is refused, never zero', () => {
  const version = price(1n, 1n);
  for (const bad of [Number.NaN, -1, 1.5, Number.POSITIVE_INFINITY, 1e9 + 1, 2 ** 53]) {
    assert.throws(() => rate(usage(bad, 0), version), { code: 'upstream_error' });
    assert.throws(() => rate(usage(0, bad), version), { code: 'upstream_error' });
    assert.throws(() => holdNano({ inputTokensMax: bad, outputTokensMax: 0, price: version }), {
      code: 'upstream_error',
    });
  }
  assert.throws(() => rate(usage(1, 0, 2), version), { code: 'upstream_error' });
});

test('a hold covers whatever usage within its bounds costs', () => {
  const nano = fc.bigInt({ min: 0n, max: 10n ** 15n });
  fc.assert(
    fc.property(
      nano,
      nano,
      fc.option(nano, { nil: undefined }),
      fc.nat(10 ** 9),
      fc.nat(10 ** 9),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (input, output, cachedInput, inputTokensMax, outputTokensMax, part, cachedPart) => {
        const version = price(input, output, cachedInput === undefined ? {} : { cachedInput });
        const inputTokens = Math.floor(inputTokensMax * part);
        const counts = usage(inputTokens, Math.floor(outputTokensMax * part), Math.floor(inputTokens * cachedPart));
        assert.ok(rate(counts, version).amountNano <= holdNano({ inputTokensMax, outputTokensMax, price: version }));
      },
    ),
  );
});

test('the version in force is the latest that has begun', () => {
  const versions = [
    price(1n, 1n, { version: 'a' }),
    price(2n, 2n, { version: 'b', effectiveFromMs: 100 }),
    price(3n, 3n, { version: 'c', effectiveFromMs: 200 }),
    price(9n, 9n, { version: 'usd', currency: 'USD' }),
  ];
  assert.equal(priceInForce(versions, 'CNY', 99)?.version, 'a');
  assert.equal(priceInForce(versions, 'CNY', 100)?.version, 'b');
  assert.equal(priceInForce(versions, 'CNY', 1_000)?.version, 'c');
  assert.equal(priceInForce(versions, 'USD', 0)?.version, 'usd');
  assert.equal(priceInForce(versions, 'EUR', 0), undefined);
});
