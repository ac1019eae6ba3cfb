import { roundDivide } from '../pricing/index.ts';

/** Exact fraction; `denominator` is positive. Keeps "0.1 CNY/ktok" exact until the one rounding at the edge. */
export interface Rational {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

const DECIMAL = /^(\d{1,24})(?:\.(\d{1,24}))?(?:e([+-]?\d{1,2}))?$/i;

/** Parses an unsigned decimal such as "16", "0.035" or "1.5e9"; undefined for anything else, signs included. */
export function parseDecimal(text: string): Rational | undefined {
  const match = DECIMAL.exec(text);
  if (!match) return undefined;
  const [, whole = '0', fraction = '', exponentText = '0'] = match;
  const exponent = Number(exponentText) - fraction.length;
  const digits = BigInt(whole + fraction);
  return exponent >= 0
    ? { numerator: digits * 10n ** BigInt(exponent), denominator: 1n }
    : { numerator: digits, denominator: 10n ** BigInt(-exponent) };
}

export function multiply(a: Rational, b: Rational): Rational {
  return { numerator: a.numerator * b.numerator, denominator: a.denominator * b.denominator };
}

/** Nearest integer, ties to even, so that many small roundings do not drift. */
export function roundHalfEven({ numerator, denominator }: Rational): bigint {
  return numerator < 0n
    ? -roundDivide(-numerator, denominator, 'half-even')
    : roundDivide(numerator, denominator, 'half-even');
}

/** Closest double. Divides in integers first, so that fractions with long terms keep all the digits a double has. */
export function toNumber(value: Rational): number {
  const scale = 10n ** 18n;
  const whole = value.numerator / value.denominator;
  const rest = value.numerator % value.denominator;
  if (rest === 0n) return Number(whole);
  if (value.numerator < 2n ** 53n && value.denominator < 2n ** 53n)
    return Number(value.numerator) / Number(value.denominator);
  return Number(whole) + Number((rest * scale) / value.denominator) / 1e18;
}
