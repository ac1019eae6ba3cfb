import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  formatAmount,
  METER_IDS,
  type MeterCount,
  parseAmount,
  ruledPriceSchema,
  type UsageVector,
} from '@millrace/contract';
import { parse } from 'yaml';
import { amountByRules, readRuleFigures } from '../src/money/ledger/proof/price-rules.ts';
import {
  holdNano,
  type PriceInput,
  priceVersionOf,
  type RateContext,
  rate,
  unitsOf,
} from '../src/money/pricing/index.ts';

// Every shape of price that vendors publish: written as people write it, read by the schema, rated, held for, and proved by the
// second implementation. Amounts are worked out by hand.

interface Charge {
  readonly why: string;
  readonly usage: UsageVector;
  readonly at?: string;
  readonly serviceClass?: string;
  readonly attributes?: Readonly<Record<string, string>>;
  readonly amount: string;
}

interface Shape {
  readonly name: string;
  readonly price: string;
  readonly charges: readonly Charge[];
}

const used = (inputTokens: number, outputTokens: number, cachedInputTokens = 0, more?: readonly MeterCount[]) => ({
  inputTokens,
  cachedInputTokens,
  outputTokens,
  reasoningTokens: 0,
  ...(more === undefined ? {} : { more }),
});
const only = (...more: readonly MeterCount[]): UsageVector => used(0, 0, 0, more);
const M = 1_000_000;

const SHAPES: readonly Shape[] = [
  {
    name: 'implicit cache: a hit is 20 % of input',
    price: '{ currency: CNY, inputPerM: "2", cachedInputPerM: "0.4", outputPerM: "8" }',
    charges: [{ why: 'half of it hit', usage: used(M, M, M / 2), amount: '9.2' }],
  },
  {
    name: 'explicit cache: a write is 125 %, a hit 10 %',
    price:
      '{ currency: CNY, inputPerM: "2", cachedInputPerM: "0.2", outputPerM: "8", rules: [{ prices: { cacheWrite: "2.5" } }] }',
    charges: [
      {
        why: 'hit, written, plain',
        usage: used(M, 0, 200_000, [{ meter: 'cacheWrite', units: 300_000 }]),
        amount: '1.79',
      },
      { why: 'a request that wrote nothing', usage: used(M, 0), amount: '2' },
    ],
  },
  {
    name: 'cache writes by how long they live',
    price:
      '{ currency: USD, inputPerM: "3", cachedInputPerM: "0.3", outputPerM: "15", rules: [{ prices: { cacheWrite: "3.75", cacheWrite1h: "6" } }] }',
    charges: [
      {
        why: 'an hour, and the rest of the writes',
        usage: used(M, 0, 0, [
          { meter: 'cacheWrite', units: 500_000 },
          { meter: 'cacheWrite5m', units: 100_000 },
          { meter: 'cacheWrite1h', units: 400_000 },
        ]),
        amount: '4.275',
      },
    ],
  },
  {
    name: 'length tiers, each for the whole request (cliff), cached input included in the length',
    price: `
      currency: CNY
      inputPerM: "10"
      outputPerM: "40"
      rules:
        - when: { inputUpTo: 32000 }
          prices: { input: "1", cachedInput: "0.1", output: "4" }
        - when: { inputUpTo: 128000 }
          prices: { input: "2", cachedInput: "0.2", output: "8" }`,
    charges: [
      { why: 'the last token of the first tier', usage: used(32_000, 1_000), amount: '0.036' },
      { why: 'one more re-prices all', usage: used(32_001, 1_000), amount: '0.072002' },
      { why: 'cached ones count for the tier', usage: used(40_000, 0, 39_000), amount: '0.0098' },
      { why: 'beyond all tiers', usage: used(200_000, 1_000), amount: '2.04' },
    ],
  },
  {
    name: 'length tiers, step by step',
    price:
      '{ currency: USD, outputPerM: "4", rules: [{ prices: { input: { price: "2", steps: [{ upTo: 128000, price: "1" }] } } }] }',
    charges: [
      { why: 'below the step', usage: used(128_000, 0), amount: '0.128' },
      { why: 'only what lies beyond it costs more', usage: used(228_000, 0), amount: '0.328' },
    ],
  },
  {
    name: 'service classes, batch at half',
    price: `
      currency: USD
      inputPerM: "1"
      outputPerM: "4"
      rules:
        - { when: { serviceClass: [batch, flex] }, prices: { input: "0.5", output: "2" } }
        - { when: { serviceClass: priority }, prices: { input: "1.75", output: "7" } }`,
    charges: [
      { why: 'standard', usage: used(M, M), amount: '5' },
      { why: 'batch', usage: used(M, M), serviceClass: 'batch', amount: '2.5' },
      { why: 'flex', usage: used(M, M), serviceClass: 'flex', amount: '2.5' },
      { why: 'priority', usage: used(M, M), serviceClass: 'priority', amount: '8.75' },
      { why: 'a class without a rule is charged as standard', usage: used(M, M), serviceClass: 'scale', amount: '5' },
    ],
  },
  {
    name: 'reserved throughput by the day, in and out apart; within it tokens are paid for, overflow is not',
    price: `
      currency: CNY
      inputPerM: "0.8"
      outputPerM: "2"
      rules:
        - { when: { serviceClass: reserved }, prices: { input: "0", output: "0" } }
        - { prices: { reservedInput: "6.5", reservedOutput: "20" } }`,
    charges: [
      { why: 'a token of the package', usage: used(M, M), serviceClass: 'reserved', amount: '0' },
      { why: 'overflow', usage: used(M, M), amount: '2.8' },
      {
        why: 'ten thousand in and two thousand out a minute, for a day',
        usage: only({ meter: 'reservedInput', units: 10 }, { meter: 'reservedOutput', units: 2 }),
        amount: '105',
      },
    ],
  },
  {
    name: 'model units by the day',
    price: '{ currency: CNY, rules: [{ prices: { modelUnits: "480" } }] }',
    charges: [{ why: 'two for a month', usage: only({ meter: 'modelUnits', units: 60 }), amount: '28800' }],
  },
  {
    name: 'dedicated: by the second of a kind of device; by begun minutes of another',
    price: `
      currency: USD
      rules:
        - { when: { attributes: { device: h100 } }, prices: { deviceTime: "0.0011" } }
        - { when: { attributes: { device: h20 } }, prices: { deviceTime: { price: "0.0005", block: 60000 } } }`,
    charges: [
      {
        why: 'by the second',
        usage: only({ meter: 'deviceTime', units: 90_000 }),
        attributes: { device: 'h100' },
        amount: '0.099',
      },
      {
        why: 'ninety seconds are two minutes',
        usage: only({ meter: 'deviceTime', units: 90_000 }),
        attributes: { device: 'h20' },
        amount: '0.06',
      },
    ],
  },
  {
    name: 'training: tokens times epochs',
    price: '{ currency: CNY, rules: [{ prices: { trainedTokens: "30" } }] }',
    charges: [{ why: 'a million, three times', usage: only({ meter: 'trainedTokens', units: 3 * M }), amount: '90' }],
  },
  {
    name: 'image tokens at a price of their own, at least four',
    price:
      '{ currency: CNY, inputPerM: "1", outputPerM: "4", rules: [{ prices: { imageInput: { price: "3", least: 4 } } }] }',
    charges: [
      { why: 'text and an image', usage: used(M, 0, 0, [{ meter: 'imageInput', units: 500_000 }]), amount: '2' },
      { why: 'a tiny image', usage: used(1_000, 0, 0, [{ meter: 'imageInput', units: 1 }]), amount: '0.001011' },
    ],
  },
  {
    name: 'images by size and quality, by megapixel, and edited ones by the call',
    price: `
      currency: USD
      rules:
        - { when: { attributes: { size: 1024x1024, quality: high } }, prices: { images: "0.167" } }
        - { when: { attributes: { size: [1024x1024, 1024x1536] } }, prices: { images: "0.042" } }
        - { prices: { images: "0.02", pixels: "0.01", requests: "0.005" } }`,
    charges: [
      {
        why: 'high',
        usage: only({ meter: 'images', units: 2 }),
        attributes: { size: '1024x1024', quality: 'high' },
        amount: '0.334',
      },
      { why: 'medium', usage: only({ meter: 'images', units: 1 }), attributes: { size: '1024x1536' }, amount: '0.042' },
      { why: 'any other', usage: only({ meter: 'images', units: 1 }), amount: '0.02' },
      { why: 'by megapixel', usage: only({ meter: 'pixels', units: 1_048_576 }), amount: '0.01048576' },
      { why: 'by the call', usage: only({ meter: 'requests', units: 3 }), amount: '0.015' },
    ],
  },
  {
    name: 'sound by the second, speech by characters, video by second and resolution, pages, storage',
    price: `
      currency: CNY
      rules:
        - { when: { attributes: { resolution: 1080p } }, prices: { videoTime: "0.7" } }
        - prices:
            videoTime: "0.3"
            audioInputTime: { price: "0.0001", block: 1000, least: 15000 }
            characters: "200"
            pages: "0.01"
            storage: "0.004"`,
    charges: [
      { why: 'a second begun counts', usage: only({ meter: 'audioInputTime', units: 60_001 }), amount: '0.0061' },
      { why: 'fifteen seconds at least', usage: only({ meter: 'audioInputTime', units: 900 }), amount: '0.0015' },
      { why: 'speech', usage: only({ meter: 'characters', units: 123 }), amount: '0.0246' },
      {
        why: 'fine video',
        usage: only({ meter: 'videoTime', units: 5_000 }),
        attributes: { resolution: '1080p' },
        amount: '3.5',
      },
      { why: 'plain video', usage: only({ meter: 'videoTime', units: 5_000 }), amount: '1.5' },
      { why: 'pages', usage: only({ meter: 'pages', units: 12 }), amount: '0.12' },
      { why: 'ten gigabytes for a day', usage: only({ meter: 'storage', units: 240_000 }), amount: '0.96' },
    ],
  },
  {
    name: 'web searches by the thousand, the first of a request free; tool calls',
    price:
      '{ currency: CNY, inputPerM: "1", outputPerM: "4", rules: [{ prices: { searches: { price: "0.006", free: 1 }, toolCalls: "0.001" } }] }',
    charges: [
      { why: 'one is free', usage: used(0, 0, 0, [{ meter: 'searches', units: 1 }]), amount: '0' },
      {
        why: 'three searches, two calls',
        usage: used(0, 0, 0, [
          { meter: 'searches', units: 3 },
          { meter: 'toolCalls', units: 2 },
        ]),
        amount: '0.014',
      },
    ],
  },
  {
    name: 'reasoning is output, at the price of thinking where the model thinks',
    price:
      '{ currency: CNY, inputPerM: "0.8", outputPerM: "2", rules: [{ when: { attributes: { thinking: enabled } }, prices: { output: "8" } }] }',
    charges: [
      { why: 'without', usage: used(0, M), amount: '2' },
      {
        why: 'thinking',
        usage: { ...used(0, M), reasoningTokens: M / 2 },
        attributes: { thinking: 'enabled' },
        amount: '8',
      },
    ],
  },
  {
    name: 'by region and speed',
    price: `
      currency: USD
      inputPerM: "5"
      outputPerM: "25"
      rules:
        - { when: { attributes: { speed: fast } }, prices: { input: "30", output: "150" } }
        - { when: { attributes: { region: us } }, prices: { input: "5.5", output: "27.5" } }`,
    charges: [
      { why: 'anywhere', usage: used(M, M), amount: '30' },
      { why: 'kept in a region', usage: used(M, M), attributes: { region: 'us' }, amount: '33' },
      { why: 'fast', usage: used(M, M), attributes: { speed: 'fast', region: 'us' }, amount: '180' },
    ],
  },
  {
    name: 'a minimum, and amounts in whole cents',
    price: '{ currency: CNY, inputPerM: "1", outputPerM: "4", minimum: "0.01", roundTo: "0.01", rounding: half-up }',
    charges: [
      { why: 'one token', usage: used(1, 0), amount: '0.01' },
      { why: 'nothing costs nothing', usage: used(0, 0), amount: '0' },
      { why: 'to the nearest cent', usage: used(1_234_567, 0), amount: '1.23' },
      { why: 'half a cent goes up', usage: used(1_235_000, 0), amount: '1.24' },
    ],
  },
];

/** All of DeepSeek's prices since February 2025, each phase a rule (hit / miss / output, USD). Its pages: priced by when a request ends. */
const DEEPSEEK = `
  currency: USD
  pricedAt: end
  rules:
    - { when: { until: "2025-02-25T16:00:00Z" }, prices: { cachedInput: "0.14", input: "0.55", output: "2.19" } }
    - when: { until: "2025-09-05T16:00:00Z", timeZone: Asia/Shanghai, hours: 00:30-08:30 }
      prices: { cachedInput: "0.035", input: "0.135", output: "0.55" }
    - { when: { until: "2025-09-05T16:00:00Z" }, prices: { cachedInput: "0.14", input: "0.55", output: "2.19" } }
    - { when: { until: "2025-09-29" }, prices: { cachedInput: "0.07", input: "0.56", output: "1.68" } }
    - { when: { until: "2026-04-26" }, prices: { cachedInput: "0.028", input: "0.28", output: "0.42" } }
    - { when: { until: "2026-08-16T16:00:00Z" }, prices: { cachedInput: "0.0028", input: "0.14", output: "0.28" } }
    - when: { until: "2026-09-10", timeZone: UTC, hours: [01:00-04:00, 06:00-10:00] }
      prices: { cachedInput: "0.014", input: "0.44", output: "1.32" }
    - { when: { until: "2026-09-10" }, prices: { cachedInput: "0.007", input: "0.22", output: "0.66" } }
    - when:
        timeZone: Asia/Shanghai
        hours: [09:00-12:00, 14:00-18:00]
        days: [mon, tue, wed, thu, fri]
        calendar: cn
        holidays: except
      prices: { cachedInput: "0.006", input: "0.30", output: "1.20" }
    - prices: { cachedInput: "0.003", input: "0.15", output: "0.60" }`;

/** A million of each: hit, miss, output. */
const all = used(2 * M, M, M);
const deepseek = (at: string, amount: string, why: string): Charge => ({ why, usage: all, at, amount });
const HISTORY: Shape = {
  name: 'DeepSeek from February 2025 to September 2026',
  price: DEEPSEEK,
  charges: [
    deepseek('2025-02-20T18:00:00Z', '2.88', 'before there was a night'),
    deepseek('2025-02-27T00:29:59+08:00', '2.88', 'the last second of a day'),
    deepseek('2025-02-27T00:30:00+08:00', '0.72', 'the night begins'),
    deepseek('2025-02-27T08:29:59+08:00', '0.72', 'its last second'),
    deepseek('2025-02-27T08:30:00+08:00', '2.88', 'it ends'),
    deepseek('2025-09-05T15:59:59Z', '2.88', 'the last second before V3.1'),
    deepseek('2025-09-05T17:00:00Z', '2.31', 'V3.1 has no night'),
    deepseek('2025-10-01T00:00:00Z', '0.728', 'V3.2'),
    deepseek('2026-05-01T00:00:00Z', '0.4228', 'V4, hits at a tenth'),
    deepseek('2026-08-22T02:00:00Z', '1.774', 'a Saturday peaks too'),
    deepseek('2026-08-22T04:00:00Z', '0.887', 'between the peaks'),
    deepseek('2026-09-11T01:00:00Z', '1.506', 'Friday peak'),
    deepseek('2026-09-11T09:59:59Z', '1.506', 'its last second'),
    deepseek('2026-09-11T10:00:00Z', '0.753', 'after it'),
    deepseek('2026-09-12T02:00:00Z', '0.753', 'Saturday'),
    deepseek('2026-09-20T02:00:00Z', '0.753', 'a Sunday that is worked in exchange'),
    deepseek('2026-10-01T02:00:00Z', '0.753', 'National Day, a Thursday'),
    deepseek('2026-10-08T02:00:00Z', '1.506', 'the first day after'),
  ],
};

const priceOf = (yaml: string): PriceInput => ruledPriceSchema.parse(parse(yaml));

for (const { name, price, charges } of [...SHAPES, HISTORY]) {
  const { version, content } = priceVersionOf(priceOf(price), 'sell m', 'price');
  for (const { why, usage, at = '2026-06-01T00:00:00Z', amount, ...given } of charges)
    test(`${name}: ${why}`, () => {
      const endMs = Date.parse(at);
      const request: RateContext = {
        startMs: endMs - 30_000,
        endMs,
        serviceClass: given.serviceClass,
        attributes: given.attributes && new Map(Object.entries(given.attributes)),
      };
      const { amountNano, unpriced, lines } = rate(usage, version, request);
      assert.equal(formatAmount(amountNano), amount);
      assert.equal(unpriced, undefined);
      assert.ok(lines.every(line => line.amountNano >= 0n));
      if (version.book !== undefined) {
        const units = new Map(METER_IDS.map(meter => [meter, BigInt(unitsOf(usage, meter))] as const));
        assert.equal(amountByRules(readRuleFigures(JSON.parse(content)), { ...request, units }), parseAmount(amount));
      }
      const hold = holdNano({
        price: version,
        inputTokensMax: usage.inputTokens,
        outputTokensMax: usage.outputTokens,
        moreMax: usage.more,
        fromMs: request.startMs - 600_000,
        untilMs: endMs + 600_000,
        serviceClass: given.serviceClass ?? 'standard',
        attributes: request.attributes,
      });
      assert.ok(amountNano <= hold, `${amountNano} of ${hold}`);
    });
}
