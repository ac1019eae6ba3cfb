import assert from 'node:assert/strict';
import { test } from 'node:test';
import { METER_IDS } from '@millrace/contract';
import fc from 'fast-check';
import { priceInputs, requests, usages } from '../../../../test/support/price-books.ts';
import { priceVersionOf, rate, unitsOf } from '../../pricing/index.ts';
import { amountByRules, readRuleFigures } from './price-rules.ts';

test('two ways to one figure: rating and its proof agree on any price, usage and request', () => {
  fc.assert(
    fc.property(priceInputs, usages, requests, (input, usage, request) => {
      const { version, content } = priceVersionOf({ ...input, pricedAt: input.pricedAt ?? 'end' }, 'sell m', 'p');
      const fields: Readonly<Record<string, unknown>> = JSON.parse(content);
      fc.pre('grammar' in fields);
      const units = new Map(METER_IDS.map(meter => [meter, BigInt(unitsOf(usage, meter))] as const));
      assert.equal(
        rate(usage, version, request).amountNano,
        amountByRules(readRuleFigures(fields), { ...request, units }),
      );
    }),
    { numRuns: 1_000 },
  );
});

test('a content that is not of the form is refused, not read as another price', () => {
  const content = {
    grammar: 2,
    rules: [{ meter: 'input', price: '5' }],
    rounding: 'ceil',
    roundTo: '1',
    minimum: '0',
    pricedAt: 'start',
  };
  const amount = (fields: object) =>
    amountByRules(readRuleFigures({ ...content, ...fields }), {
      units: new Map([['input', 1_000_000n]]),
      startMs: 0,
      endMs: 0,
    });
  assert.equal(amount({}), 5n);
  const bad: readonly object[] = [
    { rules: undefined },
    { rules: [{ meter: 'input', price: 5 }] },
    { rules: [{ meter: 'input', price: '5', when: { moon: 'full' } }] },
    { rules: [{ meter: 'input', price: '5', when: 'always' }] },
    { rules: [{ meter: 'input', price: '5', least: '3' }] },
    { rounding: 'up' },
    { roundTo: 1 },
    { minimum: 'none' },
  ];
  for (const fields of bad) assert.throws(() => amount(fields), JSON.stringify(fields));
});
