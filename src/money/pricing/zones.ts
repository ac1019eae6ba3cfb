import type { ZoneTable } from './rule-book.ts';

/** Years between which the clocks of a place are known; before and after, they stand as at the ends. */
const FIRST_YEAR = 2024;
const LAST_YEAR = 2050;

/** Whether this runtime knows the place, by its IANA name. */
export function isZone(name: string): boolean {
  // Offsets such as "+08:00" are taken by the runtime too, but say nothing of a place.
  if (!/^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/.test(name)) return false;
  try {
    Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(name);
    return true;
  } catch {
    return false;
  }
}

/** All changes of a place's clocks, so that a price is looked up without asking the runtime, which takes microseconds. */
export function zoneTable(name: string, turns: readonly number[]): ZoneTable {
  let at = Temporal.Instant.fromEpochMilliseconds(Date.UTC(FIRST_YEAR, 0, 1)).toZonedDateTimeISO(name);
  const starts = [Number.NEGATIVE_INFINITY];
  const offsetsMs = [at.offsetNanoseconds / 1e6];
  for (;;) {
    const next = at.getTimeZoneTransition('next');
    if (next === null || next.year > LAST_YEAR) return { name, starts, offsetsMs, turns };
    starts.push(next.epochMilliseconds);
    offsetsMs.push(next.offsetNanoseconds / 1e6);
    at = next;
  }
}
