import { oneOf } from './gbnf.ts';

/** Digits of the largest magnitude that is written where a side is open: all such integers are near exact as doubles. */
const OPEN_END = 9_999_999_999_999_999n;

/** Integers from `from` to `to`, both included; undefined: open. Undefined result: none. */
export function integerRange(from: bigint | undefined, to: bigint | undefined): string | undefined {
  const low = from ?? -OPEN_END;
  const high = to ?? OPEN_END;
  if (low > high) return undefined;
  const parts: string[] = [];
  // -0 is no integer anyone means, so the negative side begins at 1.
  if (low < 0n) parts.push(`"-" ${magnitudes(high < 0n ? -high : 1n, -low)}`);
  if (high >= 0n) parts.push(magnitudes(low > 0n ? low : 0n, high));
  return oneOf(parts);
}

/** Decimals between two integers, both included. Undefined result: none. */
export function decimalRange(from: bigint | undefined, to: bigint | undefined): string | undefined {
  const low = from ?? -OPEN_END;
  const high = to ?? OPEN_END;
  if (low > high) return undefined;
  const parts: string[] = [];
  // Each side: magnitudes whose integer part stays below the bound, with any fraction; or the bound itself.
  const side = (sign: string, smallest: bigint, largest: bigint) => {
    if (smallest < largest) parts.push(`${sign}${magnitudes(smallest, largest - 1n)} fraction?`);
    parts.push(`${sign}${magnitudes(largest, largest)}`);
  };
  if (low < 0n) side('"-" ', high < 0n ? -high : 0n, -low);
  if (high >= 0n) side('', low > 0n ? low : 0n, high);
  return oneOf(parts);
}

/** Integers of `low` to `high`, not negative, without leading zeros. */
function magnitudes(low: bigint, high: bigint): string {
  const parts: string[] = [];
  for (let digits = String(low).length; digits <= String(high).length; digits += 1) {
    const least = digits === 1 ? 0n : 10n ** BigInt(digits - 1);
    const most = 10n ** BigInt(digits) - 1n;
    parts.push(sameLength(String(low > least ? low : least), String(high < most ? high : most)));
  }
  return oneOf(parts);
}

/** Digit strings of one length between two of that length. */
function sameLength(low: string, high: string): string {
  const length = low.length;
  if (low === high) return `"${low}"`;
  if (/^0*$/.test(low) && /^9*$/.test(high)) return length === 1 ? '[0-9]' : `[0-9]{${length}}`;
  const [lowFirst, highFirst] = [Number(low[0]), Number(high[0])];
  const [lowRest, highRest] = [low.slice(1), high.slice(1)];
  if (length === 1) return `[${lowFirst}-${highFirst}]`;
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
