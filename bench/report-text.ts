import { table } from '../src/cli/show.ts';
import type { CaseReport } from './case.ts';
import type { Figure, Unit } from './figure.ts';
import type { BenchReport } from './run-bench.ts';

type Lang = 'en' | 'zh';

const WORDS = {
  en: {
    head: ['', 'measured (median)', 'least … most', 'target', ''],
    met: 'met',
    missed: 'MISSED',
    pinned: (server: number, load: number) => `server on processor ${server}, engine and load on ${load}`,
    unpinned: (reason: string) => `not pinned: ${reason}`,
    quick: 'Short form: for a look, not for a claim.',
    noise: (machines: string, programs: string) =>
      `Of the processors' time other virtual machines took ${machines} %, other programs ${programs} %.`,
    whole: 'See the JSON for every round and how each was measured.',
    nothing: 'not measured',
  },
  zh: {
    head: ['', '测得（中位数）', '最小 … 最大', '目标', ''],
    met: '达成',
    missed: '未达成',
    pinned: (server: number, load: number) => `服务在处理器 ${server}，引擎与负载在处理器 ${load}`,
    unpinned: (reason: string) => `未绑定处理器：${reason}`,
    quick: '简短形式：供快速查看，不作为结论。',
    noise: (machines: string, programs: string) => `处理器时间中，其他虚拟机占 ${machines}%，其他程序占 ${programs}%。`,
    whole: '每一轮的数据与测量方法见 JSON。',
    nothing: '未测量',
  },
} as const;

/** The report as a table, for people. */
export function reportText(report: BenchReport, lang: Lang): string {
  const words = WORDS[lang];
  const { machine, pinning, version, commit, date } = report;
  const { serverProcessor: server, loadProcessor: load } = pinning;
  const rows = report.cases.flatMap(one => caseRows(one, lang));
  return [
    `Millrace ${version}${commit === null ? '' : ` (${commit})`} · ${date}`,
    `${machine.cpu} × ${machine.cores} · ${machine.platform} · ${machine.kernel} · Node ${machine.node}`,
    server === null || load === null ? words.unpinned(pinning.reason ?? '') : words.pinned(server, load),
    ...(report.noise === null
      ? []
      : [words.noise(percent(report.noise.otherMachines), percent(report.noise.otherPrograms))]),
    ...(report.quick ? [words.quick] : []),
    '',
    table(
      words.head.map(title => ({ title })),
      rows,
    ),
    '',
    ...report.cases.flatMap(({ notes }) => notes.map(note => `· ${note[lang]}`)),
    words.whole,
  ].join('\n');
}

function caseRows(report: CaseReport, lang: Lang): string[][] {
  const words = WORDS[lang];
  const body = report.skipped
    ? [[`  ${report.skipped[lang]}`, words.nothing]]
    : report.figures.map(figure => figureRow(figure, lang));
  return [[report.title[lang]], ...body];
}

function figureRow({ what, unit, measured, target, met }: Figure, lang: Lang): string[] {
  const words = WORDS[lang];
  const bound =
    target?.most !== undefined
      ? `≤ ${shown(target.most, unit)}`
      : target?.least !== undefined
        ? `≥ ${shown(target.least, unit)}`
        : '';
  return [
    `  ${what[lang]}`,
    `${shown(measured.median, unit)} ${unit}`,
    measured.min === measured.max ? '' : `${shown(measured.min, unit)} … ${shown(measured.max, unit)}`,
    bound,
    met === undefined ? '' : met ? words.met : words.missed,
  ];
}

const percent = (share: number) => (share * 100).toFixed(1);

function shown(value: number, unit: Unit): string {
  if (unit === 'requests/s') return Math.round(value).toLocaleString('en-US');
  return String(Number(value.toPrecision(3)));
}
