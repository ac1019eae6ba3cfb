import { oneOf } from './gbnf.ts';

/** Digits after the point, and before it where a side is open; as in the rules of a number without bounds. */
const DIGITS_MAX = 64;
const DIGITS = `[0-9]{0,${DIGITS_MAX - 1}}`;

/** An end of a range: a decimal number, exactly. */
export interface Bound {
  readonly negative: boolean;
  readonly whole: bigint;
  /** Digits after the point, without zeros at the end. */
  readonly fraction: string;
  /** The bound itself is out. */
  readonly excluded: boolean;
}

/** Undefined where `text` is no number of JSON, or one of more digits than are written here. */
export function parseBound(text: string, excluded: boolean): Bound | undefined {
  const match = /^(-?)([0-9]{1,400})(?:\.([0-9]{1,400}))?(?:[eE]([+-]?[0-9]{1,3}))?$/.exec(text);
  if (match === null) return undefined;
  const [, sign, whole = '', fraction = '', exponent = '0'] = match;
  const point = whole.length + Number(exponent);
  const digits = '0'.repeat(Math.max(0, -point)) + whole + fraction;
  const at = Math.max(0, point);
  const padded = digits.padEnd(at, '0');
  const bound = {
    negative: sign === '-',
    whole: BigInt(padded.slice(0, at) || '0'),
    fraction: padded.slice(at).replace(/0+$/, ''),
    excluded,
  };
  const isZero = bound.whole === 0n && bound.fraction === '';
  if (String(bound.whole).length > DIGITS_MAX || bound.fraction.length > DIGITS_MAX) return undefined;
  return isZero ? { ...bound, negative: false } : bound;
}

/** -1, 0 or 1 as `a` is below, at or above `b`. */
export function compareBounds(a: Bound, b: Bound): number {
  if (a.negative !== b.negative) return a.negative ? -1 : 1;
  const size = a.whole === b.whole ? order(a.fraction, b.fraction) : a.whole < b.whole ? -1 : 1;
  return a.negative ? -size : size;
}

/** Digits without zeros at their end compare as texts do. */
function order(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** The smallest integer within a lower bound. */
function integerFrom(bound: Bound): bigint {
  const { negative, whole, fraction, excluded } = bound;
  if (fraction === '') return (negative ? -whole : whole) + (excluded ? 1n : 0n);
  return negative ? -whole : whole + 1n;
}

/** Integers from `from` to `to`; undefined: open. Undefined result: none. */
export function integerRange(from: Bound | undefined, to: Bound | undefined): string | undefined {
  const low = from && integerFrom(from);
  const high = to && -integerFrom({ ...to, negative: !to.negative });
  if (low !== undefined && high !== undefined && low > high) return undefined;
  const parts: string[] = [];
  // -0 is no integer anyone means, so the negative side begins at 1.
  if (low === undefined || low < 0n)
    parts.push(`"-" ${magnitudes(high !== undefined && high < 0n ? -high : 1n, low === undefined ? undefined : -low)}`);
  if (high === undefined || high >= 0n) parts.push(magnitudes(low !== undefined && low > 0n ? low : 0n, high));
  return oneOf(parts);
}

const ZERO: Bound = { negative: false, whole: 0n, fraction: '', excluded: false };

/** Decimals, without exponent, from `from` to `to`; undefined: open. Undefined result: none. */
export function decimalRange(from: Bound | undefined, to: Bound | undefined): string | undefined {
  if (from && to) {
    const compared = compareBounds(from, to);
    if (compared > 0 || (compared === 0 && (from.excluded || to.excluded))) return undefined;
  }
  const parts: string[] = [];
  if (from === undefined || from.negative) {
    // Magnitudes of the negative side: its bounds change places. Zero has no sign here.
    const least = to?.negative === true ? to : { ...ZERO, excluded: true };
    const side = sideRange(least, from);
    if (side !== undefined) parts.push(`"-" ${side}`);
  }
  if (to === undefined || !to.negative) {
    const side = sideRange(from === undefined || from.negative ? ZERO : from, to);
    if (side !== undefined) parts.push(side);
  }
  return parts.length === 0 ? undefined : oneOf(parts);
}

/** Decimals that are not negative, between two magnitudes. */
function sideRange(low: Bound, high: Bound | undefined): string | undefined {
  const parts: string[] = [];
  const withWhole = (whole: bigint, fractions: readonly string[]) => {
    for (const fraction of fractions) parts.push(`"${whole}"${fraction === '' ? '' : ` ${fraction}`}`);
  };
  if (high !== undefined && high.whole === low.whole) {
    withWhole(low.whole, fractionsBetween(low, high));
  } else {
    withWhole(low.whole, fractionsFrom(low));
    const next = low.whole + 1n;
    if (high === undefined) parts.push(`${magnitudes(next, undefined)} fraction?`);
    else {
      if (next < high.whole) parts.push(`${magnitudes(next, high.whole - 1n)} fraction?`);
      withWhole(high.whole, fractionsTo(high));
    }
  }
  return parts.length === 0 ? undefined : oneOf(parts);
}

/** What may follow the whole part so that the fraction is at least (or above) the bound's. Empty: nothing need follow. */
function fractionsFrom({ fraction, excluded }: Bound): readonly string[] {
  if (fraction === '' && !excluded) return ['fraction?'];
  return [`"." ${digitsFrom(fraction, excluded)}`];
}

function digitsFrom(digits: string, excluded: boolean): string {
  const first = digits[0];
  if (first === undefined) return excluded ? `"0"{0,${DIGITS_MAX}} [1-9] ${DIGITS}` : DIGITS;
  const same = `"${first}" ${digitsFrom(digits.slice(1), excluded)}`;
  return first === '9' ? same : oneOf([same, `${oneDigit(Number(first) + 1, 9)} ${DIGITS}`]);
}

function fractionsTo({ fraction, excluded }: Bound): readonly string[] {
  if (fraction === '') return excluded ? [] : [''];
  return ['', `"." ${digitsTo(fraction, excluded)}`];
}

/** At least one digit; below, or at, these, which end in no zero. */
function digitsTo(digits: string, excluded: boolean): string {
  const [first = '0', ...rest] = digits;
  const parts = first === '0' ? [] : [`${oneDigit(0, Number(first) - 1)} ${DIGITS}`];
  // Where more digits follow in the bound, to end here is to be below it.
  if (rest.length > 0) parts.push(`"${first}" (${digitsTo(rest.join(''), excluded)})?`);
  else if (!excluded) parts.push(`"${first}"`);
  return parts.length === 0 ? '"0"' : oneOf(parts);
}

/** Both bounds have the same whole part. */
function fractionsBetween(low: Bound, high: Bound): readonly string[] {
  if (high.fraction === '') return low.fraction === '' && !low.excluded && !high.excluded ? [''] : [];
  if (low.fraction === '') {
    const positive = `"." ${digitsBetween('', high.fraction, low.excluded, high.excluded)}`;
    return low.excluded ? [positive] : ['', `"." ${digitsTo(high.fraction, high.excluded)}`];
  }
  return [`"." ${digitsBetween(low.fraction, high.fraction, low.excluded, high.excluded)}`];
}

/** Digits from `low`, which is less, to `high`. */
function digitsBetween(low: string, high: string, lowOut: boolean, highOut: boolean): string {
  if (low === high) return `"${low}"`;
  const [a, b] = [Number(low[0] ?? '0'), Number(high[0] ?? '0')];
  const [lowRest, highRest] = [low.slice(1), high.slice(1)];
  if (a === b) return `"${a}" ${digitsBetween(lowRest, highRest, lowOut, highOut)}`;
  const parts = [`"${a}" ${low.length === 0 ? digitsFrom('', lowOut) : digitsFrom(lowRest, lowOut)}`];
  // Zeros alone would be the lower bound itself, which `digitsFrom` of nothing leaves out only where it must.
  if (a + 1 < b) parts.push(`${oneDigit(a + 1, b - 1)} ${DIGITS}`);
  if (highRest !== '') parts.push(`"${b}" (${digitsTo(highRest, highOut)})?`);
  else if (!highOut) parts.push(`"${b}"`);
  return oneOf(parts);
}

function oneDigit(from: number, to: number): string {
  return from === to ? `"${from}"` : `[${from}-${to}]`;
}

/** Integers of `low` to `high`, not negative, without leading zeros. */
function magnitudes(low: bigint, high: bigint | undefined): string {
  const parts: string[] = [];
  const longest = String(high ?? low).length;
  for (let digits = String(low).length; digits <= longest; digits += 1) {
    const least = digits === 1 ? 0n : 10n ** BigInt(digits - 1);
    const most = 10n ** BigInt(digits) - 1n;
    const end = high === undefined || most < high ? most : high;
    parts.push(sameLength(String(low > least ? low : least), String(end)));
  }
  // What has more digits is more; one alternative, where one for each length would all stay open.
  if (high === undefined && longest < DIGITS_MAX) parts.push(`[1-9] [0-9]{${longest},${DIGITS_MAX - 1}}`);
  return oneOf(parts);
}

/** Digit strings of one length between two of that length. */
function sameLength(low: string, high: string): string {
  const length = low.length;
  if (low === high) return `"${low}"`;
  if (/^0*$/.test(low) && /^9*$/.test(high)) return length === 1 ? '[0-9]' : `[0-9]{${length}}`;
  const [lowFirst, highFirst] = [Number(low[0]), Number(high[0])];
  const [lowRest, highRest] = [low.slice(1), high.slice(1)];
  if (length === 1) return oneDigit(lowFirst, highFirst);
  if (lowFirst === highFirst) return `"${lowFirst}" ${sameLength(lowRest, highRest)}`;
  const parts: string[] = [];
  // Whole decades in the middle take one class; a side whose rest is not bound joins them.
  const lowWhole = /^0*$/.test(lowRest);
  const highWhole = /^9*$/.test(highRest);
  const middle = [lowFirst + (lowWhole ? 0 : 1), highFirst - (highWhole ? 0 : 1)] as const;
  if (!lowWhole) parts.push(`"${lowFirst}" ${sameLength(lowRest, '9'.repeat(length - 1))}`);
  if (middle[0] <= middle[1]) parts.push(`[${middle[0]}-${middle[1]}] [0-9]{${length - 1}}`);
  if (!highWhole) parts.push(`"${highFirst}" ${sameLength('0'.repeat(length - 1), highRest)}`);
  return oneOf(parts);
}
