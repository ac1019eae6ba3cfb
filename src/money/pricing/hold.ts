import { type Meter, type MeterCount, type MeterId, type Nano, WHOLES } from '@millrace/contract/words';
import { Fault } from '../../ground/std/index.ts';
import { ConditionCheck, turnsWithin } from './conditions.ts';
import { chargedUnits, dearestNano, stepMillionths } from './line-cost.ts';
import type { FlatPrice, PriceVersion, RuledPrice } from './price-version.ts';
import { AMOUNT_MAX } from './rate.ts';
import { lineNano, roundDivide } from './rounding.ts';
import type { PriceRule } from './rule-book.ts';
import { checkUnits } from './usage-vector.ts';

/** What a request may use and be at most. */
export interface HoldBounds {
  readonly inputTokensMax: number;
  readonly outputTokensMax: number;
  /**
   * Of other meters. A part that is not listed may be as much as its whole; a whole that is not listed is not used. A part of
   * zero units is one that cannot be.
   */
  readonly moreMax?: readonly MeterCount[] | undefined;
  /** From when the request arrived until it must have ended, ms since the epoch. May be left out for three figures. */
  readonly fromMs?: number;
  readonly untilMs?: number;
  /** Absent: any, since the upstream decides. */
  readonly serviceClass?: string | undefined;
  /** Those that are known for certain; any other may have any value. */
  readonly attributes?: ReadonlyMap<string, string> | undefined;
}

const MILLION = 1_000_000n;

/**
 * The worst that a request can cost by this version, whatever it uses within the bounds and whenever it ends within its time.
 * Throws Fault `unpriced` where something that it may use could turn out to have no price.
 */
export function holdNano(bounds: HoldBounds & { readonly price: PriceVersion }): Nano {
  const { inputTokensMax, outputTokensMax, moreMax, price } = bounds;
  checkUnits('input', inputTokensMax);
  checkUnits('output', outputTokensMax);
  if (moreMax !== undefined) for (const { meter, units } of moreMax) checkUnits(meter, units);
  return price.book === undefined ? holdFlat(bounds, price) : holdByRules(bounds, price);
}

/**
 * All input at the dearer of the two input prices, all output that it may give. Rounded up per line, plus one nano for the line
 * that a split between cached and not cached input adds.
 */
function holdFlat({ inputTokensMax, outputTokensMax, moreMax }: HoldBounds, { nanoPerMillion }: FlatPrice): Nano {
  if (moreMax !== undefined)
    for (const { id } of WHOLES) if (id !== 'input' && id !== 'output' && listed(moreMax, id)) throw unpriced(id);
  const { input, cachedInput = 0n, output } = nanoPerMillion;
  const dearer = cachedInput > input ? cachedInput : input;
  const inputNano = lineNano(inputTokensMax, dearer, 'ceil');
  const outputNano = lineNano(outputTokensMax, output, 'ceil');
  return inputNano + outputNano + (inputNano > 0n ? 1n : 0n);
}

function listed(moreMax: readonly MeterCount[] | undefined, meter: MeterId): number | undefined {
  return moreMax?.find(count => count.meter === meter)?.units;
}

function unpriced(meter: MeterId): Fault {
  return new Fault('unpriced', {
    message: `This request may use ${meter}, which has no price`,
    messageZh: `此请求可能使用 ${meter}，但它没有价格`,
  });
}

/**
 * Looks at each moment at which another rule may begin to hold and at each tier of input length, all exactly; class and
 * attributes that are not known may be any. Of each whole the dearest way to spread its units over itself and its parts.
 */
function holdByRules(bounds: HoldBounds, price: RuledPrice): Nano {
  const { book } = price;
  const { inputTokensMax, fromMs, untilMs, serviceClass, attributes } = bounds;
  if (fromMs === undefined || untilMs === undefined)
    throw new RangeError('a price by rules needs to know how long the request may take');
  const times = turnsWithin(book, fromMs, untilMs) ?? [undefined];
  const tiers = [...book.tiers.filter(tier => tier < inputTokensMax), inputTokensMax];
  let worst = 0n;
  for (const atMs of times)
    for (const inputTokens of tiers) {
      const check = new ConditionCheck(book, { inputTokens, atMs, serviceClass, attributes, open: true });
      const nano = worstOf({ bounds, price, check, inputTokens });
      if (nano > worst) worst = nano;
    }
  if (worst < book.minimumNano) worst = book.minimumNano;
  return worst > AMOUNT_MAX ? AMOUNT_MAX : worst;
}

interface Case {
  readonly bounds: HoldBounds;
  readonly price: RuledPrice;
  readonly check: ConditionCheck;
  /** Most that this tier takes. */
  readonly inputTokens: number;
}

function worstOf(at: Case): Nano {
  const { bounds, inputTokens } = at;
  let nano = 0n;
  for (const whole of WHOLES) {
    const units =
      whole.id === 'input'
        ? inputTokens
        : whole.id === 'output'
          ? bounds.outputTokensMax
          : (listed(bounds.moreMax, whole.id) ?? 0);
    if (units > 0) nano += worstOfWhole(at, whole, units);
  }
  return nano;
}

/** Rules that may give the meter's price, in order, and whether one of them must. */
function candidates({ price, check }: Case, meter: MeterId): { readonly rules: readonly PriceRule[]; sure: boolean } {
  const found: PriceRule[] = [];
  for (const rule of price.book.rules.get(meter) ?? []) {
    const verdict = check.verdict(rule.when);
    if (verdict === 'no') continue;
    found.push(rule);
    if (verdict === 'yes') return { rules: found, sure: true };
  }
  return { rules: found, sure: false };
}

/** So many units at most of a meter, at the dearest that one of them can cost. */
interface Share {
  readonly units: number;
  readonly dearest: Nano;
}

function worstOfWhole(at: Case, whole: Meter, units: number): Nano {
  const own = candidates(at, whole.id);
  if (!own.sure) throw unpriced(whole.id);
  const { roundToNano } = at.price.book;
  const roundUp = (millionths: bigint) => roundDivide(millionths, MILLION * roundToNano, 'ceil') * roundToNano;
  const shares: Share[] = [];
  let padding = 0n;
  const addPart = (part: Meter, most: number) => {
    const cap = Math.min(most, listed(at.bounds.moreMax, part.id) ?? most);
    if (cap === 0) return;
    const { rules } = candidates(at, part.id);
    if (rules.length > 0) {
      shares.push({ units: cap, dearest: dearestOf(rules) });
      padding += paddingOf(rules);
    }
    for (const inner of part.parts) addPart(inner, cap);
  };
  for (const part of whole.parts) addPart(part, units);
  // Nothing to spread: exactly what the units cost.
  if (shares.length === 0)
    return largest(own.rules.map(rule => roundUp(stepMillionths(chargedUnits(units, rule), rule))));
  const lines = BigInt(shares.length);
  shares.push({ units, dearest: dearestOf(own.rules) });
  padding += paddingOf(own.rules);
  return roundUp(spread(shares, units) + padding) + lines * roundToNano;
}

/** The dearest units first, as far as each goes. */
function spread(shares: Share[], units: number): bigint {
  let rest = units;
  let millionths = 0n;
  for (const share of shares.sort((a, b) => (a.dearest < b.dearest ? 1 : a.dearest > b.dearest ? -1 : 0))) {
    const taken = Math.min(share.units, rest);
    millionths += BigInt(taken) * share.dearest;
    rest -= taken;
  }
  return millionths;
}

/** What blocks and leasts can add to a line beyond its units. */
function paddingOf(rules: readonly PriceRule[]): bigint {
  return largest(rules.map(rule => BigInt(rule.block - 1 + Math.max(0, rule.least - 1)) * dearestNano(rule)));
}

function dearestOf(rules: readonly PriceRule[]): Nano {
  return largest(rules.map(dearestNano));
}

function largest(amounts: readonly bigint[]): bigint {
  let most = 0n;
  for (const amount of amounts) if (amount > most) most = amount;
  return most;
}
