import { type CaseResult, withinTolerance } from '../case-result.ts';
import type { CurvePoint } from '../curve.ts';
import type { FleetPlan } from '../fleet.ts';
import type { Scenario } from '../scenario.ts';
import type { Study, TornadoBar } from '../sensitivity.ts';
import { currencyName, formatNumber, formatPercent, type Language, say } from './language.ts';
import {
  COLOURS,
  circle,
  type Frame,
  line,
  linearScale,
  logScale,
  path,
  rect,
  svgDocument,
  text,
  xAxis,
  yAxis,
} from './svg.ts';
import { VARIABLE_WORDS, WORDS } from './words.ts';

const FRAME: Frame = { width: 760, height: 380, left: 78, right: 24, top: 60, bottom: 56 };

/** Legend entries in a row under the title, right-aligned. */
function legend(frame: Frame, entries: readonly (readonly [colour: string, name: string])[]): string {
  let x = frame.width - frame.right;
  const parts: string[] = [];
  for (const [colour, name] of [...entries].reverse()) {
    // An em for a CJK character, half for others, is close enough to place a legend.
    x -= [...name].reduce((sum, character) => sum + ((character.codePointAt(0) ?? 0) > 0x2e80 ? 11.5 : 6.2), 0);
    parts.push(text(x, 46, name, { size: 11, fill: COLOURS.soft }), rect(x - 16, 37, 11, 11, colour));
    x -= 30;
  }
  return parts.join('');
}

/** Cost per million tokens over tokens per second of one user, with its band and the scenario's own point. */
export function curveChart(scenario: Scenario, points: readonly CurvePoint[], lang: Language): string {
  const title = `${say(WORDS.curve, lang)} · ${scenario.model.name} · ${scenario.hardware.name}`;
  if (points.length === 0) return svgDocument(FRAME, title, []);
  const lows = points.map(point => point.low);
  const highs = points.map(point => point.high);
  const x = linearScale(
    [0, Math.max(...points.map(point => point.tokensPerSecondPerUser)) * 1.02],
    [FRAME.left, FRAME.width - FRAME.right],
    8,
  );
  const y = logScale([Math.min(...lows) * 0.9, Math.max(...highs) * 1.1], [FRAME.height - FRAME.bottom, FRAME.top]);
  const at = (pick: (point: CurvePoint) => number) =>
    points.map(point => [x.place(point.tokensPerSecondPerUser), y.place(pick(point))] as const);
  const band = [...at(point => point.low), ...at(point => point.high).reverse()];
  const wanted = scenario.serving.tokensPerSecondPerUser;
  return svgDocument(FRAME, title, [
    yAxis(
      FRAME,
      y,
      value => formatNumber(value, lang),
      `${say(WORDS.curveY, lang)} (${currencyName(scenario.currency, lang)})`,
    ),
    xAxis(FRAME, x, value => formatNumber(value, lang), say(WORDS.curveX, lang)),
    path(band, `fill="${COLOURS.band}" stroke="none"`),
    path(
      at(point => point.costPerMtok),
      `fill="none" stroke="${COLOURS.main}" stroke-width="2"`,
    ),
    ...at(point => point.costPerMtok).map(([cx, cy]) => circle(cx, cy, 3, COLOURS.main)),
    line(
      x.place(wanted),
      FRAME.top,
      x.place(wanted),
      FRAME.height - FRAME.bottom,
      COLOURS.second,
      ' stroke-dasharray="5 4"',
    ),
    legend(FRAME, [
      [COLOURS.band, `${say(WORDS.curveBand, lang)} ±${scenario.hardware.errorPct}%`],
      [COLOURS.second, say(WORDS.curveHere, lang)],
    ]),
  ]);
}

/** Nodes by hour, prefill on top of decode, and what is rented. */
export function hoursChart(scenario: Scenario, plan: FleetPlan, lang: Language): string {
  const title = `${say(WORDS.nodesByHour, lang)} · ${scenario.name}`;
  const most = Math.max(plan.nodesRented, plan.nodesPeak) * 1.08;
  const y = linearScale([0, most], [FRAME.height - FRAME.bottom, FRAME.top]);
  const slot = (FRAME.width - FRAME.left - FRAME.right) / 24;
  const base = FRAME.height - FRAME.bottom;
  const bars = plan.hours.map(hour => {
    const decode = hour.decodeUnits * plan.point.decodeUnitNodes;
    const left = FRAME.left + hour.hour * slot + slot * 0.12;
    const label =
      hour.hour % 3 === 0
        ? text(left + slot * 0.38, base + 18, String(hour.hour), { size: 11, anchor: 'middle', fill: COLOURS.soft })
        : '';
    return (
      rect(left, y.place(decode), slot * 0.76, base - y.place(decode), COLOURS.main) +
      rect(left, y.place(hour.nodes), slot * 0.76, y.place(decode) - y.place(hour.nodes), COLOURS.good) +
      label
    );
  });
  const rented = y.place(plan.nodesRented);
  const shared = scenario.serving.mode === 'aggregated';
  const kinds: readonly (readonly [string, string])[] = shared
    ? [[COLOURS.main, say(WORDS.shared, lang)]]
    : [
        [COLOURS.main, say(WORDS.decode, lang)],
        [COLOURS.good, say(WORDS.prefill, lang)],
      ];
  return svgDocument(FRAME, title, [
    yAxis(FRAME, y, value => formatNumber(value, lang), lang === 'zh' ? '节点' : 'nodes'),
    ...bars,
    line(FRAME.left, base, FRAME.width - FRAME.right, base, COLOURS.soft),
    text(
      (FRAME.left + FRAME.width - FRAME.right) / 2,
      base + 38,
      `${say(WORDS.hour, lang)} (UTC${scenario.demand.utcOffsetHours >= 0 ? '+' : ''}${scenario.demand.utcOffsetHours})`,
      { size: 11, anchor: 'middle', fill: COLOURS.soft },
    ),
    line(
      FRAME.left,
      rented,
      FRAME.width - FRAME.right,
      rented,
      COLOURS.second,
      ' stroke-dasharray="5 4" stroke-width="1.5"',
    ),
    legend(FRAME, [...kinds, [COLOURS.second, say(WORDS.rented, lang)]]),
  ]);
}

const ROW = 30;

/** Profit per day as each variable swings, widest first. */
export function tornadoChart(scenario: Scenario, bars: readonly TornadoBar[], centre: number, lang: Language): string {
  const frame: Frame = { ...FRAME, left: 176, height: FRAME.top + bars.length * ROW + FRAME.bottom };
  const values = [centre, 0, ...bars.flatMap(bar => [bar.low ?? centre, bar.high ?? centre])];
  const span = Math.max(...values) - Math.min(...values) || 1;
  const x = linearScale(
    [Math.min(...values) - span * 0.12, Math.max(...values) + span * 0.12],
    [frame.left, frame.width - frame.right],
    6,
  );
  const rows = bars.map((bar, index) => {
    const y = frame.top + index * ROW + 4;
    // Where both ends lie on one side of today's profit, the longer bar carries the only label that has room.
    const reach = (value: number | undefined) => (value === undefined ? 0 : value - centre);
    const crowded = reach(bar.low) * reach(bar.high) > 0;
    const part = (value: number | undefined, shown: number, other: number | undefined) => {
      if (value === undefined) return '';
      const [from, to] = [Math.min(x.place(value), x.place(centre)), Math.max(x.place(value), x.place(centre))];
      const label = bar.variable.ceiling === 1 ? formatPercent(shown, lang) : formatNumber(shown, lang);
      const style = { size: 10, fill: COLOURS.soft } as const;
      const outside =
        value < centre
          ? text(from - 5, y + 15, label, { ...style, anchor: 'end' })
          : text(to + 5, y + 15, label, style);
      const hidden = crowded && Math.abs(reach(value)) < Math.abs(reach(other));
      return rect(from, y, to - from, ROW - 10, value >= centre ? COLOURS.good : COLOURS.bad) + (hidden ? '' : outside);
    };
    const name = VARIABLE_WORDS[bar.variable.id];
    return (
      text(frame.left - 10, y + 15, name ? say(name, lang) : bar.variable.id, { anchor: 'end' }) +
      part(bar.low, bar.lowValue, bar.high) +
      part(bar.high, bar.highValue, bar.low)
    );
  });
  const zero = line(
    x.place(0),
    frame.top - 6,
    x.place(0),
    frame.height - frame.bottom,
    COLOURS.soft,
    ' stroke-dasharray="3 3"',
  );
  return svgDocument(frame, `${say(WORDS.tornado, lang)} · ${scenario.name}`, [
    ...rows,
    zero,
    line(x.place(centre), frame.top - 6, x.place(centre), frame.height - frame.bottom, COLOURS.ink),
    xAxis(
      frame,
      x,
      value => formatNumber(value, lang),
      `${say(WORDS.profit, lang)} (${currencyName(scenario.currency, lang)})`,
    ),
  ]);
}

/** Steps from one result to another: each bar starts where the last one ended. */
export function waterfallChart(fall: NonNullable<CaseResult['waterfall']>, lang: Language): string {
  const frame: Frame = { ...FRAME, bottom: 64 };
  const values = fall.steps.map(step => step.value);
  const y = linearScale(
    [Math.min(0, ...values) * 1.08, Math.max(0, ...values) * 1.25],
    [frame.height - frame.bottom, frame.top],
  );
  const slot = (frame.width - frame.left - frame.right) / fall.steps.length;
  const bars = fall.steps.map((step, index) => {
    const before = index === 0 ? 0 : (values[index - 1] ?? 0);
    const [top, bottom] = [
      Math.min(y.place(before), y.place(step.value)),
      Math.max(y.place(before), y.place(step.value)),
    ];
    const left = frame.left + index * slot + slot * 0.18;
    const colour = index === 0 ? COLOURS.main : step.value < before ? COLOURS.bad : COLOURS.good;
    // The figure stands past the end of its bar, on the side where the bar went.
    const label = step.value < before ? bottom + 14 : top - 6;
    return (
      rect(left, top, slot * 0.64, Math.max(1.5, bottom - top), colour) +
      text(left + slot * 0.32, label, formatNumber(step.value, lang), { size: 11, anchor: 'middle', weight: 600 }) +
      text(left + slot * 0.32, frame.height - frame.bottom + 26, say(step.label, lang), {
        size: 11,
        anchor: 'middle',
        fill: COLOURS.soft,
      })
    );
  });
  return svgDocument(frame, say(fall.title, lang), [
    yAxis(frame, y, value => formatNumber(value, lang), ''),
    line(frame.left, y.place(0), frame.width - frame.right, y.place(0), COLOURS.ink),
    ...bars,
  ]);
}

const BINS = 40;

/** How profit spreads over a study's samples, losses in red. */
export function histogramChart(scenario: Scenario, result: Study, lang: Language): string {
  const title = `${say(WORDS.histogram, lang)} · ${scenario.name}`;
  const [low, high] = [result.profits[0] ?? 0, result.profits.at(-1) ?? 1];
  const width = (high - low) / BINS || 1;
  const counts = Array.from({ length: BINS }, () => 0);
  for (const profit of result.profits) {
    const bin = Math.min(BINS - 1, Math.floor((profit - low) / width));
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  const x = linearScale([low, low + width * BINS], [FRAME.left, FRAME.width - FRAME.right], 6);
  const y = linearScale([0, Math.max(...counts) * 1.1], [FRAME.height - FRAME.bottom, FRAME.top]);
  const base = FRAME.height - FRAME.bottom;
  const bars = counts.map((count, bin) => {
    const from = low + bin * width;
    return rect(
      x.place(from) + 0.5,
      y.place(count),
      x.place(from + width) - x.place(from) - 1,
      base - y.place(count),
      from + width / 2 < 0 ? COLOURS.bad : COLOURS.good,
    );
  });
  return svgDocument(FRAME, title, [
    yAxis(FRAME, y, value => formatNumber(value, lang), say(WORDS.count, lang)),
    ...bars,
    xAxis(
      FRAME,
      x,
      value => formatNumber(value, lang),
      `${say(WORDS.profit, lang)} (${currencyName(scenario.currency, lang)})`,
    ),
  ]);
}

/** Each row's error as a share of its tolerance: inside the two lines it holds. */
export function errorsChart(result: CaseResult, lang: Language): string {
  const rows = result.rows;
  const step = 20;
  const frame: Frame = { ...FRAME, left: 400, height: FRAME.top + rows.length * step + FRAME.bottom };
  const shares = rows.map(row =>
    row.tolerancePct === 0 ? (row.errorPct === 0 ? 0 : 2) : row.errorPct / row.tolerancePct,
  );
  const most = Math.max(1.2, ...shares.map(Math.abs));
  const x = linearScale([-most, most], [frame.left, frame.width - frame.right], 4);
  const marks = rows.map((row, index) => {
    const y = frame.top + index * step + 10;
    const colour = !withinTolerance(row) ? COLOURS.bad : row.status === 'unverified' ? COLOURS.soft : COLOURS.good;
    const label = say(row.label, lang);
    return (
      line(frame.left, y, frame.width - frame.right, y) +
      circle(x.place(shares[index] ?? 0), y, 4.5, colour) +
      text(frame.left - 10, y + 4, label, { size: 11, anchor: 'end' })
    );
  });
  const edge = (value: number) =>
    line(
      x.place(value),
      frame.top - 4,
      x.place(value),
      frame.height - frame.bottom,
      COLOURS.second,
      ' stroke-dasharray="4 3"',
    );
  return svgDocument(frame, say(WORDS.errorsPlot, lang), [
    ...marks,
    edge(-1),
    edge(1),
    xAxis(frame, x, value => formatNumber(value, lang), `${say(WORDS.error, lang)} ÷ ${say(WORDS.tolerance, lang)}`),
    legend(frame, [
      [COLOURS.good, `${say(WORDS.verified, lang)} · ${say(WORDS.derived, lang)}`],
      [COLOURS.soft, say(WORDS.unverified, lang)],
      [COLOURS.bad, say(WORDS.missed, lang)],
    ]),
  ]);
}
