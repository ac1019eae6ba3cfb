import { METRICS, type MetricName } from './metric-table.ts';

export type Labels = Readonly<Record<string, string>>;

export interface Sample {
  readonly labels: Labels;
  /** Amounts of money come as decimal strings: exact, where a float would not be. */
  readonly value: number | bigint | string;
  /** Appended to the family's name: `_bucket`, `_sum`, `_count`. */
  readonly suffix?: string;
}

/** The samples of one metric; a number alone is its one sample without labels. */
export interface MetricFamily {
  readonly name: MetricName;
  readonly samples: readonly Sample[];
}

export function family(name: MetricName, samples: readonly Sample[] | number): MetricFamily {
  return { name, samples: typeof samples === 'number' ? [{ labels: {}, value: samples }] : samples };
}

/** Prometheus' text format, version 0.0.4. */
export function metricText(families: readonly MetricFamily[]): string {
  return families
    .flatMap(({ name, samples }) => [
      `# HELP millrace_${name} ${helpOf(METRICS[name].about.en)}`,
      `# TYPE millrace_${name} ${METRICS[name].type}`,
      ...samples.map(({ labels, value, suffix = '' }) => `millrace_${name}${suffix}${labelText(labels)} ${value}`),
    ])
    .concat('')
    .join('\n');
}

const helpOf = (text: string) => `${text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}.`;

function labelText(labels: Labels): string {
  const parts = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return parts.length === 0 ? '' : `{${parts.join(',')}}`;
}

const escaped = (value: string) => value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
