import {
  type Currency,
  findMeter,
  type Meter,
  type MeterCount,
  type MeterId,
  type Nano,
  type UsageVector,
} from '@millrace/contract/words';
import { Fault } from '../../ground/std/index.ts';
import { ConditionCheck } from './conditions.ts';
import { chargedUnits, ruleFor, stepMillionths } from './line-cost.ts';
import type { FlatPrice, PriceVersion, RuledPrice } from './price-version.ts';
import { lineNano, type Rounding, roundDivide } from './rounding.ts';
import { checkUsage, isNothing, isWhole, unitsOf } from './usage-vector.ts';

/** One line of a bill: so many units of one meter at one price. */
export interface RatedLine {
  readonly meter: MeterId;
  readonly units: number;
  /** Of units beyond the last step, where the price has steps. */
  readonly nanoPerMillion: Nano;
  readonly amountNano: Nano;
}

export interface Rated {
  readonly lines: readonly RatedLine[];
  readonly amountNano: Nano;
  readonly currency: Currency;
  /** What was used but has no price: not in the amount. Absent: nothing. */
  readonly unpriced?: readonly MeterCount[];
}

/** What a price may depend on beside the usage. */
export interface RateContext {
  /** When the request arrived, and when it ended, ms since the epoch: the price says which of them counts. */
  readonly startMs: number;
  readonly endMs: number;
  /** Absent: `standard`. */
  readonly serviceClass?: string | undefined;
  /** By id of the attribute. */
  readonly attributes?: ReadonlyMap<string, string> | undefined;
}

/** Far below int64, so that sums of a few amounts stay there too. No price within its bounds makes an honest request reach it. */
export const AMOUNT_MAX = 4_000_000_000_000_000_000n;
const MILLION = 1_000_000n;

/**
 * Usage × price. One rounding per line, by the version's rule. Throws Fault `upstream_error` where a count is not an integer
 * within 0…1e9, or parts exceed their whole: refused, never taken for zero. `context` may be left out for three figures.
 */
export function rate(usage: UsageVector, price: PriceVersion, context?: RateContext): Rated {
  checkUsage(usage);
  if (price.book === undefined) return rateFlat(usage, price);
  if (context === undefined) throw new RangeError('a price by rules needs to know of the request');
  return rateByRules(usage, price, context);
}

function rateFlat(usage: UsageVector, { nanoPerMillion, rounding, currency }: FlatPrice): Rated {
  const { inputTokens, cachedInputTokens, outputTokens, more } = usage;
  const { input, cachedInput, output } = nanoPerMillion;
  const lines: RatedLine[] = [];
  // Without a price of their own, cached tokens are input: one line, one rounding.
  const apart = cachedInput === undefined ? 0 : cachedInputTokens;
  let amountNano = addLine(lines, 'input', inputTokens - apart, input, rounding);
  if (cachedInput !== undefined) amountNano += addLine(lines, 'cachedInput', apart, cachedInput, rounding);
  amountNano += addLine(lines, 'output', outputTokens, output, rounding);
  if (more === undefined) return { lines, amountNano, currency };
  // Other parts of input and output are charged as these; what is part of neither has no price here.
  const unpriced = more.filter(({ meter }) => isWhole(meter));
  return unpriced.length === 0 ? { lines, amountNano, currency } : { lines, amountNano, currency, unpriced };
}

function addLine(lines: RatedLine[], meter: MeterId, units: number, nanoPerMillion: Nano, rounding: Rounding): Nano {
  if (units === 0) return 0n;
  const amountNano = lineNano(units, nanoPerMillion, rounding);
  lines.push({ meter, units, nanoPerMillion, amountNano });
  return amountNano;
}

/** What is being rated, and what came of it so far. */
interface Bill {
  readonly usage: UsageVector;
  readonly price: RuledPrice;
  readonly check: ConditionCheck;
  readonly lines: RatedLine[];
  readonly unpriced: MeterCount[];
  amountNano: Nano;
}

function rateByRules(usage: UsageVector, price: RuledPrice, context: RateContext): Rated {
  const { book, currency } = price;
  const { startMs, endMs, serviceClass, attributes } = context;
  const check = new ConditionCheck(book, {
    inputTokens: usage.inputTokens,
    atMs: book.pricedAt === 'start' ? startMs : endMs,
    serviceClass,
    attributes,
    open: false,
  });
  const bill: Bill = { usage, price, check, lines: [], unpriced: [], amountNano: 0n };
  rateWhole(bill, INPUT);
  rateWhole(bill, OUTPUT);
  if (usage.more !== undefined)
    for (const { meter } of usage.more) if (isWhole(meter)) rateWhole(bill, meterNamed(meter));
  const { lines, unpriced } = bill;
  const amountNano = isNothing(usage) || bill.amountNano > book.minimumNano ? bill.amountNano : book.minimumNano;
  if (amountNano > AMOUNT_MAX) throw new Fault('upstream_error', { internal: `amount out of range: ${amountNano}` });
  return unpriced.length === 0 ? { lines, amountNano, currency } : { lines, amountNano, currency, unpriced };
}

const meterNamed = (id: MeterId): Meter => {
  const meter = findMeter(id);
  if (!meter) throw new RangeError(`no meter ${id}`);
  return meter;
};
const INPUT = meterNamed('input');
const OUTPUT = meterNamed('output');

function rateWhole(bill: Bill, whole: Meter): void {
  const units = unitsOf(bill.usage, whole.id);
  if (units === 0) return;
  const rest = units - rateMeter(bill, whole, units);
  if (rest > 0) bill.unpriced.push({ meter: whole.id, units: rest });
}

/**
 * Charges a meter's units at its own price, where it has one, but for those that parts of it charge at theirs. Parts come first,
 * each as far as its whole has units left: so where two overlap no unit is charged twice. Returns how many were charged.
 */
function rateMeter(bill: Bill, meter: Meter, available: number): number {
  const units = Math.min(unitsOf(bill.usage, meter.id), available);
  if (units === 0) return 0;
  let rest = units;
  for (const part of meter.parts) rest -= rateMeter(bill, part, rest);
  const { book, rounding } = bill.price;
  const rule = ruleFor(book, meter.id, bill.check);
  if (rule === undefined) return units - rest;
  const charged = rest === 0 ? 0 : chargedUnits(rest, rule);
  if (charged === 0) return units;
  const millionths = stepMillionths(charged, rule);
  const { roundToNano } = book;
  const amountNano =
    roundToNano === 1n
      ? roundDivide(millionths, MILLION, rounding)
      : roundDivide(millionths, MILLION * roundToNano, rounding) * roundToNano;
  bill.amountNano += amountNano;
  bill.lines.push({ meter: meter.id, units: charged, nanoPerMillion: rule.nanoPerMillion, amountNano });
  return units;
}
