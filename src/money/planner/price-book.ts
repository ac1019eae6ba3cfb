import type { PriceWhenSpec } from '@millrace/contract';
import { type Currency, formatAmount, type Nano } from '@millrace/contract/words';
import { type PriceVersion, priceVersionOf, unitPriceNano } from '../pricing/index.ts';
import type { Trust } from './hardware.ts';
import { tokensCost } from './money.ts';

/** Nano-units per 1,000,000 tokens. */
export interface TokenRates {
  readonly hitNano: Nano;
  readonly missNano: Nano;
  readonly outputNano: Nano;
}

export interface PriceBand {
  readonly name: string;
  readonly rates: TokenRates;
  readonly when: PriceWhenSpec;
}

interface Origin {
  readonly id: string;
  readonly name: string;
  readonly currency: Currency;
  /** Base rates, and bands that replace them when they hold. */
  readonly base: TokenRates;
  readonly bands: readonly PriceBand[];
  readonly source: string;
  readonly date: string;
  readonly trust: Trust;
}

/** What tokens sell for: a price as the gateway charges by it, with where it comes from. */
export interface PriceBook extends Origin {
  readonly price: PriceVersion;
}

export function priceBook(origin: Origin): PriceBook {
  const { id, currency, base, bands } = origin;
  const prices = ({ hitNano, missNano, outputNano }: TokenRates) => ({
    input: formatAmount(missNano),
    cachedInput: formatAmount(hitNano),
    output: formatAmount(outputNano),
  });
  const rules = bands.map(({ when, rates }) => ({ when, prices: prices(rates) }));
  const { version } = priceVersionOf({ currency, rules: [...rules, { prices: prices(base) }] }, id, 'price');
  return { ...origin, price: version };
}

/** The prices that a scenario gives itself. */
export function ownBook(base: TokenRates, currency: Currency, date: string): PriceBook {
  const origin = { id: 'custom', name: 'custom', source: 'scenario', trust: 'assumed' } as const;
  return priceBook({ ...origin, currency, base, bands: [], date });
}

export interface TokenCount {
  readonly hit: number;
  readonly miss: number;
  readonly output: number;
}

/** Rounded as the gateway rounds a bill. */
export function charge(rates: TokenRates, tokens: TokenCount, { price: { rounding } }: PriceBook): Nano {
  return (
    tokensCost(tokens.hit, rates.hitNano, rounding) +
    tokensCost(tokens.miss, rates.missNano, rounding) +
    tokensCost(tokens.output, rates.outputNano, rounding)
  );
}

export function ratesAt({ price }: PriceBook, ms: number): TokenRates {
  return {
    hitNano: unitPriceNano(price, 'cachedInput', ms) ?? 0n,
    missNano: unitPriceNano(price, 'input', ms) ?? 0n,
    outputNano: unitPriceNano(price, 'output', ms) ?? 0n,
  };
}

/** One set of rates and the share of each of the day's 24 hours at which it holds, on average over some days. */
export interface RateHours {
  readonly rates: TokenRates;
  readonly hourShares: readonly number[];
}

// Every published window starts on a half hour; quarter hours leave room.
const STEP_MINUTES = 15;
const DAY_MS = 86_400_000;

/** The mean day of a price book over `days` days from `startMs` (midnight UTC of the first), hours counted at `utcOffsetHours`. */
export function averageDay(
  book: PriceBook,
  startMs: number,
  period: { readonly days: number; readonly utcOffsetHours: number },
): readonly RateHours[] {
  const flat = Array.from({ length: 24 }, () => 1);
  if (book.bands.length === 0) return [{ rates: book.base, hourShares: flat }];
  const byRates = new Map<string, { readonly rates: TokenRates; readonly hourShares: number[] }>();
  const firstMs = startMs - period.utcOffsetHours * 3_600_000;
  const part = STEP_MINUTES / 60 / period.days;
  for (let minute = 0; minute < period.days * 1440; minute += STEP_MINUTES) {
    const rates = ratesAt(book, firstMs + minute * 60_000);
    const key = `${rates.hitNano} ${rates.missNano} ${rates.outputNano}`;
    const known = byRates.get(key) ?? { rates, hourShares: Array.from({ length: 24 }, () => 0) };
    const hour = Math.floor((minute % (DAY_MS / 60_000)) / 60);
    known.hourShares[hour] = (known.hourShares[hour] ?? 0) + part;
    byRates.set(key, known);
  }
  return [...byRates.values()];
}
