import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Architecture, cacheBytesPerToken, expertsTouched, parameters } from './architecture.ts';
import { ARCHITECTURES } from './data/architectures.ts';
import { ENGINE } from './data/engine.ts';
import { HARDWARE } from './data/hardware.ts';
import { findArchitecture, findHardware } from './lookup.ts';
import { parseMoney } from './quantity.ts';
import { decode, prefill } from './replica.ts';
import { batchMax, memoryFit, type Replica, requireShape, tokensPerStep } from './replica-shape.ts';

const model = (id: string): Architecture => findArchitecture('model', id);
function replica(modelId: string, hardwareId: string, change: Partial<Replica> = {}): Replica {
  return {
    model: model(modelId),
    hardware: findHardware('hardware', hardwareId),
    weights: 'fp8',
    cache: 'bf16',
    parallel: { tp: 1, pp: 1, dp: 1, ep: 1 },
    engine: ENGINE,
    overlap: false,
    redundantExperts: 0,
    ...change,
  };
}

// Sizes as the vendors name them, in billions: total and active.
const SIZES: Readonly<Record<string, readonly [total: number, active: number, within: number]>> = {
  'deepseek-v3': [671, 37, 0.02],
  'kimi-k2': [1026, 32.6, 0.02],
  'glm-4.5': [355, 32, 0.06],
  'glm-4.5-air': [106, 12, 0.12],
  'qwen3-235b-a22b': [235, 22, 0.02],
  'qwen3-30b-a3b': [30.5, 3.3, 0.03],
  'qwen3-32b': [32.8, 32.8, 0.01],
  'qwen3-14b': [14.8, 14.8, 0.01],
  'qwen3-8b': [8.2, 8.2, 0.01],
  'llama-3.1-70b': [70.6, 70.6, 0.01],
  'llama-3.1-8b': [8.03, 8.03, 0.01],
};
for (const [id, [total, active, within]] of Object.entries(SIZES)) {
  test(`${id} counts ${total}B parameters, ${active}B active`, () => {
    const counted = parameters(model(id));
    assert.ok(Math.abs(counted.total / 1e9 / total - 1) < within, `total ${counted.total / 1e9}`);
    assert.ok(Math.abs(counted.active / 1e9 / active - 1) < within, `active ${counted.active / 1e9}`);
  });
}

test('a cached token takes what the papers say', () => {
  assert.equal(cacheBytesPerToken(model('deepseek-v3'), 'bf16'), 61 * 576 * 2);
  assert.equal(cacheBytesPerToken(model('llama-3.1-70b'), 'bf16'), 327_680);
  assert.equal(cacheBytesPerToken(model('qwen3-30b-a3b'), 'fp8'), 49_152);
});

test('experts touched: none, one token, all', () => {
  assert.equal(expertsTouched(256, 8, 0), 0);
  assert.ok(Math.abs(expertsTouched(256, 8, 1) - 8) < 1e-9);
  assert.ok(expertsTouched(256, 8, 10_000) > 255.999);
});

test('every row of the data files has a source, a date and prices that parse', () => {
  for (const row of ARCHITECTURES) assert.ok(row.source.length > 10 && /^\d{4}-\d{2}-\d{2}$/.test(row.date), row.id);
  for (const row of HARDWARE) {
    assert.ok(row.source.length > 5 && /^\d{4}/.test(row.date) && row.kernels.source.length > 5, row.id);
    assert.ok(
      row.prices.length > 0 && row.prices.every(price => parseMoney('price', price.price, 'gpuPrice').nano > 0n),
      row.id,
    );
  }
});

test('weights decide whether a model fits', () => {
  const llama = (weights: Replica['weights'], tp: number) =>
    batchMax(replica('llama-3.1-70b', 'h100', { weights, parallel: { tp, pp: 1, dp: 1, ep: 1 } }), 4096);
  assert.equal(llama('bf16', 1), 0);
  assert.equal(llama('bf16', 2), 0);
  assert.ok(llama('bf16', 4) > 0);
  assert.ok(llama('int4', 1) > 0);
  assert.ok(
    memoryFit(replica('deepseek-v3', 'h800', { parallel: { tp: 1, pp: 1, dp: 128, ep: 128 }, redundantExperts: 32 }))
      .weightsGb < 30,
  );
});

test('INT4 speeds up decode, which is bound by memory, and not prefill, which is bound by compute', () => {
  const load = { promptTokens: 4096, cachedShare: 0, batchTokensPerRank: 16_384 };
  const bf16 = replica('qwen3-32b', 'a100', { weights: 'bf16' });
  const int4 = { ...bf16, weights: 'int4' as const };
  assert.ok(decode(int4, 1, 2048).tpotMs < decode(bf16, 1, 2048).tpotMs * 0.45);
  assert.ok(Math.abs(prefill(int4, load).tokensPerSecond / prefill(bf16, load).tokensPerSecond - 1) < 0.02);
});

test('tensor parallelism shortens a step by less than the number of GPUs; a pipeline does not shorten it', () => {
  const one = replica('llama-3.1-8b', 'h100', { weights: 'bf16' });
  const at = (parallel: Replica['parallel']) => decode({ ...one, parallel }, 8, 2048).tpotMs;
  const single = at({ tp: 1, pp: 1, dp: 1, ep: 1 });
  const four = at({ tp: 4, pp: 1, dp: 1, ep: 1 });
  assert.ok(four < single && four > single / 4);
  assert.ok(at({ tp: 1, pp: 4, dp: 1, ep: 1 }) > single * 0.9);
});

test('data parallelism multiplies throughput and leaves the step as it is', () => {
  const one = replica('qwen3-8b', 'h20');
  const four = { ...one, parallel: { tp: 1, pp: 1, dp: 4, ep: 1 } };
  assert.equal(decode(four, 16, 4096).tpotMs, decode(one, 16, 4096).tpotMs);
  assert.ok(Math.abs(decode(four, 16, 4096).tokensPerSecond / decode(one, 16, 4096).tokensPerSecond - 4) < 1e-9);
});

test('speculation helps one user, and costs where the batch is bound by compute', () => {
  assert.equal(tokensPerStep(undefined), 1);
  assert.ok(Math.abs(tokensPerStep({ draftTokens: 2, acceptance: 0.5 }) - 1.75) < 1e-12);
  const plain = replica('deepseek-v3', 'h20', { parallel: { tp: 1, pp: 1, dp: 16, ep: 16 } });
  const drafted = { ...plain, speculation: { draftTokens: 1, acceptance: 0.85 } };
  assert.ok(decode(drafted, 1, 4096).tokensPerSecondPerUser > decode(plain, 1, 4096).tokensPerSecondPerUser * 1.3);
  const gain = (batch: number) =>
    decode(drafted, batch, 4096).tokensPerSecond / decode(plain, batch, 4096).tokensPerSecond;
  assert.ok(gain(256) < gain(1));
});

test('shapes that cannot be are refused with the reason', () => {
  const refuse = (id: string, parallel: Partial<Replica['parallel']>, message: RegExp) =>
    assert.throws(() => requireShape('serving', model(id), { tp: 1, pp: 1, dp: 1, ep: 1, ...parallel }), message);
  refuse('qwen3-8b', { tp: 3 }, /serving\.tp: 3 does not divide the 32 attention heads/);
  refuse('qwen3-8b', { ep: 8 }, /has no experts to spread/);
  refuse('deepseek-v3', { dp: 8, ep: 3 }, /3 does not divide the 8 GPUs/);
  refuse('deepseek-v3', { dp: 0 }, /not a whole number/);
});

test('property: a larger batch never lowers throughput much nor speeds up a user; a longer context never speeds one up', () => {
  const setups = [
    replica('deepseek-v3', 'h800', { parallel: { tp: 1, pp: 1, dp: 32, ep: 32 }, overlap: true }),
    replica('llama-3.1-70b', 'h100', { parallel: { tp: 8, pp: 1, dp: 1, ep: 1 } }),
    replica('qwen3-30b-a3b', 'rtx-4090', { weights: 'int4' }),
  ];
  fc.assert(
    fc.property(
      fc.constantFrom(...setups),
      fc.integer({ min: 1, max: 400 }),
      fc.integer({ min: 1, max: 400 }),
      fc.integer({ min: 16, max: 60_000 }),
      (one, batch, more, context) => {
        const small = decode(one, batch, context);
        const large = decode(one, batch + more, context);
        assert.ok(large.tpotMs >= small.tpotMs * (1 - 1e-9));
        assert.ok(large.tokensPerSecond >= small.tokensPerSecond * (1 - 1e-9));
        assert.ok(decode(one, batch, context + more).tpotMs >= small.tpotMs * (1 - 1e-9));
      },
    ),
  );
});

test('property: more cache hits never lower prefill throughput', () => {
  const setups = [
    replica('deepseek-v3', 'h800', { parallel: { tp: 1, pp: 1, dp: 32, ep: 32 }, overlap: true }),
    replica('qwen3-8b', 'h20'),
    replica('llama-3.1-70b', 'a800', { weights: 'bf16', parallel: { tp: 8, pp: 1, dp: 1, ep: 1 } }),
  ];
  fc.assert(
    fc.property(
      fc.constantFrom(...setups),
      fc.integer({ min: 16, max: 100_000 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (one, promptTokens, a, b) => {
        const at = (cachedShare: number) =>
          prefill(one, { promptTokens, cachedShare, batchTokensPerRank: 16_384 }).tokensPerSecond;
        assert.ok(at(Math.max(a, b)) >= at(Math.min(a, b)) * (1 - 1e-9));
      },
    ),
  );
});
