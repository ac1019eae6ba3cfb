import type { Currency, Nano } from '@millrace/contract';
import { isInWindow, type PriceWindow } from './calendar.ts';
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
  readonly windows: readonly PriceWindow[];
}

/** What tokens sell for: base rates, and bands that replace them at their hours. */
export interface PriceBook {
  readonly id: string;
  readonly name: string;
  readonly currency: Currency;
  readonly base: TokenRates;
  /** The first band with a window that holds the minute wins. */
  readonly bands: readonly PriceBand[];
  readonly holidays: ReadonlySet<string>;
  readonly source: string;
  readonly date: string;
  readonly trust: Trust;
}

export interface TokenCount {
  readonly hit: number;
  readonly miss: number;
  readonly output: number;
}

export function charge(rates: TokenRates, tokens: TokenCount): Nano {
  return (
    tokensCost(tokens.hit, rates.hitNano) +
    tokensCost(tokens.miss, rates.missNano) +
    tokensCost(tokens.output, rates.outputNano)
  );
}

export function ratesAt(book: PriceBook, ms: number): TokenRates {
  return (
    book.bands.find(band => band.windows.some(window => isInWindow(ms, window, book.holidays)))?.rates ?? book.base
  );
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
  const shares = new Map<TokenRates, number[]>();
  const firstMs = startMs - period.utcOffsetHours * 3_600_000;
  const part = STEP_MINUTES / 60 / period.days;
  for (let minute = 0; minute < period.days * 1440; minute += STEP_MINUTES) {
    const rates = ratesAt(book, firstMs + minute * 60_000);
    const hours = shares.get(rates) ?? Array.from({ length: 24 }, () => 0);
    const hour = Math.floor((minute % (DAY_MS / 60_000)) / 60);
    hours[hour] = (hours[hour] ?? 0) + part;
    shares.set(rates, hours);
  }
  return [...shares].map(([rates, hourShares]) => ({ rates, hourShares }));
}
