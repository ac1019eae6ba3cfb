/** One metric as a scraper reads it. */
export interface ReadMetric {
  readonly type: string;
  readonly help: string;
  readonly samples: readonly ReadSample[];
}
export interface ReadSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const TYPES = new Set(['counter', 'gauge', 'histogram', 'summary']);
const SUFFIXES: Readonly<Record<string, readonly string[]>> = {
  histogram: ['_bucket', '_sum', '_count'],
  summary: ['', '_sum', '_count'],
};
const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/;
const VALUE = /^(?:[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|[+-]?Inf|NaN)$/i;

/**
 * Reads Prometheus' text format 0.0.4 as its strictest readers do, and what promtool would warn of as an error: each metric
 * once, its help and type before its samples, no series twice, counters that end in `_total` and are not negative, histograms
 * that add up. (https://prometheus.io/docs/instrumenting/exposition_formats, read 2026-02.) Throws Error with the line.
 */
export function readMetrics(text: string): ReadonlyMap<string, ReadMetric> {
  if (!text.endsWith('\n')) throw new Error('the last line does not end');
  const metrics = new Map<string, { type: string; help: string; samples: ReadSample[] }>();
  const seen = new Set<string>();
  let current = '';
  let help: { readonly name: string; readonly text: string } | undefined;
  for (const line of text.slice(0, -1).split('\n')) {
    const wrong = (why: string): never => {
      throw new Error(`${why}: ${line}`);
    };
    const [, keyword, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? [];
    if (keyword === 'HELP') {
      if (!NAME.test(name) || help) wrong('a help out of place');
      if (/(?<!\\)(?:\\\\)*\\(?![\\n])/.test(rest)) wrong('a wrong escape');
      help = { name, text: rest };
    } else if (keyword === 'TYPE') {
      if (help?.name !== name) wrong('a type without its help');
      if (!TYPES.has(rest)) wrong('no such type');
      if (metrics.has(name)) wrong('a metric twice');
      if ((rest === 'counter') !== name.endsWith('_total')) wrong('counters, and they alone, end in _total');
      metrics.set(name, { type: rest, help: help?.text ?? '', samples: [] });
      current = name;
      help = undefined;
    } else {
      const sample = readSample(line) ?? wrong('no sample');
      const metric = metrics.get(current) ?? wrong('a sample before any type');
      const allowed = (SUFFIXES[metric.type] ?? ['']).map(suffix => current + suffix);
      if (help || !allowed.includes(sample.name)) wrong(`not a sample of ${current}`);
      const series = `${sample.name} ${JSON.stringify(Object.entries(sample.labels).toSorted())}`;
      if (seen.has(series)) wrong('a series twice');
      if (Number.isNaN(sample.value) || (metric.type !== 'gauge' && sample.value < 0)) wrong('not a count');
      seen.add(series);
      metric.samples.push(sample);
    }
  }
  for (const [name, metric] of metrics) if (metric.type === 'histogram') checkHistogram(name, metric.samples);
  return metrics;
}

function readSample(line: string): ReadSample | undefined {
  const [, name = '', inBraces = '', value = ''] = SAMPLE.exec(line) ?? [];
  if (name === '' || !VALUE.test(value)) return undefined;
  const labels: Record<string, string> = {};
  for (let rest = inBraces; rest !== ''; ) {
    const [whole, label = '', text = ''] = LABEL.exec(rest) ?? [];
    if (whole === undefined || label.startsWith('__') || Object.hasOwn(labels, label)) return undefined;
    labels[label] = text.replace(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped));
    rest = rest.slice(whole.length);
  }
  return { name, labels, value: Number(value.replace(/inf/i, 'Infinity')) };
}

/** Of each series: buckets that only grow, the last of them `+Inf` and equal to the count, and a sum. */
function checkHistogram(name: string, samples: readonly ReadSample[]): void {
  const bySeries = Map.groupBy(samples, ({ labels: { le: _, ...labels } }) => JSON.stringify(labels));
  for (const [series, of] of bySeries) {
    const buckets = of.filter(sample => sample.name === `${name}_bucket`);
    const bounds = buckets.map(({ labels }) => Number((labels['le'] ?? '').replace('+Inf', 'Infinity')));
    const only = (suffix: string) => of.filter(sample => sample.name === name + suffix);
    const [count, ...more] = only('_count');
    const rising = (values: readonly number[]) =>
      values.every((value, at) => at === 0 || value >= (values[at - 1] ?? 0));
    if (
      more.length > 0 ||
      only('_sum').length !== 1 ||
      bounds.at(-1) !== Number.POSITIVE_INFINITY ||
      !rising(bounds) ||
      !rising(buckets.map(({ value }) => value)) ||
      buckets.at(-1)?.value !== count?.value
    )
      throw new Error(`a histogram that does not add up: ${name}${series}`);
  }
}
