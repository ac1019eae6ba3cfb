import { formatAmount, type Nano } from '@millrace/contract';
import type { Settlement } from '../journal/index.ts';
import type { Labels, MetricFamily, Sample } from './metric-text.ts';

/** Upper bounds of the buckets, in seconds: from a fast engine's first token to the longest answer. */
const BUCKETS_S = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];

/** Counts of this process, from the settlements that the loader brings in. A counter starts at zero with the process, as Prometheus expects. */
export interface Traffic {
  settled(settlement: Settlement): void;
  families(): readonly MetricFamily[];
}

export function createTraffic(): Traffic {
  const requests = createCounter();
  const tokens = createCounter();
  const attempts = createCounter();
  const revenue = new Map<string, Nano>();
  const cost = new Map<string, Nano>();
  const ttft = createHistogram();
  const duration = createHistogram();

  return {
    settled(settlement) {
      const { usage, outcome, currency, amountNano, ttftMs, durationMs } = settlement;
      const deployment = settlement.attempts.at(-1)?.deploymentId ?? '';
      requests.add({ deployment, outcome, fault: settlement.faultCode ?? '' }, 1);
      tokens.add({ deployment, kind: 'input' }, usage.inputTokens - usage.cachedInputTokens);
      tokens.add({ deployment, kind: 'cached_input' }, usage.cachedInputTokens);
      tokens.add({ deployment, kind: 'output' }, usage.outputTokens);
      revenue.set(currency, (revenue.get(currency) ?? 0n) + amountNano);
      for (const attempt of settlement.attempts) {
        attempts.add({ deployment: attempt.deploymentId, outcome: attempt.outcome }, 1);
        const { costCurrency, costNano } = attempt;
        if (costCurrency !== undefined && costNano !== undefined)
          cost.set(costCurrency, (cost.get(costCurrency) ?? 0n) + costNano);
      }
      if (ttftMs !== undefined) ttft.observe({ deployment }, ttftMs / 1000);
      duration.observe({ deployment }, durationMs / 1000);
    },
    families: () => [
      counter(
        'millrace_requests_total',
        'Requests settled, by the deployment that served them last.',
        requests.samples(),
      ),
      counter('millrace_attempts_total', 'Calls to deployments.', attempts.samples()),
      counter('millrace_tokens_total', 'Tokens of settled requests.', tokens.samples()),
      counter(
        'millrace_revenue_total',
        'What settled requests were charged, in units of the currency.',
        amounts(revenue),
      ),
      counter('millrace_cost_total', 'What is known of their cost, in units of the currency.', amounts(cost)),
      histogram('millrace_ttft_seconds', 'Time to the first byte of the answer.', ttft.samples()),
      histogram('millrace_duration_seconds', 'Time to the end of the answer.', duration.samples()),
    ],
  };
}

const counter = (name: string, help: string, samples: readonly Sample[]): MetricFamily => ({
  name,
  type: 'counter',
  help,
  samples,
});
const histogram = (name: string, help: string, samples: readonly Sample[]): MetricFamily => ({
  name,
  type: 'histogram',
  help,
  samples,
});
const amounts = (totals: ReadonlyMap<string, Nano>): Sample[] =>
  [...totals].map(([currency, nano]) => ({ labels: { currency }, value: formatAmount(nano) }));

function createCounter() {
  const counts = new Map<string, { readonly labels: Labels; value: number }>();
  return {
    add(labels: Labels, count: number): void {
      const key = Object.values(labels).join('\n');
      const entry = counts.get(key);
      if (entry) entry.value += count;
      else counts.set(key, { labels, value: count });
    },
    samples: (): readonly Sample[] => [...counts.values()],
  };
}

function createHistogram() {
  const series = new Map<string, { readonly labels: Labels; readonly counts: number[]; sum: number; count: number }>();
  return {
    observe(labels: Labels, seconds: number): void {
      const key = Object.values(labels).join('\n');
      let entry = series.get(key);
      if (!entry) {
        entry = { labels, counts: BUCKETS_S.map(() => 0), sum: 0, count: 0 };
        series.set(key, entry);
      }
      entry.sum += seconds;
      entry.count++;
      const { counts } = entry;
      for (const [index, bound] of BUCKETS_S.entries()) if (seconds <= bound) counts[index] = (counts[index] ?? 0) + 1;
    },
    samples: (): readonly Sample[] =>
      [...series.values()].flatMap(({ labels, counts, sum, count }) => [
        ...BUCKETS_S.map((bound, index) => ({
          labels: { ...labels, le: String(bound) },
          value: counts[index] ?? 0,
          suffix: '_bucket',
        })),
        { labels: { ...labels, le: '+Inf' }, value: count, suffix: '_bucket' },
        { labels, value: sum, suffix: '_sum' },
        { labels, value: count, suffix: '_count' },
      ]),
  };
}
