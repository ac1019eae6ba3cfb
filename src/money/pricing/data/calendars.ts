/** Days that are no workdays though they fall on one, by a public source. An edition never changes: prices name it. */
export interface HolidayCalendar {
  readonly name: string;
  readonly edition: string;
  /** First and last day that it knows of; days outside are none of its holidays. */
  readonly from: string;
  readonly to: string;
  readonly source: string;
  /** Days since 1970-01-01 of the local calendar. */
  readonly days: ReadonlySet<number>;
}

const DAY_MS = 86_400_000;

function daysOf(ranges: readonly (readonly [first: string, days: number])[]): ReadonlySet<number> {
  return new Set(
    ranges.flatMap(([first, days]) => {
      const start = Date.parse(`${first}T00:00:00Z`) / DAY_MS;
      return Array.from({ length: days }, (_, day) => start + day);
    }),
  );
}

/**
 * Public holidays of mainland China, whole days, without the weekends that are worked in exchange: vendors' texts say Monday to
 * Friday. The next year is announced each November: it makes a new edition, which repeats the years before.
 */
const CN_2026: HolidayCalendar = {
  name: 'cn',
  edition: '2026',
  from: '2025-01-01',
  to: '2026-12-31',
  source:
    'General Office of the State Council, 国办发明电〔2024〕12号 (2024-11-12) for 2025, 国办发明电〔2025〕7号 (2025-11-04) for 2026',
  days: daysOf([
    ['2025-01-01', 1],
    ['2025-01-28', 8],
    ['2025-04-04', 3],
    ['2025-05-01', 5],
    ['2025-05-31', 3],
    ['2025-10-01', 8],
    ['2026-01-01', 3],
    ['2026-02-15', 9],
    ['2026-04-04', 3],
    ['2026-05-01', 5],
    ['2026-06-19', 3],
    ['2026-09-25', 3],
    ['2026-10-01', 7],
  ]),
};

/** All editions, oldest first. */
const CALENDARS: readonly HolidayCalendar[] = [CN_2026];

const BY_ID: ReadonlyMap<string, HolidayCalendar> = new Map(
  CALENDARS.map(calendar => [`${calendar.name}@${calendar.edition}`, calendar]),
);

export const CALENDAR_NAMES: readonly string[] = [...new Set(CALENDARS.map(({ name }) => name))];

/** By `name@edition`, as a price version says it. */
export function findCalendar(id: string): HolidayCalendar | undefined {
  return BY_ID.get(id);
}

/** `cn` is its newest edition; `cn@2026` is itself. Undefined where there is none. */
export function resolveCalendar(text: string): string | undefined {
  if (BY_ID.has(text)) return text;
  const newest = CALENDARS.findLast(({ name }) => name === text);
  return newest && `${newest.name}@${newest.edition}`;
}
