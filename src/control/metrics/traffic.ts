import { formatAmount, type Nano } from '@millrace/contract';
import type { Attempt, Intent, Settlement } from '../../ground/journal/index.ts';
import { createHistogram, type Histogram } from './histogram.ts';
import { family, type Labels, type MetricFamily, type Sample } from './metric-text.ts';

/** Counts of this process, from the settlements that the loader brings in. A counter starts at zero with the process, as Prometheus expects. */
export interface Traffic {
  settled(settlement: Settlement, intent: Pick<Intent, 'model' | 'stream'>): void;
  families(): readonly MetricFamily[];
}

/** All that is counted of a model on a deployment: found once per settlement, for the loader's thread is the control plane's too. */
interface Series {
  readonly labels: { readonly model: string; readonly deployment: string };
  readonly outcomes: Map<string, { readonly outcome: string; readonly fault: string; count: number }>;
  readonly attempts: Map<string, number>;
  readonly disputed: { input: number; output: number };
  readonly tokens: { input: number; cached_input: number; output: number; reasoning: number };
  readonly ttft: Histogram;
  readonly duration: Histogram;
}

export function createTraffic(): Traffic {
  const all = new Map<string, Series>();
  const revenue = new Map<string, Nano>();
  const cost = new Map<string, Nano>();
  const disputed = new Map<string, Nano>();
  const seriesOf = (model: string, deployment: string): Series => {
    const key = `${model}\n${deployment}`;
    let series = all.get(key);
    if (!series) {
      series = newSeries(model, deployment);
      all.set(key, series);
    }
    return series;
  };
  const each = (samples: (series: Series) => readonly Sample[]) => [...all.values()].flatMap(samples);

  return {
    settled(settlement, { model, stream }) {
      const { outcome, faultCode: fault = '', currency, amountNano, ttftMs, durationMs } = settlement;
      const series = seriesOf(model, settlement.attempts.at(-1)?.deploymentId ?? '');
      const key = `${outcome}\n${fault}`;
      const ended = series.outcomes.get(key);
      if (ended) ended.count++;
      else series.outcomes.set(key, { outcome, fault, count: 1 });
      countTokens(series.tokens, settlement);
      add(revenue, currency, amountNano);
      for (const attempt of settlement.attempts) {
        const { attempts } = seriesOf(model, attempt.deploymentId);
        attempts.set(attempt.outcome, (attempts.get(attempt.outcome) ?? 0) + 1);
        const { costCurrency, costNano } = attempt;
        countDispute(seriesOf(model, attempt.deploymentId), attempt);
        if (costCurrency === undefined) continue;
        if (costNano !== undefined) add(cost, costCurrency, costNano);
        add(disputed, costCurrency, attempt.disputed?.costNano ?? 0n);
      }
      // An answer that is sent whole has its first byte at its end: it would tell nothing of the first token.
      if (stream && ttftMs !== undefined) series.ttft.observe(ttftMs / 1000);
      series.duration.observe(durationMs / 1000);
    },
    families: () => [
      family('requests_total', each(outcomeSamples)),
      family(
        'attempts_total',
        each(({ labels, attempts }) => counts(labels, 'outcome', [...attempts])),
      ),
      family(
        'tokens_total',
        each(({ labels, tokens }) => counts(labels, 'kind', Object.entries(tokens))),
      ),
      family('revenue_total', amounts(revenue)),
      family('cost_total', amounts(cost)),
      family('disputed_tokens_total', each(disputedTokens)),
      family('disputed_cost_total', amounts(disputed)),
      family(
        'ttft_seconds',
        each(({ labels, ttft }) => ttft.samples(labels)),
      ),
      family(
        'duration_seconds',
        each(({ labels, duration }) => duration.samples(labels)),
      ),
    ],
  };
}

function newSeries(model: string, deployment: string): Series {
  return {
    labels: { model, deployment },
    outcomes: new Map(),
    attempts: new Map(),
    disputed: { input: 0, output: 0 },
    tokens: { input: 0, cached_input: 0, output: 0, reasoning: 0 },
    ttft: createHistogram(),
    duration: createHistogram(),
  };
}

/** Kinds that do not overlap, so that a sum over them counts each token once. */
function countTokens(tokens: Series['tokens'], { usage }: Settlement): void {
  tokens.input += usage.inputTokens - usage.cachedInputTokens;
  tokens.cached_input += usage.cachedInputTokens;
  tokens.output += usage.outputTokens - usage.reasoningTokens;
  tokens.reasoning += usage.reasoningTokens;
}

function countDispute(series: Series, { disputed }: Attempt): void {
  if (!disputed) return;
  series.disputed.input += disputed.inputTokens;
  series.disputed.output += disputed.outputTokens;
}

function outcomeSamples({ labels, outcomes }: Series): Sample[] {
  return [...outcomes.values()].map(({ outcome, fault, count }) => ({
    labels: { ...labels, outcome, fault },
    value: count,
  }));
}

function disputedTokens({ labels, disputed }: Series): Sample[] {
  return counts(labels, 'kind', Object.entries(disputed));
}

function add(totals: Map<string, Nano>, currency: string, nano: Nano): void {
  totals.set(currency, (totals.get(currency) ?? 0n) + nano);
}

const counts = (labels: Labels, name: string, values: readonly (readonly [string, number])[]): Sample[] =>
  values.map(([value, count]) => ({ labels: { ...labels, [name]: value }, value: count }));
const amounts = (totals: ReadonlyMap<string, Nano>): Sample[] =>
  [...totals].map(([currency, nano]) => ({ labels: { currency }, value: formatAmount(nano) }));
