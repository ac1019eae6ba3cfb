import type { FleetAnswer } from '../answer.ts';
import { type CaseResult, type CaseRow, caseHolds, withinTolerance } from '../case-result.ts';
import type { FleetPlan } from '../fleet.ts';
import { toMajor } from '../money.ts';
import type { Scenario } from '../scenario.ts';
import type { BreakEven, Study } from '../sensitivity.ts';
import { citation, formatExact, formatMoney, formatNumber, formatPercent, type Language, say } from './language.ts';
import { doubts, fleetMetrics } from './metrics.ts';
import { barPlot, scatterPlot, spanPlot } from './text-plot.ts';
import { textTable } from './text-table.ts';
import { VARIABLE_WORDS, WORDS } from './words.ts';

const heading = (title: string): string => `\n${title}\n\n`;
export const variableName = (id: string, lang: Language): string => {
  const words = VARIABLE_WORDS[id];
  return words ? say(words, lang) : id;
};

/** A break-even's value beside today's, with its unit. */
export function breakEvenRow(entry: BreakEven, lang: Language): readonly [string, string, string] {
  const { variable } = entry;
  const shown = (value: number): string =>
    variable.ceiling === 1 ? formatPercent(value, lang) : `${formatNumber(value, lang)} ${entry.unit}`.trim();
  return [
    variableName(variable.id, lang),
    shown(entry.current),
    entry.value === undefined ? say(WORDS.never, lang) : shown(entry.value),
  ];
}

/** One scenario on a terminal: figures, nodes by hour, curve, break-evens, tornado, sources. */
export function fleetText({ scenario, plan, curve, breakEvens, tornado }: FleetAnswer, lang: Language): string {
  const number = (value: number) => formatNumber(value, lang);
  const metrics = fleetMetrics(scenario, plan, lang).map(metric => [metric.label, metric.value]);
  const hours = plan.hours.map(hour => ({
    label: String(hour.hour).padStart(2),
    value: hour.nodes,
    text: number(hour.nodes),
  }));
  const wanted = plan.point.tokensPerSecondPerUser;
  const here =
    curve.length === 0
      ? []
      : [
          curve.reduce((best, point) =>
            Math.abs(point.tokensPerSecondPerUser - wanted) < Math.abs(best.tokensPerSecondPerUser - wanted)
              ? point
              : best,
          ),
        ];
  const xy = (points: typeof curve, pick: (point: (typeof curve)[number]) => number) =>
    points.map(point => ({ x: point.tokensPerSecondPerUser, y: pick(point) }));
  const centre = toMajor(plan.profitDay.nano);
  const spans = tornado.map(bar => ({
    label: variableName(bar.variable.id, lang),
    low: bar.low ?? centre,
    high: bar.high ?? centre,
    text: `${number(bar.low ?? Number.NEGATIVE_INFINITY)} … ${number(bar.high ?? Number.NEGATIVE_INFINITY)}`,
  }));
  return [
    `${scenario.name}\n\n`,
    textTable(['', ''], metrics, ['left', 'left']),
    heading(say(WORDS.nodesByHour, lang)),
    barPlot(hours),
    heading(
      `${say(WORDS.curve, lang)} (${say(WORDS.curveY, lang)}; · ${say(WORDS.curveBand, lang)}, ◆ ${say(WORDS.curveHere, lang)})`,
    ),
    scatterPlot(
      [
        { mark: '·', points: [...xy(curve, point => point.low), ...xy(curve, point => point.high)] },
        { mark: '●', points: xy(curve, point => point.costPerMtok) },
        { mark: '◆', points: xy(here, point => point.costPerMtok) },
      ],
      { y: number, x: say(WORDS.tps, lang) },
    ),
    heading(say(WORDS.breakEven, lang)),
    textTable(
      [say(WORDS.variable, lang), say(WORDS.today, lang), say(WORDS.breaksEvenAt, lang)],
      breakEvens.map(entry => breakEvenRow(entry, lang)),
      ['left', 'right', 'right'],
    ),
    heading(say(WORDS.tornado, lang)),
    spanPlot(spans, centre),
    heading(say(WORDS.notes, lang)),
    `${doubts(scenario, lang)
      .map(line => `- ${line}`)
      .join('\n')}\n`,
  ].join('');
}

export function curveText({ scenario, curve }: Pick<FleetAnswer, 'scenario' | 'curve'>, lang: Language): string {
  const number = (value: number) => formatNumber(value, lang);
  const header = [
    say(WORDS.batchShort, lang),
    say(WORDS.tps, lang),
    'TPOT ms',
    'TTFT ms',
    say(WORDS.tpsGpu, lang),
    `${scenario.currency}/Mtok`,
    `±${scenario.hardware.errorPct}%`,
  ];
  const rows = curve.map(point => [
    number(point.batchPerRank),
    number(point.tokensPerSecondPerUser),
    number(point.tpotMs),
    number(point.ttftMs),
    number(point.tokensPerSecondPerGpu),
    number(point.costPerMtok),
    `${number(point.low)} … ${number(point.high)}`,
  ]);
  return `${scenario.name}\n\n${textTable(header, rows, ['right', 'right', 'right', 'right', 'right', 'right', 'right'])}`;
}

/** Scenarios side by side, one column each. */
export function comparisonRows(
  answers: readonly { readonly scenario: Scenario; readonly plan: FleetPlan }[],
  lang: Language,
): { readonly header: readonly string[]; readonly rows: readonly (readonly string[])[] } {
  const columns = answers.map(
    ({ scenario, plan }) => new Map(fleetMetrics(scenario, plan, lang).map(metric => [metric.label, metric.value])),
  );
  const labels = [...new Set(columns.flatMap(column => [...column.keys()]))];
  return {
    header: ['', ...answers.map(one => one.scenario.name)],
    rows: labels.map(label => [label, ...columns.map(column => column.get(label) ?? '–')]),
  };
}

export function studyText(scenario: Scenario, result: Study, lang: Language): string {
  const number = (value: number) => formatNumber(value, lang);
  const summary = [
    [say(WORDS.samples, lang), `${result.samples}${result.impossible > 0 ? ` (${result.impossible} ✗)` : ''}`],
    [
      say(WORDS.percentiles, lang),
      [result.p5, result.p50, result.p95]
        .map(value => formatMoney(BigInt(Math.round(value * 1e9)), scenario.currency, lang))
        .join(' · '),
    ],
    [say(WORDS.lossShare, lang), formatPercent(result.lossShare, lang)],
  ];
  const drivers = result.drivers.map(driver => ({
    label: variableName(driver.variable.id, lang),
    value: Math.abs(driver.correlation),
    text: number(driver.correlation),
  }));
  return `${scenario.name}\n\n${textTable(['', ''], summary, ['left', 'left'])}${heading(say(WORDS.drivers, lang))}${barPlot(drivers, 30)}`;
}

/** A case row's cells: label, unit, published, computed, error, tolerance, status. */
export function caseCells(row: CaseRow, lang: Language): readonly string[] {
  const missed = withinTolerance(row) ? '' : ` · ${say(WORDS.missed, lang)}`;
  return [
    say(row.label, lang),
    row.unit,
    formatExact(row.expected),
    formatExact(row.computed),
    `${row.errorPct >= 0 ? '+' : '−'}${Math.abs(row.errorPct).toFixed(2)}%`,
    `±${row.tolerancePct}%`,
    say(WORDS[row.status], lang) + missed,
  ];
}

export const caseHeader = (lang: Language): readonly string[] =>
  [WORDS.row, WORDS.unit, WORDS.expected, WORDS.computed, WORDS.error, WORDS.tolerance, WORDS.status].map(words =>
    say(words, lang),
  );

export function caseText(result: CaseResult, lang: Language): string {
  const table = textTable(
    caseHeader(lang),
    result.rows.map(row => caseCells(row, lang)),
    ['left', 'left', 'right', 'right', 'right', 'right', 'left'],
  );
  const sources = [
    ...new Set(result.rows.map(row => `${say(WORDS[row.status], lang)}: ${citation(row.source, lang)}`)),
  ];
  return [
    `${say(result.title, lang)} (${result.id}): ${say(caseHolds(result) ? WORDS.holds : WORDS.fails, lang)}\n\n`,
    table,
    heading(say(WORDS.findings, lang)),
    `${result.findings.map(finding => `- ${say(finding, lang)}`).join('\n')}\n`,
    heading(say(WORDS.notes, lang)),
    `${sources.map(source => `- ${source}`).join('\n')}\n`,
  ].join('');
}
