import {
  formatAmount,
  METER_IDS,
  type MeterCount,
  type MeterId,
  PRICE_ATTRIBUTE_IDS,
  type PriceRuleSpec,
  type UsageVector,
  WEEKDAYS,
} from '@millrace/contract';
import fc from 'fast-check';
import type { PriceInput, RateContext } from '../../src/money/pricing/index.ts';

// Price lists, usage and requests of every kind, for properties that hold for all of them.

const price = fc.oneof(
  fc.constant('0'),
  fc.bigInt({ min: 0n, max: 10n ** 12n }).map(formatAmount),
  fc.integer({ min: 1, max: 500 }).map(cents => formatAmount(BigInt(cents) * 10_000_000n)),
);
const LENGTHS = [0, 1, 1_000, 32_000, 128_000, 200_000, 1_000_000] as const;
const length = fc.constantFrom(...LENGTHS);
const CLASSES = ['standard', 'batch', 'flex', 'priority'] as const;
const VALUES = ['a', 'b', 'c'] as const;
/** Some with summer time, half hours, and quarter hours off. */
const ZONES = ['UTC', 'Asia/Shanghai', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kathmandu'] as const;
const some = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const subset = <T>(values: readonly T[]) => fc.uniqueArray(fc.constantFrom(...values), { minLength: 1, maxLength: 3 });
const minute = fc.integer({ min: 0, max: 95 }).map(quarter => {
  const [hours, minutes] = [Math.floor(quarter / 4), (quarter % 4) * 15];
  return `${String(hours).padStart(2, '0')}:${String(minutes).padStart(2, '0')}`;
});
const hours = fc
  .tuple(minute, minute)
  .filter(([first, end]) => first !== end)
  .map(([first, end]) => `${first}-${end}`);
const FIRST_MS = Date.UTC(2025, 0, 1);
const LAST_MS = Date.UTC(2027, 0, 1);
const moment = fc.integer({ min: FIRST_MS / 60_000, max: LAST_MS / 60_000 }).map(minutes => minutes * 60_000);
const date = moment.map(ms => new Date(ms).toISOString().replace('.000', ''));

const lengths = fc.record({ above: some(length), upTo: some(length) }).map(({ above, upTo }) => ({
  ...(above === undefined ? {} : { inputAbove: above }),
  ...(upTo === undefined || upTo <= (above ?? -1) ? {} : { inputUpTo: upTo }),
}));
const times = fc
  .record({
    timeZone: fc.constantFrom(...ZONES),
    hours: some(fc.array(hours, { minLength: 1, maxLength: 3 })),
    days: some(subset(WEEKDAYS)),
    holidays: some(fc.constantFrom('except' as const, 'only' as const)),
  })
  .map(({ timeZone, hours, days, holidays }) => ({
    ...(hours === undefined ? {} : { hours }),
    ...(days === undefined ? {} : { days }),
    ...(holidays === undefined ? {} : { calendar: 'cn', holidays }),
    ...(hours === undefined && days === undefined && holidays === undefined ? {} : { timeZone }),
  }));
const dates = fc.record({ from: some(date), until: some(date) }).map(({ from, until }) => ({
  ...(from === undefined ? {} : { from }),
  ...(until === undefined || until <= (from ?? '') ? {} : { until }),
}));
const classes = subset(CLASSES).map(serviceClass => ({ serviceClass }));
const attributes = fc
  .dictionary(fc.constantFrom(...PRICE_ATTRIBUTE_IDS.slice(0, 3)), subset(VALUES), { minKeys: 1, maxKeys: 2 })
  .map(given => ({ attributes: given }));
const when: fc.Arbitrary<NonNullable<PriceRuleSpec['when']>> = fc
  .tuple(...[lengths, times, dates, classes, attributes].map(part => fc.oneof(fc.constant({}), part)))
  .map(parts => Object.assign({}, ...parts));

const meterPrice = fc.oneof(
  price,
  fc
    .record({
      price,
      steps: some(
        fc
          .uniqueArray(fc.constantFrom(1, 1_000, 50_000, 128_000), { minLength: 1, maxLength: 3 })
          .chain(ends =>
            fc
              .array(price, { minLength: ends.length, maxLength: ends.length })
              .map(prices => ends.sort((a, b) => a - b).map((upTo, index) => ({ upTo, price: prices[index] ?? '0' }))),
          ),
      ),
      free: some(fc.constantFrom(0, 1, 1_000)),
      least: some(fc.constantFrom(0, 4, 1_000)),
      block: some(fc.constantFrom(1, 4, 1_000)),
    })
    .map(({ price: beyond, steps, free, least, block }) => ({
      price: beyond,
      ...(steps === undefined ? {} : { steps }),
      ...(free === undefined ? {} : { free }),
      ...(least === undefined ? {} : { least }),
      ...(block === undefined ? {} : { block }),
    })),
);
const rule: fc.Arbitrary<PriceRuleSpec> = fc.record(
  {
    when,
    prices: fc
      .uniqueArray(fc.tuple(fc.constantFrom(...METER_IDS), meterPrice), {
        minLength: 1,
        maxLength: 6,
        selector: ([meter]) => meter,
      })
      .map(prices => Object.fromEntries(prices)),
  },
  { requiredKeys: ['prices'] },
);

/** As people write it. With `figures` every request has a price. */
export const priceInputs: fc.Arbitrary<PriceInput> = fc.record(
  {
    currency: fc.constant('CNY'),
    inputPerM: price,
    cachedInputPerM: price,
    outputPerM: price,
    rules: fc.array(rule, { minLength: 1, maxLength: 8 }),
    minimum: fc.oneof(fc.constant('0'), price),
    rounding: fc.constantFrom('ceil' as const, 'half-even' as const, 'half-up' as const, 'floor' as const),
    roundTo: fc.constantFrom('0.000000001', '0.000001', '0.01'),
    pricedAt: fc.constantFrom('start' as const, 'end' as const),
  },
  { requiredKeys: ['currency', 'rules'] },
);

/** Whole numbers that together are at most `whole`. */
const split = (whole: number, parts: number) =>
  fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: parts, maxLength: parts }).map(shares => {
    let rest = whole;
    return shares.map(share => {
      // Often nothing or all of it.
      const units = share < 0.3 ? 0 : share > 0.8 ? rest : Math.floor(rest * share);
      rest -= units;
      return units;
    });
  });

const count = fc.oneof(
  fc.constant(0),
  fc.integer({ min: 0, max: 10 }),
  fc.integer({ min: 0, max: 1_500_000 }),
  length,
  fc.constantFrom(...LENGTHS.map(most => most + 1)),
);
const OTHERS: readonly MeterId[] = ['videoTime', 'images', 'characters', 'requests', 'searches', 'trainedTokens'];

export const usages: fc.Arbitrary<UsageVector> = fc
  .record({ input: count, output: count, others: fc.array(count, { minLength: 6, maxLength: 6 }), few: fc.boolean() })
  .chain(({ input, output, others, few }) =>
    fc
      .record({ cache: split(input, 2), kinds: split(input, 3), said: split(output, 3) })
      .chain(({ cache, kinds, said }) =>
        split(cache[1] ?? 0, 4).map(lifetimes => {
          const counts: readonly (readonly [MeterId, number | undefined])[] = [
            ['cacheWrite', cache[1]],
            ...(['cacheWrite5m', 'cacheWrite30m', 'cacheWrite1h', 'cacheWrite12h'] as const).map(
              (meter, index) => [meter, lifetimes[index]] as const,
            ),
            ['imageInput', kinds[0]],
            ['audioInput', kinds[1]],
            ['videoInput', kinds[2]],
            ['imageOutput', said[1]],
            ['audioOutput', said[2]],
            ...OTHERS.map((meter, index) => [meter, others[index]] as const),
          ];
          const more = counts.flatMap(([meter, units = 0]): MeterCount[] => (units > 0 ? [{ meter, units }] : []));
          return {
            inputTokens: input,
            cachedInputTokens: cache[0] ?? 0,
            outputTokens: output,
            reasoningTokens: said[0] ?? 0,
            ...(few || more.length === 0 ? {} : { more: inOrder(more) }),
          };
        }),
      ),
  );

function inOrder(more: readonly MeterCount[]): readonly MeterCount[] {
  return more.toSorted((a, b) => METER_IDS.indexOf(a.meter) - METER_IDS.indexOf(b.meter));
}

export const requests: fc.Arbitrary<RateContext> = fc
  .record({
    startMs: fc.integer({ min: FIRST_MS, max: LAST_MS }),
    // Seconds, hours, days.
    lastsMs: fc.oneof(fc.nat(30_000), fc.nat(36_000_000), fc.nat(1_000_000_000)),
    serviceClass: some(fc.constantFrom(...CLASSES)),
    attributes: some(
      fc
        .dictionary(fc.constantFrom(...PRICE_ATTRIBUTE_IDS.slice(0, 3)), fc.constantFrom(...VALUES))
        .map(given => new Map(Object.entries(given))),
    ),
  })
  .map(({ startMs, lastsMs, ...given }) => ({ startMs, endMs: startMs + lastsMs, ...given }));
