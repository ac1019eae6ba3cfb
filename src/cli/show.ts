import type { Lang } from '../control/index.ts';

/** Columns a terminal needs for a text: Chinese, Japanese and Korean characters take two (Unicode UAX #11, wide and fullwidth). */
export function width(text: string): number {
  let columns = 0;
  for (const character of text)
    columns += /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/.test(
      character,
    )
      ? 2
      : 1;
  return columns;
}

export interface Column {
  readonly title: string;
  /** Numbers stand to the right, so that their digits meet. */
  readonly right?: boolean;
}

/** Rows in aligned columns under a head; a row's missing cells are empty. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const widths = columns.map(({ title }, index) => Math.max(width(title), ...rows.map(row => width(row[index] ?? ''))));
  const line = (cells: readonly string[]) =>
    columns
      .map(({ right }, index) => {
        const cell = cells[index] ?? '';
        const space = ' '.repeat(Math.max(0, (widths[index] ?? 0) - width(cell)));
        return right ? space + cell : cell + space;
      })
      .join('  ')
      .trimEnd();
  return [line(columns.map(({ title }) => title)), ...rows.map(line)].join('\n');
}

/** A table, or the word that there is nothing: a head alone looks like an answer that was cut off. */
export function listText(lang: Lang, columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  return rows.length === 0 ? (lang === 'zh' ? '没有。' : 'There are none.') : table(columns, rows);
}

/** `name  value` lines, the values aligned. */
export function facts(pairs: readonly (readonly [name: string, value: string])[]): string {
  const widest = Math.max(...pairs.map(([name]) => width(name)));
  return pairs.map(([name, value]) => `${name}${' '.repeat(widest - width(name))}  ${value}`).join('\n');
}

/** A time as people read it, in UTC: `2026-01-31 08:00:00Z`. */
export function time(iso: string | null): string {
  return iso === null ? '-' : iso.replace('T', ' ').replace(/\.\d+Z$/, 'Z');
}

/** `usage.inputTokens`, `attempts.0.status`. */
export function flat(value: object): [name: string, value: string][] {
  return Object.entries(value).flatMap(([name, field]) =>
    typeof field === 'object' && field !== null
      ? flat(field).map(([inner, text]): [string, string] => [`${name}.${inner}`, text])
      : [[name, String(field)] satisfies [string, string]],
  );
}
