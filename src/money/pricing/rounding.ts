import type { Nano } from '@millrace/contract/words';

/** Which way the rest of a line goes that is no whole step of money. */
export const ROUNDINGS = ['ceil', 'half-even', 'half-up', 'floor'] as const;
export type Rounding = (typeof ROUNDINGS)[number];

const MILLION = 1_000_000n;
const UP = MILLION - 1n;

/** Units at a price per million of them: the one rounding of a line, to whole nano. Neither is negative. */
export function lineNano(units: number | bigint, nanoPerMillion: Nano, rounding: Rounding): Nano {
  const millionths = BigInt(units) * nanoPerMillion;
  // Nearly every price: two operations less.
  return rounding === 'ceil' ? (millionths + UP) / MILLION : roundDivide(millionths, MILLION, rounding);
}

/** `dividend / divisor`, rounded to a whole number. Neither is negative. */
export function roundDivide(dividend: bigint, divisor: bigint, rounding: Rounding): bigint {
  const floor = dividend / divisor;
  const rest = dividend - floor * divisor;
  if (rest === 0n || rounding === 'floor') return floor;
  if (rounding === 'ceil') return floor + 1n;
  const twice = rest * 2n;
  if (twice !== divisor) return twice > divisor ? floor + 1n : floor;
  return rounding === 'half-up' || floor % 2n === 1n ? floor + 1n : floor;
}
