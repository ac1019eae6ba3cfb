const DATE = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(?:Z|[+-]\d{2}:\d{2}))?$/;

/**
 * `2026-01-01` (midnight UTC) or `2026-01-01T08:00:00+08:00`, as ms since the epoch. Undefined where it is no such date: a
 * local time without its zone would mean another moment on each machine.
 */
export function parseDate(value: string): number | undefined {
  if (!DATE.test(value)) return undefined;
  const ms = Date.parse(value);
  if (Number.isNaN(ms)) return undefined;
  // Date.parse takes 30 February for 2 March.
  const [year, month, day] = value.slice(0, 10).split('-').map(Number);
  const check = new Date(Date.UTC(year ?? 0, (month ?? 0) - 1, day));
  return check.getUTCMonth() + 1 === month && check.getUTCDate() === day ? ms : undefined;
}

export const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;
