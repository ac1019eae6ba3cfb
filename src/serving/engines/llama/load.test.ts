import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type RunningEngine, startNano } from './engine-fixture.ts';

let nano: RunningEngine;
before(async () => {
  nano = await startNano();
});
after(() => nano[Symbol.asyncDispose]());

const CHAT = '/v1/chat/completions';
const endless = (seed: number) => ({
  messages: [{ role: 'user', content: `Tell me a story. ${seed}` }],
  ignore_eos: true,
  temperature: 1,
  seed,
});
const idle = async () =>
  (await nano.metric('requests_processing')) === 0 && (await nano.metric('requests_deferred')) === 0;

test('16 questions on 8 sequences are all answered, and batches are shared', async () => {
  const [decodes, tokens] = [await nano.metric('n_decode_total'), await nano.metric('tokens_predicted_total')];
  const answers = await Promise.all(
    Array.from({ length: 16 }, async (_, index) => {
      const a = 20 + index;
      const { json } = await nano.post(CHAT, { messages: [{ role: 'user', content: `What is ${a} + 31?` }] });
      return [a + 31, json.choices[0].message.content] as const;
    }),
  );
  for (const [sum, content] of answers) assert.match(content, new RegExp(`\\b${sum}\\b`));
  const perDecode =
    ((await nano.metric('tokens_predicted_total')) - tokens) / ((await nano.metric('n_decode_total')) - decodes);
  assert.ok(perDecode > 4, `${perDecode} tokens in a batch`);
  await nano.until(idle);
});

test('20 streams that are left free their sequences at once, waiting ones included', async () => {
  const left = Array.from({ length: 20 }, async (_, index) => {
    const leave = new AbortController();
    try {
      for await (const _ of nano.stream(CHAT, endless(index), leave.signal)) {
        leave.abort();
      }
    } catch (error) {
      // The client's own word for having left.
      assert.ok(leave.signal.aborted, String(error));
    }
  });
  // Eight are being answered; those that wait leave when their turn comes, or before.
  const early = new AbortController();
  const waiting = Array.from({ length: 10 }, (_, index) =>
    nano.post(CHAT, endless(100 + index), early.signal).catch(() => 'left'),
  );
  await nano.until(async () => (await nano.metric('requests_deferred')) > 0);
  early.abort();
  assert.deepEqual(new Set(await Promise.all(waiting)), new Set(['left']));
  await Promise.all(left);
  await nano.until(idle);
  const { json } = await nano.post(CHAT, { messages: [{ role: 'user', content: 'What is 47 + 38?' }] });
  assert.match(json.choices[0].message.content, /85/);
  assert.equal(await nano.metric('requests_failed_total'), 0);
});

test('a newcomer is served promptly beside seven long streams', async () => {
  const leave = new AbortController();
  const streams = Array.from({ length: 7 }, async (_, index) => {
    let tokens = 0;
    for await (const _ of nano.stream(CHAT, endless(index), leave.signal)) tokens += 1;
    return tokens;
  });
  const settled = Promise.allSettled(streams);
  await nano.until(async () => (await nano.metric('requests_processing')) === 7);
  // Each question cuts back the cache of the one free sequence: the step that waited for seconds once.
  const firstMs: number[] = [];
  for (let question = 0; question < 4; question += 1) {
    const startMs = performance.now();
    const messages = [{ role: 'user', content: `What is ${question + 20} + 5?` }];
    for await (const data of nano.stream(CHAT, { messages, max_tokens: 2 })) {
      if (data.includes('reasoning_content')) break;
    }
    firstMs.push(performance.now() - startMs);
  }
  leave.abort();
  await settled;
  await nano.until(idle);
  assert.ok(Math.min(...firstMs) < 150, `first tokens after ${firstMs.map(Math.round)} ms`);
});

test('a queue that is full says so, with the time to come back', async () => {
  const leave = new AbortController();
  const body = { ...endless(1), n: 16 };
  const held = Array.from({ length: 8 }, () => nano.post(CHAT, body, leave.signal).catch(() => undefined));
  await nano.until(async () => (await nano.metric('requests_deferred')) >= 100);
  const { status, headers, json } = await nano.post(CHAT, body);
  assert.equal(status, 503);
  assert.equal(json.error.code, 'capacity');
  assert.ok(Number(headers['retry-after']) >= 1);
  leave.abort();
  await Promise.all(held);
  await nano.until(idle);
});
