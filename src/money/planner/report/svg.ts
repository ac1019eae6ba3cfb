/** Text made safe for SVG and HTML. */
export function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

export const COLOURS = {
  ink: '#1f2933',
  soft: '#6b7785',
  line: '#d9dee4',
  main: '#1f6feb',
  second: '#e0862a',
  good: '#2a9d6a',
  bad: '#cf4444',
  band: '#1f6feb22',
  paper: '#ffffff',
} as const;
const FONT =
  "system-ui,-apple-system,'Segoe UI','PingFang SC','Microsoft YaHei','Noto Sans CJK SC','Noto Sans SC',sans-serif";

export interface Frame {
  readonly width: number;
  readonly height: number;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** A whole SVG document with a title, on white, so that it reads the same in a page, a file and a dark viewer. */
export function svgDocument(frame: Frame, title: string, body: readonly string[]): string {
  const { width, height } = frame;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escapeText(title)}" font-family="${escapeText(FONT)}"><title>${escapeText(title)}</title><rect width="${width}" height="${height}" fill="${COLOURS.paper}"/>${text(16, 26, title, { size: 15, weight: 600 })}${body.join('')}</svg>`;
}

export interface TextStyle {
  readonly size?: number;
  readonly anchor?: 'start' | 'middle' | 'end';
  readonly fill?: string;
  readonly weight?: number;
  readonly rotate?: number;
}

const round = (value: number): string => String(Math.round(value * 100) / 100);

export function text(x: number, y: number, content: string, style: TextStyle = {}): string {
  const { size = 12, anchor = 'start', fill = COLOURS.ink, weight, rotate } = style;
  const turn = rotate === undefined ? '' : ` transform="rotate(${rotate} ${round(x)} ${round(y)})"`;
  return `<text x="${round(x)}" y="${round(y)}" font-size="${size}" text-anchor="${anchor}" fill="${fill}"${weight ? ` font-weight="${weight}"` : ''}${turn}>${escapeText(content)}</text>`;
}

export function rect(x: number, y: number, width: number, height: number, fill: string): string {
  return `<rect x="${round(x)}" y="${round(y)}" width="${round(Math.max(0, width))}" height="${round(Math.max(0, height))}" fill="${fill}"/>`;
}

export function line(
  x1: number,
  y1: number,
  x2: number,
  y2: number,
  stroke: string = COLOURS.line,
  extra = '',
): string {
  return `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" stroke="${stroke}"${extra}/>`;
}

export function circle(x: number, y: number, radius: number, fill: string): string {
  return `<circle cx="${round(x)}" cy="${round(y)}" r="${radius}" fill="${fill}"/>`;
}

export function path(points: readonly (readonly [number, number])[], attributes: string): string {
  const d = points.map(([x, y], index) => `${index === 0 ? 'M' : 'L'}${round(x)} ${round(y)}`).join('');
  return `<path d="${d}" ${attributes}/>`;
}

export interface Scale {
  readonly ticks: readonly number[];
  readonly place: (value: number) => number;
}

/** Round ticks (1, 2, 5 × 10ⁿ) over a range, about `count` of them. */
export function linearScale(domain: readonly [number, number], range: readonly [number, number], count = 5): Scale {
  const [low, high] = domain;
  const span = high - low || 1;
  const rough = span / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find(factor => factor * power >= rough) ?? 10) * power;
  const ticks: number[] = [];
  for (let tick = Math.ceil(low / step - 1e-9) * step; tick <= high + step * 1e-9; tick += step)
    ticks.push(Math.abs(tick) < step * 1e-9 ? 0 : tick);
  return { ticks, place: value => range[0] + ((value - low) / span) * (range[1] - range[0]) };
}

/** Decades with 1, 2 and 5 of each inside the domain. */
export function logScale(domain: readonly [number, number], range: readonly [number, number]): Scale {
  const [low, high] = [Math.log10(domain[0]), Math.log10(domain[1])];
  const ticks: number[] = [];
  for (let decade = Math.floor(low); decade <= Math.ceil(high); decade++) {
    for (const factor of [1, 2, 5]) {
      const tick = factor * 10 ** decade;
      if (tick >= domain[0] * 0.999 && tick <= domain[1] * 1.001) ticks.push(tick);
    }
  }
  return { ticks, place: value => range[0] + ((Math.log10(value) - low) / (high - low || 1)) * (range[1] - range[0]) };
}

/** Horizontal grid lines with their labels. */
export function yAxis(frame: Frame, scale: Scale, label: (value: number) => string, title: string): string {
  const rows = scale.ticks.map(tick => {
    const y = scale.place(tick);
    return (
      line(frame.left, y, frame.width - frame.right, y) +
      text(frame.left - 8, y + 4, label(tick), { size: 11, anchor: 'end', fill: COLOURS.soft })
    );
  });
  return rows.join('') + text(16, 46, title, { size: 11, fill: COLOURS.soft });
}

export function xAxis(frame: Frame, scale: Scale, label: (value: number) => string, title: string): string {
  const base = frame.height - frame.bottom;
  const marks = scale.ticks.map(tick =>
    text(scale.place(tick), base + 18, label(tick), { size: 11, anchor: 'middle', fill: COLOURS.soft }),
  );
  return `${marks.join('')}${text((frame.left + frame.width - frame.right) / 2, base + 38, title, { size: 11, anchor: 'middle', fill: COLOURS.soft })}${line(frame.left, base, frame.width - frame.right, base, COLOURS.soft)}`;
}
