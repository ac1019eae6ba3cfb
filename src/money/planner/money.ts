import type { Currency, Nano } from '@millrace/contract';
import { lineNano, type Rounding } from '../pricing/index.ts';
import { BadInput } from './bad-input.ts';
import type { ExchangeRate, Money } from './quantity.ts';
import { roundHalfEven } from './rational.ts';

const NANO = 1_000_000_000n;
const MICRO = 1e6;

/** Nano-units of `tokens` at `priceNano` per 1,000,000 tokens: a line of a bill, rounded as bills are. */
export function tokensCost(tokens: number, priceNano: Nano, rounding: Rounding): Nano {
  return lineNano(edgeInteger(tokens), priceNano, rounding);
}

/** Nano-units of `hours` (fractional) at `priceNano` per hour; hours enter at a millionth, which is 3.6 ms. */
export function hoursCost(hours: number, priceNano: Nano): Nano {
  return roundHalfEven({ numerator: edgeInteger(hours * MICRO) * priceNano, denominator: BigInt(MICRO) });
}

/** Where physics becomes money: a non-negative finite float, rounded once to an integer. */
function edgeInteger(value: number): bigint {
  if (!Number.isFinite(value) || value < 0)
    throw new BadInput('quantity', `${value} cannot be charged for`, `${value} 无法计费`);
  return BigInt(Math.round(value));
}

/** Part of an amount; the share enters at 1e-9. */
export function shareOf(nano: Nano, share: number): Nano {
  return roundHalfEven({ numerator: nano * edgeInteger(share * 1e9), denominator: NANO });
}

/** Converts by a rate in either direction. Throws {@link BadInput} where the rate is of other currencies. */
export function exchange(money: Money, to: Currency, rate: ExchangeRate | undefined): Money {
  if (money.currency === to) return money;
  if (rate?.from === money.currency && rate.to === to) {
    return { nano: roundHalfEven({ numerator: money.nano * rate.nano, denominator: NANO }), currency: to };
  }
  if (rate?.to === money.currency && rate.from === to) {
    return { nano: roundHalfEven({ numerator: money.nano * NANO, denominator: rate.nano }), currency: to };
  }
  throw new BadInput(
    'exchange',
    `${money.currency} cannot be compared with ${to}; give a rate such as "7.2 ${to}/${money.currency}"`,
    `${money.currency} 与 ${to} 无法比较；请给出汇率，例如“7.2 ${to}/${money.currency}”`,
  );
}

/** For ratios, plots and sensitivities only: never a sum that is charged. */
export function toMajor(nano: Nano): number {
  return Number(nano) / 1e9;
}
