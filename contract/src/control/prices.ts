import * as z from 'zod';
import { WEEKDAYS } from '../dates.ts';
import { METER_IDS, PRICE_ATTRIBUTE_IDS, UNITS_MAX } from '../meters.ts';
import { amountText, currencyText, dateText, positiveAmountText, priceText, text } from './values.ts';

/** Far above any published price list, far below what would be slow to look through. */
const RULES_MAX = 1_000;
const STEPS_MAX = 32;
const VALUES_MAX = 64;

const HOURS = /^(?:[01]\d|2[0-3]):[0-5]\d-(?:(?:[01]\d|2[0-3]):[0-5]\d|24:00)$/;

const hoursText = text(value => HOURS.test(value), {
  en: 'is not a stretch of the day: use 00:30-08:30; one that passes midnight ends on the next day',
  zh: '不是合法的时段：请写成 00:30-08:30；跨越午夜的时段在次日结束',
});
/** A service class, a size, a region: a word of some vendor. */
const wordText = text(value => /^[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}$/.test(value), {
  en: 'is not a word: use up to 64 of letters, digits, "." "_" ":" "/" "-"',
  zh: '不是合法的取值：只能用字母、数字、“.”、“_”、“:”、“/”、“-”，最多 64 个字符',
});
const placeText = z.string().min(1).max(64);
const words = z.union([wordText, z.array(wordText).min(1).max(VALUES_MAX)]);
const units = z.int().min(0).max(UNITS_MAX);

/** When a rule holds: all that is named must. */
const priceWhenSchema = z.strictObject({
  /** Tokens of input, cached ones included: more than, and at most. Decides the price of all tokens of the request. */
  inputAbove: units.exactOptional(),
  inputUpTo: units.exactOptional(),
  /** `standard` is the class of a request that says none. */
  serviceClass: words.exactOptional(),
  attributes: z.partialRecord(z.enum(PRICE_ATTRIBUTE_IDS), words).exactOptional(),
  /** IANA name of the place whose clocks and calendar hours, days and holidays go by. */
  timeZone: placeText.exactOptional(),
  hours: z.union([hoursText, z.array(hoursText).min(1).max(24)]).exactOptional(),
  days: z.array(z.enum(WEEKDAYS)).min(1).max(7).exactOptional(),
  /** A public holiday calendar, such as cn: with `holidays`, days that are on it (`only`) or not (`except`). */
  calendar: placeText.exactOptional(),
  holidays: z.enum(['except', 'only']).exactOptional(),
  from: dateText.exactOptional(),
  until: dateText.exactOptional(),
});

const meterPriceSchema = z.strictObject({
  /** Of the units beyond the last step. */
  price: priceText,
  /** Units up to `upTo` cost this, those beyond it the next step's. */
  steps: z
    .array(z.strictObject({ upTo: units.min(1), price: priceText }))
    .min(1)
    .max(STEPS_MAX)
    .exactOptional(),
  /** First units of a request that cost nothing. */
  free: units.exactOptional(),
  /** Where any are charged, at least so many. */
  least: units.exactOptional(),
  /** Charged in blocks of so many units; one that is begun counts whole. */
  block: units.min(1).exactOptional(),
});

const priceRuleSchema = z.strictObject({
  when: priceWhenSchema.exactOptional(),
  /** By meter; tokens, characters and pixels per million, times per second, storage per gigabyte-hour, all else each. */
  prices: z.partialRecord(z.enum(METER_IDS), z.union([priceText, meterPriceSchema])),
});

/** A price as people write it: three common figures, rules before them, or both. */
export const ruledPriceSchema = z
  .strictObject({
    currency: currencyText,
    /** Units of the currency per 1,000,000 tokens. */
    inputPerM: priceText.exactOptional(),
    /** Absent: cached tokens are charged as input. */
    cachedInputPerM: priceText.exactOptional(),
    outputPerM: priceText.exactOptional(),
    /** Absent: in force from the beginning. */
    effectiveFrom: dateText.exactOptional(),
    /** The first that holds gives a meter's price; the figures beside the rules stand behind them all. */
    rules: z.array(priceRuleSchema).min(1).max(RULES_MAX).exactOptional(),
    /** Least that a request costs which used anything. */
    minimum: amountText.exactOptional(),
    rounding: z.enum(['ceil', 'half-even', 'half-up', 'floor']).exactOptional(),
    /** Each line of a charge is a whole multiple of it. */
    roundTo: positiveAmountText.exactOptional(),
    /** Which moment of a request counts for hours and dates. */
    pricedAt: z.enum(['start', 'end']).exactOptional(),
  })
  .superRefine((price, context) => {
    // Rules may say all that is charged; without any, both figures do.
    if (price.rules !== undefined) return;
    for (const field of ['inputPerM', 'outputPerM'] as const)
      if (price[field] === undefined)
        context.addIssue({ code: 'custom', path: [field], message: 'is missing', params: { zh: '缺失' } });
  });

export type PriceRuleSpec = z.output<typeof priceRuleSchema>;
export type PriceWhenSpec = z.output<typeof priceWhenSchema>;
export type MeterPriceSpec = z.output<typeof meterPriceSchema>;
