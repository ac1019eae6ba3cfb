import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explore, type TuneLimits } from './tune.ts';

/** Explores a machine whose speed by threads is known; each reading takes `tookMs`. */
async function run(
  tokensPerSecond: (threads: number, flash: boolean) => number,
  more: Partial<TuneLimits> = {},
  tookMs = 1,
) {
  let nowMs = 0;
  const limits = { threadsMax: 15, plainAttention: false, nowMs: () => nowMs, ...more };
  const { chosen, readings } = await explore(async ({ threads, flashAttention }) => {
    nowMs += tookMs;
    const speed = tokensPerSecond(threads, flashAttention);
    if (speed === 0) throw new Error('cannot run');
    return { threads, flashAttention, tokensPerSecond: speed, promptTokensPerSecond: speed * 4 };
  }, limits);
  return { threads: chosen.threads, flash: chosen.flashAttention, tried: readings.map(reading => reading.threads) };
}

test('threads are added while each doubling pays, then the middle is tried', async () => {
  assert.deepEqual(await run(threads => threads), { threads: 12, flash: true, tried: [1, 2, 4, 8, 12, 9] });
  assert.deepEqual(await run(threads => Math.min(threads, 4)), { threads: 4, flash: true, tried: [1, 2, 4, 8, 6, 3] });
  assert.deepEqual(await run(threads => Math.min(threads, 6)), { threads: 6, flash: true, tried: [1, 2, 4, 8, 12, 6] });
});

test('a machine where threads are a trap keeps one, and near-equals take the fewer', async () => {
  assert.deepEqual(await run(threads => (threads === 1 ? 510 : 74)), { threads: 1, flash: true, tried: [1, 2] });
  assert.equal((await run(threads => 100 + threads)).threads, 1);
});

test('never more than leaves the gateway a core, nor other than the operator says', async () => {
  assert.deepEqual((await run(threads => threads, { threadsMax: 1 })).tried, [1]);
  assert.deepEqual((await run(threads => threads, { threadsMax: 3 })).tried, [1, 2, 3]);
  assert.deepEqual((await run(threads => threads, { threads: 5 })).tried, [5]);
});

test('attention is chosen by reading too; what cannot run is left out', async () => {
  const plain = { threadsMax: 1, plainAttention: true };
  assert.equal((await run((_, flash) => (flash ? 1 : 2), plain)).flash, false);
  assert.equal((await run((_, flash) => (flash ? 2 : 1), plain)).flash, true);
  assert.equal((await run((_, flash) => (flash ? 1 : 0), plain)).flash, true);
  await assert.rejects(
    run(() => 0, plain),
    /cannot run/,
  );
});

test('a slow model is not explored for ever', async () => {
  assert.deepEqual((await run(threads => threads, {}, 5_000)).tried, [1, 2]);
});
