import { displayWidth, pad } from './text-table.ts';

const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'] as const;

/** A bar of `value / max` of `width` columns, to an eighth of a column. */
export function bar(value: number, max: number, width: number): string {
  if (max <= 0 || value <= 0) return '';
  const eighths = Math.round((Math.min(value, max) / max) * width * 8);
  return '█'.repeat(Math.floor(eighths / 8)) + (EIGHTHS[eighths % 8] ?? '');
}

export interface BarRow {
  readonly label: string;
  readonly value: number;
  readonly text: string;
}

export function barPlot(rows: readonly BarRow[], width = 44): string {
  const labels = Math.max(0, ...rows.map(row => displayWidth(row.label)));
  const max = Math.max(0, ...rows.map(row => row.value));
  return `${rows.map(row => `${pad(row.label, labels, 'right')} │${bar(row.value, max, width)} ${row.text}`).join('\n')}\n`;
}

export interface SpanRow {
  readonly label: string;
  readonly low: number;
  readonly high: number;
  readonly text: string;
}

/** Horizontal spans around a common centre line, as of a tornado. */
export function spanPlot(rows: readonly SpanRow[], centre: number, width = 48): string {
  const labels = Math.max(0, ...rows.map(row => displayWidth(row.label)));
  const least = Math.min(centre, ...rows.flatMap(row => [row.low, row.high]));
  const most = Math.max(centre, ...rows.flatMap(row => [row.low, row.high]));
  const column = (value: number) => Math.round(((value - least) / (most - least || 1)) * (width - 1));
  const middle = column(centre);
  const lines = rows.map(row => {
    const [from, to] = [Math.min(column(row.low), column(row.high)), Math.max(column(row.low), column(row.high))];
    const cells = Array.from({ length: width }, (_, index) =>
      index === middle ? '┃' : index >= from && index <= to ? '█' : ' ',
    );
    return `${pad(row.label, labels, 'right')} ${cells.join('')} ${row.text}`;
  });
  return `${lines.join('\n')}\n`;
}

export interface PlotPoint {
  readonly x: number;
  readonly y: number;
}

/** A scatter on logarithmic y: rows of text, one mark per point, the last list drawn on top. */
export function scatterPlot(
  series: readonly { readonly mark: string; readonly points: readonly PlotPoint[] }[],
  axes: { readonly y: (value: number) => string; readonly x: string },
  size = { width: 60, height: 14 },
): string {
  const all = series.flatMap(one => one.points).filter(point => point.y > 0 && Number.isFinite(point.y));
  if (all.length === 0) return '';
  const [xMax, yMin, yMax] = [
    Math.max(...all.map(p => p.x)),
    Math.log(Math.min(...all.map(p => p.y))),
    Math.log(Math.max(...all.map(p => p.y))),
  ];
  const grid = Array.from({ length: size.height }, () => Array.from({ length: size.width }, () => ' '));
  for (const { mark, points } of series) {
    for (const { x, y } of points) {
      const row = Math.round(((yMax - Math.log(y)) / (yMax - yMin || 1)) * (size.height - 1));
      const cells = grid[row];
      if (cells) cells[Math.round((x / xMax) * (size.width - 1))] = mark;
    }
  }
  const ticks = grid.map((_, row) =>
    row % 4 === 0 || row === size.height - 1 ? axes.y(Math.exp(yMax - (row / (size.height - 1)) * (yMax - yMin))) : '',
  );
  const left = Math.max(...ticks.map(displayWidth));
  const lines = grid.map((cells, row) => `${pad(ticks[row] ?? '', left, 'right')} │${cells.join('').trimEnd()}`);
  const scale = `${' '.repeat(left)} └${'─'.repeat(size.width)}\n${' '.repeat(left)}  0${pad(`${Math.round(xMax)} ${axes.x}`, size.width - 1, 'right')}`;
  return `${lines.join('\n')}\n${scale}\n`;
}
