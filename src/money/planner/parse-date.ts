import { BadInput } from './bad-input.ts';

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
