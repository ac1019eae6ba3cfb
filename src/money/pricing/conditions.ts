import { findCalendar } from './data/calendars.ts';
import type { Condition, RuleBook, TimeCondition, ZoneTable } from './rule-book.ts';

/** The class of a request that says none. */
export const STANDARD_CLASS = 'standard';

/** What is known of a request when its price is looked up. */
export interface RequestFacts {
  readonly inputTokens: number;
  /** ms since the epoch; undefined: any time. */
  readonly atMs: number | undefined;
  readonly serviceClass: string | undefined;
  readonly attributes: ReadonlyMap<string, string> | undefined;
  /** What is undefined here may still become anything: else there is none. */
  readonly open: boolean;
}

export type Verdict = 'no' | 'maybe' | 'yes';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** Looks conditions of one book up for one request; what the local time is in a zone is worked out once. */
export class ConditionCheck {
  private readonly book: RuleBook;
  private readonly facts: RequestFacts;
  /** By zone, where it was asked for. */
  private readonly local: (LocalTime | undefined)[] = [];

  constructor(book: RuleBook, facts: RequestFacts) {
    this.book = book;
    this.facts = facts;
  }

  verdict(when: Condition | undefined): Verdict {
    if (when === undefined) return 'yes';
    const { inputTokens, serviceClass, attributes, atMs, open } = this.facts;
    if (when.inputAbove !== undefined && inputTokens <= when.inputAbove) return 'no';
    if (when.inputUpTo !== undefined && inputTokens > when.inputUpTo) return 'no';
    let verdict: Verdict = 'yes';
    if (when.serviceClasses !== undefined) {
      if (serviceClass === undefined && open) verdict = 'maybe';
      else if (!when.serviceClasses.includes(serviceClass ?? STANDARD_CLASS)) return 'no';
    }
    if (when.attributes !== undefined) {
      for (const [name, values] of when.attributes) {
        const value = attributes?.get(name);
        if (value === undefined) {
          if (!open) return 'no';
          verdict = 'maybe';
        } else if (!values.includes(value)) return 'no';
      }
    }
    if (atMs === undefined) return isTimed(when) ? 'maybe' : verdict;
    if (when.fromMs !== undefined && atMs < when.fromMs) return 'no';
    if (when.untilMs !== undefined && atMs >= when.untilMs) return 'no';
    if (when.time !== undefined && !this.isWithin(when.time, atMs)) return 'no';
    return verdict;
  }

  private isWithin({ zone, hours, weekdays, calendar, holidays }: TimeCondition, atMs: number): boolean {
    const { minute, day } = this.local[zone] ?? this.enter(zone, atMs);
    if (hours.length > 0 && !isInHours(hours, minute)) return false;
    // 1970-01-01 was a Thursday.
    if (((weekdays >> ((day + 4) % 7)) & 1) === 0) return false;
    if (calendar === undefined) return true;
    return (findCalendar(calendar)?.days.has(day) ?? false) === (holidays === 'only');
  }

  private enter(zone: number, atMs: number): LocalTime {
    const table = this.book.zones[zone];
    const localMs = atMs + (table ? offsetAt(table, atMs) : 0);
    const day = Math.floor(localMs / DAY_MS);
    const time = { day, minute: Math.floor((localMs - day * DAY_MS) / MINUTE_MS) };
    this.local[zone] = time;
    return time;
  }
}

interface LocalTime {
  /** Since 1970-01-01. */
  readonly day: number;
  readonly minute: number;
}

function isTimed({ time, fromMs, untilMs }: Condition): boolean {
  return time !== undefined || fromMs !== undefined || untilMs !== undefined;
}

function isInHours(hours: TimeCondition['hours'], minute: number): boolean {
  for (const [first, end] of hours) if (minute >= first && minute < end) return true;
  return false;
}

function offsetAt({ starts, offsetsMs }: ZoneTable, atMs: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((starts[middle] ?? 0) <= atMs) low = middle;
    else high = middle - 1;
  }
  return offsetsMs[low] ?? 0;
}

/** A longer stretch, or one with more moments, is taken as any time whatever: they would be too many to look at. */
const STRETCH_MAX_MS = 8 * DAY_MS;
const TURNS_MAX = 64;

/**
 * The moments within [fromMs, untilMs] at which it is enough to look: `fromMs`, and each at which a condition of the book may
 * begin or cease to hold. Undefined where the stretch is too long for that.
 */
export function turnsWithin(book: RuleBook, fromMs: number, untilMs: number): readonly number[] | undefined {
  if (!(untilMs - fromMs <= STRETCH_MAX_MS)) return undefined;
  const found = [fromMs];
  const add = (ms: number) => {
    if (ms > fromMs && ms <= untilMs) found.push(ms);
  };
  for (const moment of book.moments) add(moment);
  for (const { starts, offsetsMs, turns } of book.zones) {
    for (const [index, start] of starts.entries()) {
      const end = starts[index + 1] ?? Number.POSITIVE_INFINITY;
      if (start > untilMs || end <= fromMs) continue;
      add(start);
      const offset = offsetsMs[index] ?? 0;
      const first = Math.max(start, fromMs);
      const last = Math.min(end - 1, untilMs);
      for (let dayMs = dayStart(first + offset); dayMs <= last + offset; dayMs += DAY_MS)
        for (const minute of turns) {
          const ms = dayMs + minute * MINUTE_MS - offset;
          if (ms >= first && ms <= last) add(ms);
        }
    }
  }
  return found.length > TURNS_MAX ? undefined : found;
}

function dayStart(localMs: number): number {
  return Math.floor(localMs / DAY_MS) * DAY_MS;
}
