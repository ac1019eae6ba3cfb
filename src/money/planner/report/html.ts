import type { FleetAnswer } from '../answer.ts';
import { type CaseResult, caseHolds, withinTolerance } from '../case-result.ts';
import { toMajor } from '../money.ts';
import type { Study } from '../sensitivity.ts';
import { curveChart, errorsChart, histogramChart, hoursChart, tornadoChart, waterfallChart } from './charts.ts';
import { citation, formatPercent, type Language, say } from './language.ts';
import { doubts, fleetMetrics } from './metrics.ts';
import { escapeText } from './svg.ts';
import { breakEvenRow, caseCells, caseHeader, comparisonRows } from './text-report.ts';
import { WORDS } from './words.ts';

const STYLE = `:root{color-scheme:light}*{box-sizing:border-box}body{margin:0 auto;max-width:880px;padding:32px 24px 64px;color:#1f2933;background:#fff;font:15px/1.6 system-ui,-apple-system,"Segoe UI","PingFang SC","Microsoft YaHei","Noto Sans CJK SC","Noto Sans SC",sans-serif}
h1{font-size:26px;line-height:1.3;margin:0 0 4px}h2{font-size:18px;margin:36px 0 12px}p.lead{margin:0 0 24px;color:#6b7785}
table{border-collapse:collapse;width:100%;font-size:13.5px}th,td{text-align:left;padding:6px 10px 6px 0;border-bottom:1px solid #e6eaee;vertical-align:top}th{font-weight:600;color:#6b7785}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(190px,1fr));gap:12px;margin:20px 0}.tile{border:1px solid #e6eaee;border-radius:8px;padding:12px 14px}.tile b{display:block;font-size:20px;line-height:1.35;overflow-wrap:anywhere}.tile span{font-size:12.5px;color:#6b7785}
.good{color:#1f7d53}.bad{color:#b93636}.soft{color:#6b7785}svg{max-width:100%;height:auto;display:block;margin:8px 0}figure{margin:0 0 24px}.scroll{overflow-x:auto}footer{margin-top:48px;font-size:12.5px;color:#6b7785}`;

const page = (lang: Language, title: string, body: readonly string[]): string =>
  `<!doctype html>\n<html lang="${lang === 'zh' ? 'zh-CN' : 'en'}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>${escapeText(title)}</title><style>${STYLE}</style></head><body>${body.join('\n')}<footer>${escapeText(say(WORDS.madeBy, lang))}</footer></body></html>\n`;

const heading = (title: string): string => `<h2>${escapeText(title)}</h2>`;
const list = (lines: readonly string[]): string =>
  `<ul>${lines.map(line => `<li>${escapeText(line)}</li>`).join('')}</ul>`;
const figure = (svg: string): string => `<figure>${svg}</figure>`;

/** `numeric` columns are right-aligned. Cells are escaped here. */
function table(header: readonly string[], rows: readonly (readonly string[])[], numeric: ReadonlySet<number>): string {
  const cell = (tag: 'th' | 'td') => (content: string, column: number) =>
    `<${tag}${numeric.has(column) ? ' class="n"' : ''}>${escapeText(content)}</${tag}>`;
  const head = header.some(title => title !== '') ? `<thead><tr>${header.map(cell('th')).join('')}</tr></thead>` : '';
  return `<div class="scroll"><table>${head}<tbody>${rows.map(cells => `<tr>${cells.map(cell('td')).join('')}</tr>`).join('')}</tbody></table></div>`;
}

const TILES: readonly string[] = ['profitMonth', 'profitOverCost', 'nodesRented', 'costPerMtok'];

/** A self-contained page about one scenario: no script, no network, plots as SVG inside. */
export function fleetHtml(answer: FleetAnswer, study: Study, lang: Language): string {
  const { scenario, plan } = answer;
  const metrics = fleetMetrics(scenario, plan, lang);
  const tone = plan.profitDay.nano >= 0n ? 'good' : 'bad';
  const tiles = metrics
    .filter(metric => TILES.includes(metric.id))
    .map(
      metric =>
        `<div class="tile"><b class="${metric.id.startsWith('profit') ? tone : ''}">${escapeText(metric.value)}</b><span>${escapeText(metric.label)}</span></div>`,
    );
  return page(lang, scenario.name, [
    `<h1>${escapeText(scenario.name)}</h1><p class="lead">${escapeText(`${scenario.model.name} · ${scenario.hardware.name} · ${say(WORDS[scenario.serving.mode], lang)}`)}</p>`,
    `<div class="tiles">${tiles.join('')}</div>`,
    table(
      ['', ''],
      metrics.map(metric => [metric.label, metric.value]),
      new Set(),
    ),
    heading(say(WORDS.nodesByHour, lang)),
    figure(hoursChart(scenario, plan, lang)),
    heading(say(WORDS.curve, lang)),
    figure(curveChart(scenario, answer.curve, lang)),
    heading(say(WORDS.breakEven, lang)),
    table(
      [say(WORDS.variable, lang), say(WORDS.today, lang), say(WORDS.breaksEvenAt, lang)],
      answer.breakEvens.map(entry => breakEvenRow(entry, lang)),
      new Set([1, 2]),
    ),
    heading(say(WORDS.tornado, lang)),
    figure(tornadoChart(scenario, answer.tornado, toMajor(plan.profitDay.nano), lang)),
    heading(say(WORDS.study, lang)),
    `<p>${escapeText(`${say(WORDS.lossShare, lang)}: ${formatPercent(study.lossShare, lang)}`)}</p>`,
    figure(histogramChart(scenario, study, lang)),
    heading(say(WORDS.notes, lang)),
    list(doubts(scenario, lang)),
  ]);
}

export function caseHtml(result: CaseResult, lang: Language): string {
  const holds = caseHolds(result);
  const sources = [
    ...new Set(result.rows.map(row => `${say(WORDS[row.status], lang)}: ${citation(row.source, lang)}`)),
  ];
  const missed = result.rows.filter(row => !withinTolerance(row)).map(row => say(row.label, lang));
  return page(lang, say(result.title, lang), [
    `<h1>${escapeText(say(result.title, lang))}</h1><p class="lead">${escapeText(result.id)} · <span class="${holds ? 'good' : 'bad'}">${escapeText(say(holds ? WORDS.holds : WORDS.fails, lang))}</span></p>`,
    list(result.findings.map(finding => say(finding, lang))),
    ...(result.waterfall ? [figure(waterfallChart(result.waterfall, lang))] : []),
    table(
      caseHeader(lang),
      result.rows.map(row => caseCells(row, lang)),
      new Set([2, 3, 4, 5]),
    ),
    ...(missed.length > 0
      ? [`<p class="bad">${escapeText(`${say(WORDS.missed, lang)}: ${missed.join(', ')}`)}</p>`]
      : []),
    figure(errorsChart(result, lang)),
    heading(say(WORDS.notes, lang)),
    list(sources),
  ]);
}

export function comparisonHtml(answers: readonly FleetAnswer[], lang: Language): string {
  const { header, rows } = comparisonRows(answers, lang);
  return page(lang, say(WORDS.comparison, lang), [
    `<h1>${escapeText(say(WORDS.comparison, lang))}</h1>`,
    table(header, rows, new Set()),
    ...answers.map(
      one =>
        figure(curveChart(one.scenario, one.curve, lang)) +
        figure(tornadoChart(one.scenario, one.tornado, toMajor(one.plan.profitDay.nano), lang)),
    ),
  ]);
}
