import type { MeterId, Nano, PriceAttribute } from '@millrace/contract/words';

/** Marginal price: units up to `upTo` of a line cost this, those beyond it the next step's. */
export interface PriceStep {
  readonly upTo: number;
  readonly nanoPerMillion: Nano;
}

/** Hours of some days of a place. */
export interface TimeCondition {
  /** Which of the book's zones. */
  readonly zone: number;
  /** [first, end) minutes of the local day; any of them. Empty: all day. */
  readonly hours: readonly (readonly [number, number])[];
  /** Weekdays as bits, Sunday the lowest. */
  readonly weekdays: number;
  /** `name@edition`. */
  readonly calendar?: string;
  readonly holidays?: 'except' | 'only';
}

/** All that it names must hold. */
export interface Condition {
  /** Tokens of input, cached and written ones included: more than the one, at most the other. */
  readonly inputAbove?: number;
  readonly inputUpTo?: number;
  readonly serviceClasses?: readonly string[];
  readonly attributes?: readonly (readonly [PriceAttribute, readonly string[]])[];
  readonly time?: TimeCondition;
  /** From the one moment on, and before the other; ms since the epoch. */
  readonly fromMs?: number;
  readonly untilMs?: number;
}

/** What one meter costs where its condition holds. */
export interface PriceRule {
  /** Of the units beyond the last step; of all of them where there is no step. */
  readonly nanoPerMillion: Nano;
  /** By growing `upTo`. */
  readonly steps: readonly PriceStep[];
  /** First units of a line that cost nothing. */
  readonly free: number;
  /** A line that has any units to charge has at least so many. */
  readonly least: number;
  /** Charged in blocks of so many units; one that is begun counts whole. */
  readonly block: number;
  /** Absent: always. */
  readonly when?: Condition;
}

/** How far a place's clocks are from UTC, and since when: those of `starts[i]` up to `starts[i + 1]`. */
export interface ZoneTable {
  readonly name: string;
  /** ms since the epoch; the first is -Infinity. */
  readonly starts: readonly number[];
  readonly offsetsMs: readonly number[];
  /** Local minutes of the day at which a condition of the book may begin or cease to hold. */
  readonly turns: readonly number[];
}

/**
 * Prices by rules: of each meter the first that holds. Plain data, made once for a version, so that it goes to other threads as
 * it is.
 */
export interface RuleBook {
  readonly rules: ReadonlyMap<MeterId, readonly PriceRule[]>;
  /** Line amounts are whole multiples of it. */
  readonly roundToNano: Nano;
  /** Least that a request costs which used anything. */
  readonly minimumNano: Nano;
  /** Which moment of a request counts for hours and dates. */
  readonly pricedAt: 'start' | 'end';
  readonly zones: readonly ZoneTable[];
  /** Moments at which dates of conditions turn. */
  readonly moments: readonly number[];
  /** Lengths of input beyond which another condition may hold, growing. */
  readonly tiers: readonly number[];
}
