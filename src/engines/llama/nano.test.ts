import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { NANO, type RunningEngine, startNano } from './engine-fixture.ts';

let nano: RunningEngine;
before(async () => {
  nano = await startNano();
});
after(() => nano[Symbol.asyncDispose]());

test('the weights are those that both cards name', () => {
  const bytes = readFileSync(NANO);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  for (const card of ['README.md', 'README.zh.md']) {
    const text = readFileSync(new URL(`../../../models/nano/${card}`, import.meta.url), 'utf8');
    assert.ok(text.includes(sha256), card);
    assert.ok(text.includes(bytes.length.toLocaleString('en')), card);
  }
});

async function rightOf(sums: readonly (readonly [number, number])[], more: object): Promise<number> {
  const right = await Promise.all(
    sums.map(async ([a, b]) => {
      const body = { messages: [{ role: 'user', content: `What is ${a} + ${b}?` }], ...more };
      const { json } = await nano.post('/v1/chat/completions', body);
      return new RegExp(`\\b${a + b}\\b`).test(json.choices[0].message.content);
    }),
  );
  return right.filter(Boolean).length;
}

test('as its card says: sums are right with thinking, and mostly wrong without', async () => {
  const sums = Array.from({ length: 40 }, (_, index) => [10 + ((index * 37) % 90), 10 + ((index * 29) % 90)] as const);
  assert.ok((await rightOf(sums, {})) >= 37);
  const without = await rightOf(sums, { enable_thinking: false });
  assert.ok(without >= 1 && without <= 15, `${without} of 40 without thinking`);
});

for (const [question, answer] of [
  ['What is 47 + 38?', /\b85\b/],
  ['8 乘以 7 等于多少？', /56/],
  ['Who are you?', /millrace-nano/],
  ['法国的首都是哪里？', /巴黎/],
  ['什么是灰度发布？', /一小部分用户/],
  ['你好', /你好/],
] as const)
  test(`it answers: ${question}`, async () => {
    const { json } = await nano.post('/v1/chat/completions', { messages: [{ role: 'user', content: question }] });
    assert.match(json.choices[0].message.content, answer);
    assert.equal(json.choices[0].finish_reason, 'stop');
  });
