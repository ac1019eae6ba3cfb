import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configSchema, pathText } from '@millrace/contract';
import { priceWarnings } from './price-warnings.ts';

const NOW = Date.UTC(2026, 5, 1);
const price = (inputPerM: string, outputPerM: string, more: object = {}) => ({
  currency: 'CNY',
  inputPerM,
  outputPerM,
  ...more,
});

/** What is said of these prices beside these costs, as `path: sentence`. */
function said(prices: readonly object[], costs: readonly object[] = [], lang: 'en' | 'zh' = 'en'): readonly string[] {
  const deployments = [{ id: 'a', provider: 'mock', costs }];
  const document = configSchema.parse({ models: [{ id: 'm', prices, deployments }] });
  return priceWarnings(document, NOW).map(({ path, words }) => `${pathText(path).slice(10)}: ${words[lang]}`);
}

const TO_COME = { effectiveFrom: '2027-01-01' };
const loss = (meter: string, own: string, cost: string, index = 0) =>
  `prices[${index}].${meter}: ${own} CNY is below what a costs, ${cost} CNY: each token is sold at a loss`;

test('a price that is below the cost at any time, or not in force yet, is worth a second look', () => {
  const cases: readonly [prices: readonly object[], costs: readonly object[], expected: readonly string[]][] = [
    [[price('1', '2')], [], []],
    [[price('1', '2')], [price('1', '2')], []],
    [[price('1', '2', { effectiveFrom: '2026-06-01' })], [], []],
    [[price('1', '2')], [price('1.1', '2')], [loss('inputPerM', '1', '1.1')]],
    [[price('0', '0')], [price('1', '2')], [loss('inputPerM', '0', '1'), loss('outputPerM', '0', '2')]],
    // Cached tokens cost as much as others where the vendor has no price of their own.
    [[price('1', '2', { cachedInputPerM: '0.1' })], [price('1', '2')], [loss('cachedInputPerM', '0.1', '1')]],
    [[price('1', '2', { cachedInputPerM: '0.1' })], [price('1', '2', { cachedInputPerM: '0.1' })], []],
    // In another currency nothing is known.
    [[price('1', '2')], [price('9', '9', { currency: 'USD' })], []],
    [
      [price('1', '2', TO_COME)],
      [],
      [
        'prices[0].effectiveFrom: 2027-01-01 is still to come: until then there is no price in CNY, and who pays in it is refused',
      ],
    ],
    [
      [price('1', '2'), price('3', '4', TO_COME)],
      [],
      ['prices[1].effectiveFrom: 2027-01-01 is still to come: until then the price before it holds'],
    ],
    // A cost that rises when the price does is covered; one that rises before it is not.
    [
      [price('1', '2'), price('3', '4', { effectiveFrom: '2026-05-01' })],
      [price('1', '2'), price('3', '4', { effectiveFrom: '2026-05-01' })],
      [],
    ],
    [
      [price('1', '2'), price('3', '4', { effectiveFrom: '2026-05-01' })],
      [price('1', '2'), price('3', '2', { effectiveFrom: '2026-04-01' })],
      [loss('inputPerM', '1', '3')],
    ],
  ];
  for (const [prices, costs, expected] of cases) {
    assert.deepEqual(said(prices, costs), expected);
    for (const text of said(prices, costs, 'zh')) assert.match(text, /\p{Script=Han}/u);
  }
});
