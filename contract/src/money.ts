import { CURRENCIES } from './currencies.ts';

/** Integer nano-units (1e-9) of a currency. A `number` never holds money. */
export type Nano = bigint;

/** ISO 4217 alphabetic code, upper case. */
export type Currency = string;

export const NANO_PER_UNIT = 1_000_000_000n;
/** Largest amount of one booking: 1e9 units. Leaves a factor of nine to int64, so that no sum of two overflows a column. */
export const AMOUNT_NANO_MAX = 1_000_000_000n * NANO_PER_UNIT;

const AMOUNT = /^(-)?(\d{1,10})(?:\.(\d{1,9}))?$/;

/**
 * Parses a decimal string such as `"12.5"` into nano-units, exactly.
 * @returns undefined where the text is no decimal number, has more than nine decimals, or exceeds {@link AMOUNT_NANO_MAX}.
 */
export function parseAmount(text: string): Nano | undefined {
  const match = AMOUNT.exec(text);
  if (!match) return undefined;
  const [, sign, whole = '0', fraction = ''] = match;
  const nano = BigInt(whole) * NANO_PER_UNIT + BigInt(fraction.padEnd(9, '0'));
  if (nano > AMOUNT_NANO_MAX) return undefined;
  return sign ? -nano : nano;
}

/** Shortest exact decimal string of an amount: `formatAmount(1_500_000_000n)` is `"1.5"`. */
export function formatAmount(nano: Nano): string {
  const absolute = nano < 0n ? -nano : nano;
  const whole = absolute / NANO_PER_UNIT;
  const fraction = absolute % NANO_PER_UNIT;
  const sign = nano < 0n ? '-' : '';
  if (fraction === 0n) return `${sign}${whole}`;
  return `${sign}${whole}.${fraction.toString().padStart(9, '0').replace(/0+$/, '')}`;
}

/** Whether it is the code of a currency that is in use: a slip of the pen (`CYN`) must not open books of its own. */
export function isCurrency(text: string): boolean {
  return CURRENCIES.has(text);
}
