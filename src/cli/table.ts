/** Columns a terminal needs for a text: Chinese, Japanese and Korean characters take two. */
function width(text: string): number {
  let columns = 0;
  for (const character of text)
    columns += /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/.test(
      character,
    )
      ? 2
      : 1;
  return columns;
}

/** Rows as aligned columns, the first row the head. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map(row => width(row[column] ?? ''))));
  return rows
    .map(row =>
      row
        .map((cell, column) =>
          column === row.length - 1 ? cell : cell + ' '.repeat((widths[column] ?? 0) - width(cell)),
        )
        .join('  '),
    )
    .join('\n');
}

/** Any object of the control API as text: lists of objects as tables, the rest as `name  value` lines. */
export function showObject(value: Readonly<Record<string, unknown>>): string {
  const plain: string[][] = [];
  const parts: string[] = [];
  for (const [name, item] of Object.entries(value)) {
    if (Array.isArray(item)) {
      const objects = item.filter(
        (entry): entry is Record<string, unknown> => typeof entry === 'object' && entry !== null,
      );
      if (objects.length === 0) plain.push([name, item.length === 0 ? '-' : item.join(' ')]);
      else {
        const columns = Object.keys(objects[0] ?? {});
        parts.push(table([columns, ...objects.map(entry => columns.map(column => cell(entry[column])))]));
      }
    } else plain.push([name, cell(item)]);
  }
  return [...(plain.length > 0 ? [table(plain)] : []), ...parts].join('\n\n');
}

function cell(value: unknown): string {
  if (value === null || value === undefined || value === '') return '-';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
