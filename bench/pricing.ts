// What rating one request costs: three figures, and a price list of 200 rules. Run: node bench/pricing.ts. Prints JSON, microseconds of CPU.
import { holdNano, type PriceInput, type PriceVersion, priceVersionOf, rate } from '../src/money/pricing/index.ts';

const RULES = 200;
const WARM = 2_000;
const ROUNDS = 5;
const BATCH = 500;
const ROUND_US = 120_000;

const usage = { inputTokens: 12_345, cachedInputTokens: 4_000, outputTokens: 987, reasoningTokens: 0 };
const more = {
  ...usage,
  more: [
    { meter: 'cacheWrite', units: 2_000 },
    { meter: 'cacheWrite1h', units: 2_000 },
    { meter: 'searches', units: 3 },
  ] as const,
};
const startMs = Date.parse('2026-09-11T01:30:00Z');
const request = {
  startMs,
  endMs: startMs + 20_000,
  serviceClass: 'standard',
  attributes: new Map([['region', 'cn-beijing']]),
};

/** Regions and classes by hours of workdays, none of which is the request's: the base stands behind them all. */
function manyRules(): PriceInput {
  const rules = Array.from({ length: RULES / 4 }, (_, index) => ({
    when: {
      attributes: { region: index % 2 === 0 ? `region-${index}` : 'cn-beijing' },
      inputAbove: (index % 4) * 8_000,
      timeZone: index % 3 === 0 ? 'Asia/Shanghai' : 'America/New_York',
      hours: ['18:00-22:00'],
      days: ['mon', 'tue', 'wed', 'thu', 'fri'] as const,
      calendar: 'cn',
      holidays: 'except' as const,
    },
    prices: { input: '1', cachedInput: '0.1', cacheWrite: '2', output: '4' },
  }));
  const base = { input: '2', cachedInput: '0.2', cacheWrite: '2.5', cacheWrite1h: '4', output: '8', searches: '0.01' };
  return {
    currency: 'CNY',
    rules: [...rules.map(rule => ({ ...rule, when: { ...rule.when, days: [...rule.when.days] } })), { prices: base }],
  };
}

/** CPU per call, of the best round; a round is long enough for a clock that ticks every four milliseconds. */
function microseconds(work: () => unknown): number {
  for (let call = 0; call < WARM; call++) work();
  const rounds = Array.from({ length: ROUNDS }, () => {
    const before = process.threadCpuUsage();
    for (let calls = 0; ; ) {
      for (let call = 0; call < BATCH; call++) work();
      calls += BATCH;
      const { user, system } = process.threadCpuUsage(before);
      if (user + system >= ROUND_US) return (user + system) / calls;
    }
  });
  return Math.round(Math.min(...rounds) * 1000) / 1000;
}

const versionOf = (input: PriceInput): PriceVersion => priceVersionOf(input, 'sell m', 'price').version;
const flat = versionOf({ currency: 'CNY', inputPerM: '2', cachedInputPerM: '0.2', outputPerM: '8' });
const ruled = versionOf(manyRules());
const bounds = { inputTokensMax: 20_000, outputTokensMax: 4_096, fromMs: startMs, untilMs: startMs + 600_000 };
process.stdout.write(
  `${JSON.stringify(
    {
      threeFigures: {
        rate: microseconds(() => rate(usage, flat)),
        hold: microseconds(() => holdNano({ ...bounds, price: flat })),
      },
      rules: RULES,
      byRules: {
        rate: microseconds(() => rate(usage, ruled, request)),
        rateManyMeters: microseconds(() => rate(more, ruled, request)),
        hold: microseconds(() => holdNano({ ...bounds, price: ruled })),
      },
    },
    null,
    2,
  )}\n`,
);
