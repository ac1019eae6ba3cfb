import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PriceRuleSpec } from '@millrace/contract';
import { Fault } from '../../ground/std/index.ts';
import { type PriceInput, priceVersionOf } from './parse-price.ts';

const FIGURES = { currency: 'CNY', inputPerM: '1', outputPerM: '4' };
const rule = (when: PriceRuleSpec['when'], prices: PriceRuleSpec['prices'] = { output: '1' }): PriceInput => ({
  ...FIGURES,
  rules: [when === undefined ? { prices } : { when, prices }],
});
const SHANGHAI = { timeZone: 'Asia/Shanghai' };

const REFUSED: readonly (readonly [why: string, input: PriceInput, param: string])[] = [
  ['no figure and no rule', { currency: 'CNY', inputPerM: '1' }, 'p.outputPerM'],
  ['no price', { ...FIGURES, inputPerM: '-1' }, 'p.inputPerM'],
  ['dearer than any', { ...FIGURES, outputPerM: '1000001' }, 'p.outputPerM'],
  ['no amount', { ...FIGURES, minimum: 'much' }, 'p.minimum'],
  ['rounding to nothing', { ...FIGURES, roundTo: '0' }, 'p.roundTo'],
  ['a rule without a price', rule(undefined, {}), 'p.rules[0].prices'],
  ['no price of a meter', rule(undefined, { searches: 'free' }), 'p.rules[0].prices.searches'],
  [
    'steps that do not grow',
    rule(undefined, { output: { price: '1', steps: [5, 5].map(upTo => ({ upTo, price: '2' })) } }),
    'p.rules[0].prices.output.steps',
  ],
  ['lengths that no request has', rule({ inputAbove: 5, inputUpTo: 5 }), 'p.rules[0].when.inputUpTo'],
  ['dates that never come', rule({ from: '2026-01-02', until: '2026-01-02' }), 'p.rules[0].when.until'],
  ['no date', rule({ from: '2026-02-30' }), 'p.rules[0].when.from'],
  ['hours of nowhere', rule({ hours: '01:00-02:00' }), 'p.rules[0].when.timeZone'],
  ['a place for nothing', rule(SHANGHAI), 'p.rules[0].when.timeZone'],
  ['no place', rule({ timeZone: 'Asia/Atlantis', days: ['mon'] }), 'p.rules[0].when.timeZone'],
  ['an offset for a place', rule({ timeZone: '+08:00', days: ['mon'] }), 'p.rules[0].when.timeZone'],
  ['hours that are none', rule({ ...SHANGHAI, hours: '01:00-01:00' }), 'p.rules[0].when.hours'],
  ['holidays of no calendar', rule({ ...SHANGHAI, holidays: 'only' }), 'p.rules[0].when.calendar'],
  ['a calendar for nothing', rule({ ...SHANGHAI, calendar: 'cn' }), 'p.rules[0].when.holidays'],
  ['no calendar', rule({ ...SHANGHAI, calendar: 'mars', holidays: 'only' }), 'p.rules[0].when.calendar'],
  [
    'more tiers than a hold looks at',
    {
      ...FIGURES,
      rules: Array.from({ length: 33 }, (_, at) => ({ when: { inputAbove: at }, prices: { output: '1' } })),
    },
    'p.rules',
  ],
];

for (const [why, input, param] of REFUSED)
  test(`refused, with its place: ${why}`, () =>
    assert.throws(
      () => priceVersionOf(input, 'sell m', 'p'),
      (error: unknown) => error instanceof Fault && error.code === 'config_invalid' && error.details.param === param,
    ));
