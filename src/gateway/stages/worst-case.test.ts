import assert from 'node:assert/strict';
import { test } from 'node:test';
import { priceVersionOf, rate } from '../../money/pricing/index.ts';
import { worstNano } from './worst-case.ts';

const { version: price } = priceVersionOf(
  {
    currency: 'CNY',
    inputPerM: '1',
    outputPerM: '2',
    pricedAt: 'end',
    rules: [
      { when: { timeZone: 'UTC', hours: '09:00-10:00', inputAbove: 1_000 }, prices: { input: '3', output: '8' } },
      { when: { timeZone: 'UTC', hours: '09:00-10:00' }, prices: { input: '2', output: '4' } },
    ],
  },
  'sell m',
  'price',
);
const at = (time: string) => Date.parse(`2026-03-02T${time}Z`);

test('an answer that grows beyond an hour and a tier stays within its hold, however its hold grew', () => {
  const stretch = { fromMs: at('08:55:00'), untilMs: at('09:05:00') };
  const worst = (outputTokensMax: number) => worstNano(price, { inputTokensMax: 2_000, outputTokensMax }, stretch);
  let held = worst(100);
  for (let covered = 100; covered < 1_000; covered += 75) held += worst(covered + 75) - worst(covered);
  for (const [inputTokens, endMs] of [
    [2_000, at('08:59:59')],
    [2_000, at('09:00:00')],
    [1_000, at('09:05:00')],
  ] as const) {
    const usage = { inputTokens, cachedInputTokens: 0, outputTokens: 1_000, reasoningTokens: 0 };
    const { amountNano } = rate(usage, price, { startMs: stretch.fromMs, endMs });
    assert.ok(amountNano <= held, `${amountNano} of ${held}`);
  }
  assert.equal(held, worst(1_000));
  assert.equal(worst(1_000), 2_000n * 3_000n + 1_000n * 8_000n, 'the later and longer of all prices');
  assert.equal(
    worstNano(price, { inputTokensMax: 2_000, outputTokensMax: 1_000 }, { ...stretch, untilMs: at('08:59:00') }),
    2_000n * 1_000n + 1_000n * 2_000n,
    'nothing for hours that do not come',
  );
});
