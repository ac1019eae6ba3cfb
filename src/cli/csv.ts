/** A cell that a spreadsheet would take for a formula (OWASP, "CSV injection"); a negative number is none. */
const FORMULA = /^[=+@\t\r]|^-(?!\d+(?:\.\d+)?$)/;

type Cell = string | number | boolean | null;

/** Rows as CSV (RFC 4180): lines end with CRLF, a cell with a comma, quote or line break stands in quotes. */
export function csv(rows: readonly (readonly Cell[])[]): string {
  return rows.map(row => `${row.map(cellText).join(',')}\r\n`).join('');
}

function cellText(value: Cell): string {
  const text = value === null ? '' : String(value);
  const plain = FORMULA.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}
