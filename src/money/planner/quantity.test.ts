import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { exchange, hoursCost, tokensCost } from './money.ts';
import {
  formatExchangeRate,
  formatPrice,
  formatQuantity,
  parseExchangeRate,
  parseMoney,
  parseQuantity,
  type QuantityKind,
} from './quantity.ts';

test('units people write are read exactly', () => {
  assert.deepEqual(parseMoney('price', '16 CNY/Mtok', 'tokenPrice'), { nano: 16_000_000_000n, currency: 'CNY' });
  assert.deepEqual(parseMoney('price', '0.0028 USD/Mtok', 'tokenPrice'), { nano: 2_800_000n, currency: 'USD' });
  assert.deepEqual(parseMoney('price', '0.016 元/ktok', 'tokenPrice'), { nano: 16_000_000_000n, currency: 'CNY' });
  assert.deepEqual(parseMoney('price', '2 USD/h', 'gpuPrice'), { nano: 2_000_000_000n, currency: 'USD' });
  assert.deepEqual(parseMoney('price', '2 USD/GPU/h', 'gpuPrice'), { nano: 2_000_000_000n, currency: 'USD' });
  assert.deepEqual(parseMoney('price', '48 USD/day', 'gpuPrice'), { nano: 2_000_000_000n, currency: 'USD' });
  assert.deepEqual(parseMoney('price', '4.5 亿元', 'money'), { nano: 450_000_000_000_000_000n, currency: 'CNY' });
  assert.deepEqual(parseExchangeRate('fx', '7.2 CNY/USD'), { from: 'USD', to: 'CNY', nano: 7_200_000_000n });
  assert.equal(parseQuantity('demand', '100 Gtok/day', 'tokenRate'), 1e11 / 86_400);
  assert.equal(parseQuantity('demand', '1000 亿tok/day', 'tokenRate'), 1e11 / 86_400);
  assert.equal(parseQuantity('hit', '56.3 %', 'ratio'), 0.563);
  assert.equal(parseQuantity('users', '50 Muser', 'users'), 5e7);
  assert.equal(parseQuantity('speed', '20 tok/s', 'speed'), 20);
  assert.equal(parseQuantity('node', '14.8 ktok/s/node', 'nodeThroughput'), 14_800);
  assert.equal(parseQuantity('peak', '989 TFLOPS', 'flops'), 989e12);
});

const refused: readonly [string, () => unknown, RegExp][] = [
  [
    'money per time for a token price',
    () => parseMoney('price.output', '16 CNY/day', 'tokenPrice'),
    /price\.output: "16 CNY\/day" is money per time; write a price per tokens, such as "16 CNY\/Mtok"/,
  ],
  [
    'no unit',
    () => parseMoney('price.output', '16', 'tokenPrice'),
    /has no unit; write a price per tokens, such as "16 CNY\/Mtok"/,
  ],
  [
    'rate for a count',
    () => parseQuantity('input', '4 ktok/s', 'tokens'),
    /is tokens per time; write a number of tokens, such as "4096 tok"/,
  ],
  [
    'unknown unit',
    () => parseQuantity('demand', '100 Gtoken/fortnight', 'tokenRate'),
    /unknown unit "Gtoken\/fortnight".*100 Gtok\/day/,
  ],
  ['negative', () => parseQuantity('demand', '-1 Gtok/day', 'tokenRate'), /is negative/],
  ['negative price', () => parseMoney('price', '-16 CNY/Mtok', 'tokenPrice'), /is negative/],
  ['infinite', () => parseQuantity('demand', 'Infinity tok/s', 'tokenRate'), /not a number with a unit/],
  ['NaN', () => parseQuantity('demand', 'NaN', 'tokenRate'), /not a number with a unit/],
  ['huge', () => parseQuantity('demand', '1e30 tok/s', 'tokenRate'), /out of range/],
  ['share above one', () => parseQuantity('hit', '130 %', 'ratio'), /out of range/],
  ['percent left out', () => parseQuantity('hit', '56.3', 'ratio'), /out of range/],
  [
    'two currencies in a price',
    () => parseExchangeRate('fx', '7.2 CNY'),
    /no exchange rate; write one such as "7\.2 CNY\/USD"/,
  ],
  [
    'other currencies',
    () => exchange({ nano: 1n, currency: 'EUR' }, 'CNY', undefined),
    /EUR cannot be compared with CNY; give a rate/,
  ],
];
for (const [name, run, message] of refused) {
  test(`refuses ${name}`, () => assert.throws(run, message));
}

test('property: money round-trips through its text', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 10n ** 15n }), fc.constantFrom('CNY', 'USD'), (nano, currency) => {
      const money = { nano, currency };
      for (const kind of ['tokenPrice', 'money'] as const)
        assert.deepEqual(parseMoney('x', formatPrice(money, kind), kind), money);
      const small = { nano: nano % 10n ** 12n, currency };
      assert.deepEqual(parseMoney('x', formatPrice(small, 'gpuPrice'), 'gpuPrice'), small);
    }),
  );
});

test('property: quantities and exchange rates round-trip', () => {
  const kinds: readonly QuantityKind[] = ['tokens', 'tokenRate', 'speed', 'nodeThroughput', 'duration', 'bytes'];
  fc.assert(
    fc.property(fc.double({ min: 0.001, max: 90_000, noNaN: true }), fc.constantFrom(...kinds), (value, kind) => {
      const again = parseQuantity('x', formatQuantity(value, kind), kind);
      assert.ok(Math.abs(again - value) <= Math.abs(value) * 1e-15, `${value} became ${again}`);
    }),
  );
  const rate = parseExchangeRate('fx', '7.2 CNY/USD');
  assert.deepEqual(parseExchangeRate('fx', formatExchangeRate(rate)), rate);
});

test('property: a token line is linear to one rounding', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1e12 }), fc.bigInt({ min: 0n, max: 10n ** 12n }), (tokens, price) => {
      const twice = tokensCost(tokens, price, 'ceil') * 2n;
      const once = tokensCost(tokens * 2, price, 'ceil');
      const gap = once - twice;
      assert.ok(gap >= -1n && gap <= 1n);
    }),
  );
  assert.equal(hoursCost(226.75 * 8 * 24, 2_000_000_000n), 87_072_000_000_000n);
});
