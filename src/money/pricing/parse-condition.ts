import type { PriceWhenSpec } from '@millrace/contract';
import { PRICE_ATTRIBUTE_IDS, parseDate, WEEKDAYS } from '@millrace/contract/words';
import { CALENDAR_NAMES, resolveCalendar } from './data/calendars.ts';
import { invalid } from './invalid-price.ts';
import { ALL_WEEKDAYS, type ConditionContent } from './rule-content.ts';
import { isZone } from './zones.ts';

/** A condition in the one form in which it is hashed: lists sorted, hours merged. Undefined where it always holds. */
export function conditionContent(when: PriceWhenSpec, path: string): ConditionContent | undefined {
  const { inputAbove, inputUpTo, serviceClass, attributes } = when;
  if (inputAbove !== undefined && inputUpTo !== undefined && inputAbove >= inputUpTo)
    throw invalid(`${path}.inputUpTo`, 'is not above inputAbove: it never holds', '必须大于 inputAbove，否则永不成立');
  const named = PRICE_ATTRIBUTE_IDS.flatMap(id => {
    const values = attributes?.[id];
    return values === undefined ? [] : [[id, wordsOf(values)] as const];
  });
  const content: ConditionContent = {
    // More than none is any: 0 holds for every request that has input, so it stays.
    ...(inputAbove === undefined ? {} : { inputAbove }),
    ...(inputUpTo === undefined ? {} : { inputUpTo }),
    ...(serviceClass === undefined ? {} : { serviceClasses: wordsOf(serviceClass) }),
    ...(named.length === 0 ? {} : { attributes: named }),
    ...timeContent(when, path),
    ...datesContent(when, path),
  };
  return Object.keys(content).length === 0 ? undefined : content;
}

function wordsOf(words: string | readonly string[]): readonly string[] {
  return typeof words === 'string' ? [words] : [...new Set(words)].sort();
}

function timeContent(when: PriceWhenSpec, path: string): ConditionContent {
  const { timeZone, hours, days, calendar, holidays } = when;
  if (hours === undefined && days === undefined && calendar === undefined && holidays === undefined) {
    if (timeZone === undefined) return {};
    throw invalid(`${path}.timeZone`, 'has no hours, days or holidays to go by it', '缺少 hours、days 或 holidays');
  }
  if (timeZone === undefined)
    throw invalid(`${path}.timeZone`, 'is missing: whose clocks?', '缺失：以何地的时钟为准？');
  if (!isZone(timeZone))
    throw invalid(
      `${path}.timeZone`,
      `"${timeZone}" is no time zone such as Asia/Shanghai`,
      `“${timeZone}”不是时区（如 Asia/Shanghai）`,
    );
  const weekdays = days?.reduce((bits, day) => bits | (1 << WEEKDAYS.indexOf(day)), 0) ?? ALL_WEEKDAYS;
  const content: ConditionContent = {
    ...(hours === undefined ? {} : hoursContent(typeof hours === 'string' ? [hours] : hours, `${path}.hours`)),
    ...(weekdays === ALL_WEEKDAYS ? {} : { weekdays }),
    ...holidayContent(when, path),
  };
  // All hours of all days are no condition.
  return Object.keys(content).length === 0 ? {} : { zone: timeZone, ...content };
}

function holidayContent({ calendar, holidays }: PriceWhenSpec, path: string): ConditionContent {
  if (calendar === undefined && holidays === undefined) return {};
  if (calendar === undefined || holidays === undefined)
    throw invalid(
      `${path}.${calendar === undefined ? 'calendar' : 'holidays'}`,
      'is missing: calendar and holidays belong together',
      '缺失：calendar 与 holidays 必须同时给出',
    );
  const edition = resolveCalendar(calendar);
  if (edition === undefined)
    throw invalid(
      `${path}.calendar`,
      `"${calendar}" is no calendar; known are ${CALENDAR_NAMES.join(', ')}`,
      `不存在日历“${calendar}”；可用的有 ${CALENDAR_NAMES.join('、')}`,
    );
  return { calendar: edition, holidays };
}

function hoursContent(texts: readonly string[], path: string): ConditionContent {
  const parts = texts.flatMap(text => {
    const [first, end] = text.split('-').map(minuteOf);
    if (first === undefined || end === undefined || Number.isNaN(first + end) || first === end)
      throw invalid(
        path,
        `"${text}" is no stretch of the day such as 00:30-08:30`,
        `“${text}”不是时段（如 00:30-08:30）`,
      );
    return first < end ? [[first, end] as const] : [[first, 1440] as const, [0, end] as const];
  });
  const merged: [number, number][] = [];
  for (const [first, end] of parts.filter(([from, to]) => from < to).sort(([a], [b]) => a - b)) {
    const last = merged.at(-1);
    if (last && first <= last[1]) last[1] = Math.max(last[1], end);
    else merged.push([first, end]);
  }
  const allDay = merged.length === 1 && merged[0]?.[0] === 0 && merged[0][1] === 1440;
  return allDay ? {} : { hours: merged };
}

/** Minutes since midnight; NaN where it is no time of day. */
function minuteOf(text: string): number {
  const [hour = '', minute = ''] = text.split(':');
  return /^\d\d$/.test(hour) && /^\d\d$/.test(minute) ? Number(hour) * 60 + Number(minute) : Number.NaN;
}

function datesContent({ from, until }: PriceWhenSpec, path: string): ConditionContent {
  const fromMs = from === undefined ? undefined : dateMs(from, `${path}.from`);
  const untilMs = until === undefined ? undefined : dateMs(until, `${path}.until`);
  if (fromMs !== undefined && untilMs !== undefined && fromMs >= untilMs)
    throw invalid(`${path}.until`, 'is not after from: it never holds', '必须晚于 from，否则永不成立');
  return { ...(fromMs === undefined ? {} : { fromMs }), ...(untilMs === undefined ? {} : { untilMs }) };
}

function dateMs(text: string, path: string): number {
  const ms = parseDate(text);
  if (ms === undefined)
    throw invalid(
      path,
      `"${text}" is not a date such as 2026-01-01 or 2026-01-01T08:00:00+08:00`,
      `“${text}”不是日期（如 2026-01-01 或 2026-01-01T08:00:00+08:00）`,
    );
  return ms;
}
