import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readMetrics } from '../../../test/support/metrics.ts';
import type { Intent, Settlement } from '../../ground/journal/index.ts';
import { family, metricText } from './metric-text.ts';
import { createTraffic } from './traffic.ts';

const usage = { inputTokens: 30, cachedInputTokens: 10, outputTokens: 5, reasoningTokens: 2 };
const attempt = {
  number: 1,
  deploymentId: 'a',
  providerId: 'p',
  status: 200,
  outcome: 'ok',
  usage,
  costCurrency: 'CNY',
  costNano: 3n,
  durationMs: 100,
} as const;
const settlement = (more: Partial<Settlement> = {}): Settlement => ({
  id: '0199',
  atMs: 0,
  outcome: 'ok',
  status: 200,
  usage,
  usageSource: 'upstream',
  estimated: false,
  amountNano: 7n,
  currency: 'CNY',
  priceVersion: 'v',
  attempts: [attempt],
  ttftMs: 80,
  durationMs: 1_200,
  holdNano: 9n,
  ...more,
});

const intent = (more: Partial<Intent> = {}) => ({ model: 'm', stream: true, ...more });

test('counts are exact, by model and deployment; money is a decimal string', () => {
  const traffic = createTraffic();
  traffic.settled(settlement(), intent());
  traffic.settled(settlement({ amountNano: 9_007_199_254_740_993_000_000_000n }), intent({ stream: false }));
  traffic.settled(
    settlement({
      outcome: 'failed',
      faultCode: 'upstream_error',
      attempts: [
        { ...attempt, outcome: 'failed' },
        { ...attempt, deploymentId: 'b', outcome: 'failed' },
      ],
      amountNano: 0n,
      usage: { ...usage, inputTokens: 0, cachedInputTokens: 0, outputTokens: 0, reasoningTokens: 0 },
    }),
    intent(),
  );
  traffic.settled(settlement({ outcome: 'recovered', attempts: [], durationMs: 1_000_000 }), intent({ model: 'n' }));
  const lines = metricText(traffic.families()).split('\n');
  for (const line of [
    'requests_total{model="m",deployment="a",outcome="ok",fault=""} 2',
    'requests_total{model="m",deployment="b",outcome="failed",fault="upstream_error"} 1',
    'requests_total{model="n",deployment="",outcome="recovered",fault=""} 1',
    'attempts_total{model="m",deployment="a",outcome="ok"} 2',
    'attempts_total{model="m",deployment="a",outcome="failed"} 1',
    'attempts_total{model="m",deployment="b",outcome="failed"} 1',
    'tokens_total{model="m",deployment="a",kind="input"} 40',
    'tokens_total{model="m",deployment="a",kind="cached_input"} 20',
    'tokens_total{model="m",deployment="a",kind="output"} 6',
    'tokens_total{model="m",deployment="a",kind="reasoning"} 4',
    'revenue_total{currency="CNY"} 9007199254740993.000000014',
    'cost_total{currency="CNY"} 0.000000012',
    // The second answer was sent whole: it has no first token.
    'ttft_seconds_bucket{model="m",deployment="a",le="0.05"} 0',
    'ttft_seconds_bucket{model="m",deployment="a",le="0.1"} 1',
    'ttft_seconds_bucket{model="m",deployment="a",le="+Inf"} 1',
    'ttft_seconds_count{model="m",deployment="a"} 1',
    'duration_seconds_bucket{model="m",deployment="a",le="1"} 0',
    'duration_seconds_bucket{model="m",deployment="a",le="2.5"} 2',
    'duration_seconds_sum{model="m",deployment="a"} 2.4',
    'duration_seconds_count{model="m",deployment="a"} 2',
    'duration_seconds_bucket{model="n",deployment="",le="300"} 0',
    'duration_seconds_bucket{model="n",deployment="",le="+Inf"} 1',
  ])
    assert.ok(lines.includes(`millrace_${line}`), line);
});

test('labels cannot break out of their line', () => {
  const text = metricText([family('build_info', [{ labels: { version: 'a"b\n\\c' }, value: 1 }])]);
  assert.equal(text.split('\n')[2], 'millrace_build_info{version="a\\"b\\n\\\\c"} 1');
  assert.deepEqual(readMetrics(text).get('millrace_build_info')?.samples[0]?.labels, { version: 'a"b\n\\c' });
});
