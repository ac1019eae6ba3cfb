import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Settlement } from '../journal/index.ts';
import { metricText } from './metric-text.ts';
import { createTraffic } from './traffic.ts';

const usage = { inputTokens: 30, cachedInputTokens: 10, outputTokens: 5, reasoningTokens: 0 };
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

test('counts are exact, by deployment; money is a decimal string', () => {
  const traffic = createTraffic();
  traffic.settled(settlement());
  traffic.settled(settlement({ amountNano: 9_007_199_254_740_993_000_000_000n }));
  traffic.settled(
    settlement({
      outcome: 'failed',
      faultCode: 'upstream_error',
      attempts: [],
      amountNano: 0n,
      usage: { ...usage, inputTokens: 0, cachedInputTokens: 0, outputTokens: 0 },
    }),
  );
  const text = metricText(traffic.families());
  for (const line of [
    'millrace_requests_total{deployment="a",outcome="ok",fault=""} 2',
    'millrace_requests_total{deployment="",outcome="failed",fault="upstream_error"} 1',
    'millrace_attempts_total{deployment="a",outcome="ok"} 2',
    'millrace_tokens_total{deployment="a",kind="input"} 40',
    'millrace_tokens_total{deployment="a",kind="cached_input"} 20',
    'millrace_tokens_total{deployment="a",kind="output"} 10',
    'millrace_revenue_total{currency="CNY"} 9007199254740993.000000007',
    'millrace_cost_total{currency="CNY"} 0.000000006',
    'millrace_ttft_seconds_bucket{deployment="a",le="0.05"} 0',
    'millrace_ttft_seconds_bucket{deployment="a",le="0.1"} 2',
    'millrace_ttft_seconds_bucket{deployment="a",le="+Inf"} 2',
    'millrace_duration_seconds_sum{deployment="a"} 2.4',
    'millrace_duration_seconds_count{deployment="a"} 2',
  ])
    assert.ok(text.split('\n').includes(line), line);
});

test('labels and help cannot break out of their line', () => {
  const text = metricText([
    { name: 'm', type: 'gauge', help: 'two\nlines \\', samples: [{ labels: { id: 'a"b\n\\c' }, value: 1 }] },
  ]);
  assert.equal(text, '# HELP m two\\nlines \\\\\n# TYPE m gauge\nm{id="a\\"b\\n\\\\c"} 1\n');
});
