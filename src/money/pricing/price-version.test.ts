import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAmount } from '@millrace/contract';
import fc from 'fast-check';
import { priceVersionOf } from './parse-price.ts';
import { readPriceVersion } from './price-version.ts';
import { showPrice } from './show-price.ts';

const price = fc.bigInt({ min: 0n, max: 10n ** 15n });
const input = fc.record({
  currency: fc.constantFrom('CNY', 'USD'),
  input: price,
  cached: fc.option(price),
  output: price,
  effectiveFrom: fc.option(
    fc.constantFrom('2026-01-01', '2026-01-01T08:00:00+08:00', '2027-06-30T23:59:59Z', '2027-06-30T23:59:59.125Z'),
  ),
});

test('a version says exactly the price it was made from, and its name follows from what it says', () => {
  fc.assert(
    fc.property(input, ({ currency, cached, effectiveFrom, ...nano }) => {
      const { version, content } = priceVersionOf(
        {
          currency,
          inputPerM: formatAmount(nano.input),
          cachedInputPerM: cached === null ? undefined : formatAmount(cached),
          outputPerM: formatAmount(nano.output),
          effectiveFrom: effectiveFrom ?? undefined,
        },
        'sell m',
        'p',
      );
      assert.ok(version.book === undefined);
      const { cachedInput } = version.nanoPerMillion;
      assert.deepEqual(
        [version.nanoPerMillion.input, cachedInput ?? null, version.nanoPerMillion.output],
        [nano.input, cached, nano.output],
      );
      assert.equal(version.effectiveFromMs, effectiveFrom === null ? 0 : Date.parse(effectiveFrom));
      assert.deepEqual(readPriceVersion(content), version);
      assert.notEqual(readPriceVersion(content.replace('sell m', 'sell n')).version, version.version);
      assert.match(version.version, /^[0-9a-f]{64}$/);
    }),
  );
});

test('the same figures written otherwise are the same version', () => {
  const version = (inputPerM: string, effectiveFrom: string) =>
    priceVersionOf({ currency: 'CNY', inputPerM, outputPerM: '8', effectiveFrom }, 'sell m', 'p').version.version;
  assert.equal(version('4', '2026-01-01'), version('4.000', '2026-01-01T08:00:00+08:00'));
  assert.notEqual(version('4', '2026-01-01'), version('4.000000001', '2026-01-01'));
});

test('a price is shown as people write it', () => {
  const shown = (more: object) =>
    showPrice(priceVersionOf({ currency: 'CNY', inputPerM: '4', outputPerM: '16', ...more }, 'm', 'p').version);
  assert.equal(shown({}), '4/16 CNY');
  assert.equal(shown({ cachedInputPerM: '0.5', effectiveFrom: '2026-01-01' }), '4/0.5/16 CNY from 2026-01-01');
});
