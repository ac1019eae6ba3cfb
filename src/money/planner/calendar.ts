import { BadInput } from './bad-input.ts';

/** A stretch of the day in minutes of UTC, [start, end); `end` may pass midnight. */
export interface PriceWindow {
  readonly startMinute: number;
  readonly endMinute: number;
  /** `workdays`: Monday to Friday by the calendar of `utcOffsetHours`, except public holidays. */
  readonly days: 'every' | 'workdays';
  /** Offset in which the weekday and the holiday are counted, hours. */
  readonly utcOffsetHours: number;
}

const DAY_MS = 86_400_000;
const DAY_MINUTES = 1440;

/** Midnight UTC of "2026-09-10", in ms. Throws {@link BadInput} for anything that is no date. */
export function parseDate(field: string, text: string): number {
  const ms = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN;
  if (Number.isNaN(ms) || new Date(ms).toISOString().slice(0, 10) !== text) {
    throw new BadInput(
      field,
      `"${text}" is no date; write one such as "2026-09-10"`,
      `“${text}”不是日期；请写成“2026-09-10”的形式`,
    );
  }
  return ms;
}

/** Whether prices of workdays apply at that instant. Weekends that are worked in exchange for a holiday stay weekends, as vendors' texts say Monday to Friday. */
export function isWorkday(ms: number, utcOffsetHours: number, holidays: ReadonlySet<string>): boolean {
  const local = new Date(ms + utcOffsetHours * 3_600_000);
  const weekday = local.getUTCDay();
  return weekday !== 0 && weekday !== 6 && !holidays.has(local.toISOString().slice(0, 10));
}

/** Whether the minute that starts at `ms` lies in the window. */
export function isInWindow(ms: number, window: PriceWindow, holidays: ReadonlySet<string>): boolean {
  const minute = Math.floor((ms % DAY_MS) / 60_000);
  const { startMinute, endMinute } = window;
  const within =
    endMinute <= DAY_MINUTES
      ? minute >= startMinute && minute < endMinute
      : minute >= startMinute || minute < endMinute - DAY_MINUTES;
  return within && (window.days === 'every' || isWorkday(ms, window.utcOffsetHours, holidays));
}
