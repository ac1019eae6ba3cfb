import assert from 'node:assert/strict';
import { test } from 'node:test';
import { METERS, type MeterCount, type PriceWhenSpec, type UsageVector, WHOLES } from '@millrace/contract';
import fc from 'fast-check';
import { priceInputs, requests, usages } from '../../../test/support/price-books.ts';
import { Fault } from '../../ground/std/index.ts';
import { holdNano } from './hold.ts';
import { type PriceInput, priceVersionOf } from './parse-price.ts';
import { type PriceVersion, readPriceVersion } from './price-version.ts';
import { type RateContext, rate } from './rate.ts';
import { unitsOf } from './usage-vector.ts';

const RUNS = 1_000;
const versionOf = (input: PriceInput): PriceVersion => priceVersionOf(input, 'sell m', 'p').version;

function holdOf(price: PriceVersion, usage: UsageVector, request: RateContext & { untilMs: number; knows: boolean }) {
  const moreMax = METERS.flatMap(({ id }): MeterCount[] => {
    const units = unitsOf(usage, id);
    return units > 0 && id !== 'input' && id !== 'output' ? [{ meter: id, units }] : [];
  });
  try {
    return holdNano({
      price,
      inputTokensMax: usage.inputTokens,
      outputTokensMax: usage.outputTokens,
      // Parts that are not listed may be as much as their whole.
      moreMax: request.knows ? moreMax : moreMax.filter(({ meter }) => WHOLES.some(({ id }) => id === meter)),
      fromMs: request.startMs,
      untilMs: request.untilMs,
      ...(request.knows ? { serviceClass: request.serviceClass, attributes: request.attributes } : {}),
    });
  } catch (error) {
    if (error instanceof Fault && error.code === 'unpriced') return undefined;
    throw error;
  }
}

test('a hold covers whatever usage within its bounds costs, at any moment within its time', () => {
  let held = 0;
  fc.assert(
    fc.property(
      priceInputs,
      usages,
      requests,
      fc.record({
        used: fc.double({ min: 0, max: 1, noNaN: true }),
        ends: fc.double({ min: 0, max: 1, noNaN: true }),
        knows: fc.boolean(),
      }),
      (input, most, request, { used, ends, knows }) => {
        const price = versionOf(input);
        const hold = holdOf(price, most, { ...request, untilMs: request.endMs, knows });
        if (hold === undefined) return;
        held++;
        const startMs = request.startMs;
        const endMs = startMs + Math.floor((request.endMs - startMs) * ends);
        for (const usage of [most, scaled(most, used)]) {
          const { amountNano, unpriced } = rate(usage, price, { ...request, endMs });
          assert.equal(unpriced, undefined, 'what was held for has a price');
          assert.ok(amountNano <= hold, `${amountNano} of ${hold}`);
        }
      },
    ),
    { numRuns: RUNS },
  );
  assert.ok(held > RUNS / 20, `only ${held} were held for`);
});

test('each line that may be rounded up is held for', () => {
  const price = versionOf({ currency: 'CNY', inputPerM: '1', cachedInputPerM: '1', outputPerM: '1', roundTo: '0.01' });
  const usage = { inputTokens: 2, cachedInputTokens: 1, outputTokens: 1, reasoningTokens: 0 };
  const request = { startMs: 0, endMs: 0 };
  assert.equal(rate(usage, price, request).amountNano, 30_000_000n);
  assert.equal(holdNano({ price, inputTokensMax: 2, outputTokensMax: 1, fromMs: 0, untilMs: 0 }), 30_000_000n);
});

test('a price that begins to hold within the time of a request is held for', () => {
  const cases: readonly (readonly [why: string, when: PriceWhenSpec, from: string, until: string])[] = [
    ['a date', { from: '2026-03-01' }, '2026-02-28T23:59:00Z', '2026-03-01T00:00:00Z'],
    ['the end of what is cheaper', { until: '2026-03-01' }, '2026-02-28T23:59:59Z', '2026-02-28T23:59:59Z'],
    ['an hour', { timeZone: 'Asia/Shanghai', hours: '09:00-12:00' }, '2026-03-01T00:59:00Z', '2026-03-01T01:00:00Z'],
    ['the end of a day', { timeZone: 'Asia/Shanghai', days: ['mon'] }, '2026-03-01T15:59:00Z', '2026-03-01T16:00:00Z'],
    [
      'a holiday',
      { timeZone: 'Asia/Shanghai', calendar: 'cn', holidays: 'only' },
      '2026-09-30T15:59:00Z',
      '2026-09-30T16:00:00Z',
    ],
    [
      'a clock that is put forward into the hours',
      { timeZone: 'America/New_York', hours: '02:30-05:00' },
      '2026-03-08T06:59:00Z',
      '2026-03-08T07:00:00Z',
    ],
    [
      'a clock that is put back into them',
      { timeZone: 'America/New_York', hours: '01:10-01:50' },
      '2026-11-01T05:51:00Z',
      '2026-11-01T06:10:00Z',
    ],
  ];
  for (const [why, when, from, until] of cases) {
    const price = versionOf({
      currency: 'CNY',
      inputPerM: '1',
      outputPerM: '1',
      rules: [{ when, prices: { output: '9' } }],
    });
    const untilMs = Date.parse(until);
    const usage = { inputTokens: 0, cachedInputTokens: 0, outputTokens: 1_000_000, reasoningTokens: 0 };
    const hold = (ms: number) =>
      holdNano({ price, inputTokensMax: 0, outputTokensMax: 1_000_000, fromMs: Date.parse(from), untilMs: ms });
    assert.equal(rate(usage, price, { startMs: untilMs, endMs: untilMs }).amountNano, 9_000_000_000n, why);
    assert.equal(hold(untilMs), 9_000_000_000n, why);
    if (from !== until) assert.equal(hold(untilMs - 1), 1_000_000_000n, `${why}: not before`);
  }
});

test('a stretch with more turns than are looked at, or longer than is looked through, is any time', () => {
  const rules = Array.from({ length: 48 }, (_, half) => {
    const minute = (at: number) =>
      `${String(Math.floor(at / 60)).padStart(2, '0')}:${String(at % 60).padStart(2, '0')}`;
    return {
      when: { timeZone: 'UTC', hours: `${minute(half * 30)}-${half === 47 ? '24:00' : minute(half * 30 + 30)}` },
      prices: { output: String(half + 1) },
    };
  });
  const price = versionOf({ currency: 'CNY', inputPerM: '0', outputPerM: '0', rules });
  const hold = (untilMs: number) =>
    holdNano({ price, inputTokensMax: 0, outputTokensMax: 1_000_000, fromMs: 0, untilMs }) / 1_000_000_000n;
  assert.deepEqual([0, 1_799_999, 1_800_000, 36e5, 86_399_999].map(hold), [1n, 1n, 2n, 3n, 48n]);
  assert.equal(hold(5 * 864e5), 48n);
  assert.equal(hold(100 * 864e5), 48n);
});

/** Less of everything, parts within their wholes still. */
function scaled(usage: UsageVector, by: number): UsageVector {
  const part = (units: number) => Math.floor(units * by);
  const more = usage.more?.map(({ meter, units }) => ({ meter, units: part(units) })).filter(({ units }) => units > 0);
  return {
    inputTokens: part(usage.inputTokens),
    cachedInputTokens: part(usage.cachedInputTokens),
    outputTokens: part(usage.outputTokens),
    reasoningTokens: part(usage.reasoningTokens),
    ...(more === undefined || more.length === 0 ? {} : { more }),
  };
}

test('each unit is charged once: lines and what has no price are all that was used', () => {
  const plain = priceInputs.map(input => ({
    ...input,
    rules: (input.rules ?? []).map(rule => ({
      ...rule,
      prices: Object.fromEntries(
        Object.entries(rule.prices).map(([meter, price]) => [meter, typeof price === 'string' ? price : price.price]),
      ),
    })),
  }));
  fc.assert(
    fc.property(plain, usages, requests, (input, usage, request) => {
      const { lines, unpriced = [] } = rate(usage, versionOf(input), request);
      const charged = [...lines, ...unpriced].reduce((sum, { units }) => sum + units, 0);
      assert.equal(
        charged,
        WHOLES.reduce((sum, { id }) => sum + unitsOf(usage, id), 0),
      );
    }),
    { numRuns: RUNS },
  );
});

test('a version is read back as it was made, and its name follows from what it says', () => {
  fc.assert(
    fc.property(priceInputs, input => {
      const { version, content } = priceVersionOf(input, 'sell m', 'p');
      assert.deepEqual(readPriceVersion(content), version);
      assert.deepEqual(structuredClone(version), version);
      assert.notEqual(readPriceVersion(content.replace('sell m', 'sell n')).version, version.version);
    }),
  );
});

test('the same rules written otherwise are the same version', () => {
  const rule = {
    when: { timeZone: 'Asia/Shanghai', hours: ['09:00-12:00', '14:00-18:00'], serviceClass: ['batch', 'flex'] },
    prices: { input: '0.50', output: '2' },
  };
  const base = { currency: 'CNY', inputPerM: '1', outputPerM: '4', rules: [rule] };
  const name = (input: PriceInput) => versionOf(input).version;
  const same: readonly PriceInput[] = [
    { ...base, rules: [{ ...rule, when: { ...rule.when, hours: ['14:00-18:00', '09:00-10:30', '10:00-12:00'] } }] },
    { ...base, rules: [{ ...rule, when: { ...rule.when, serviceClass: ['flex', 'batch', 'flex'] } }] },
    { ...base, rules: [{ ...rule, prices: { output: '2.0', input: { price: '0.5', free: 0, block: 1 } } }] },
    { ...base, rules: [rule, { prices: { input: '1', output: '4' } }], inputPerM: '9', outputPerM: '9' },
    { currency: 'CNY', rules: [rule, { when: {}, prices: { output: '4', input: '1' } }] },
    {
      ...base,
      rules: [
        { when: rule.when, prices: { output: '2' } },
        { when: { ...rule.when, days: ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] }, prices: { input: '0.5' } },
      ],
    },
  ];
  for (const input of same) assert.equal(name(input), name(base), JSON.stringify(input));
  const other: readonly PriceInput[] = [
    { ...base, pricedAt: 'end' },
    { ...base, minimum: '0.1' },
    { ...base, roundTo: '0.01' },
    { ...base, rules: [{ ...rule, when: { ...rule.when, timeZone: 'Asia/Tokyo' } }] },
    { ...base, rules: [{ ...rule, prices: { input: '0.5', output: { price: '2', free: 1 } } }] },
  ];
  assert.equal(new Set([base, ...other].map(name)).size, other.length + 1);
});

test('what three figures can say keeps the name it has always had', () => {
  const figures = { currency: 'CNY', inputPerM: '4', outputPerM: '16' };
  // Made before there were rules.
  const known = 'dfd6b1d8126a4cb2dbdcef5a44a4a791812558db93e8277752dc79ed452d17cf';
  const same: readonly PriceInput[] = [
    figures,
    { currency: 'CNY', rules: [{ prices: { input: '4', output: '16' } }] },
    { ...figures, minimum: '0', roundTo: '0.000000001', pricedAt: 'start' },
    { ...figures, rules: [{ when: {}, prices: { output: '16' } }] },
  ];
  for (const input of same) assert.equal(versionOf(input).version, known);
});
