import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NANO, startNano } from './engine-fixture.ts';
import { enginePhase } from './engine-phase.ts';
import { createStallWatch, type Stall, stallMsOf } from './host/model/stall-watch.ts';
import { ProgressWatch } from './progress-watch.ts';

const CHAT = '/v1/chat/completions';
const LONG = { messages: [{ role: 'user', content: 'Tell me a story of a mill. '.repeat(30) }], ignore_eos: true };

test('a step that does not end: the answer it hangs in is ended by name, all others are sent away, the host starts again', async () => {
  // A watch so short that every step is too long: what hangs is as real as can be, and its end is sure.
  await using nano = await startNano({ stallMs: 1 });
  const pid = nano.engines.status()[0]?.pid;
  const events: string[] = [];
  const streaming = (async () => {
    for await (const data of nano.stream(CHAT, LONG)) events.push(data);
  })().catch(() => {});
  // Who comes in the moment in which the host ends meets nobody; who was with it is told.
  const ask = (body: object) =>
    nano.post(CHAT, body).catch((error: NodeJS.ErrnoException) => {
      assert.match(error.code ?? '', /^(ECONNRESET|ECONNREFUSED|ENOENT|EPIPE)$/);
    });
  const answers = await Promise.all([ask({ ...LONG, n: 8 }), ask(LONG), streaming]);
  const told = answers.filter(reply => reply !== undefined);
  assert.ok(told.length + events.length > 0, 'somebody was told');
  for (const reply of told) {
    assert.equal(reply.status, 503, reply.text);
    assert.equal(reply.json.error.code, 'capacity');
    assert.ok(Number(reply.headers['retry-after']) >= 1);
  }
  assert.ok(!events.includes('[DONE]'), 'no stream ends as if it were whole');
  await nano.until(() => nano.engines.status()[0]?.restarts === 1 && nano.slots.get(1, 'ready') === 1);
  const [status] = nano.engines.status();
  assert.notEqual(status?.pid, pid);
  assert.match(status?.lastFailure?.message ?? '', /did not end/);
  assert.match(status?.lastFailure?.messageZh ?? '', /未结束/);
  await nano.engines.update([{ deploymentId: 'nano', slot: 1, file: NANO }]);
  await nano.until(() => nano.slots.get(1, 'ready') === 1);
  const { json } = await nano.post(CHAT, { messages: [{ role: 'user', content: 'What is 47 + 38?' }] });
  assert.match(json.choices[0].message.content, /85/);
});

test('who hangs in a grammar of his own is told so with a 400, which no other deployment need suffer', async () => {
  await using nano = await startNano({ stallMs: 1 });
  const schema = { type: 'array', items: { type: 'string' }, minItems: 400 };
  const format = { type: 'json_schema', json_schema: { name: 'x', schema } };
  const body = { messages: [{ role: 'user', content: 'go' }], enable_thinking: false, response_format: format, n: 8 };
  const { status, json } = await nano.post(CHAT, body);
  // The watch may strike while the prompt is evaluated, where no grammar is to blame.
  assert.ok(status === 400 ? json.error.param === 'response_format' : status === 503, JSON.stringify(json));
});

test('the watch: told once, with those who are to blame and no others', async context => {
  context.mock.timers.enable({ apis: ['setInterval'] });
  let nowMs = 0;
  const stalls: Stall[] = [];
  using watch = createStallWatch({ stallMs: 5_000, nowMs: () => nowMs, onStall: stall => void stalls.push(stall) });
  const [good, bad, late] = [{}, {}, {}];
  const never = new Promise<void>(() => {});
  const pass = (ms: number) => {
    nowMs += ms;
    context.mock.timers.tick(1_000);
  };
  await watch.during({ owner: good, isSuspect: () => true }, async () => {});
  assert.deepEqual([watch.steps, watch.running], [1, 0]);
  void watch.during({ owner: good, isSuspect: () => false }, () => never);
  void watch.during({ owner: bad, isSuspect: () => true }, () => never);
  pass(4_000);
  void watch.during({ owner: late, isSuspect: () => true }, () => never);
  assert.ok(stalls.length < 1);
  pass(1_000);
  pass(9_000);
  assert.equal(stalls.length, 1);
  assert.deepEqual([...(stalls[0]?.suspects ?? [])], [bad]);
});

test('how long a step may take follows the speed of the machine', () => {
  assert.equal(stallMsOf({ batchTokens: 512, promptTokensPerSecond: 10_000, tokensPerSecond: 1_000 }), 15_000);
  assert.equal(stallMsOf({ batchTokens: 512, promptTokensPerSecond: 8, tokensPerSecond: 1 }), 30 * 65_000);
});

test('a host whose heart beats and whose work stands still is stuck; one without work is not', () => {
  const watch = new ProgressWatch(60_000);
  assert.ok(!watch.isStuck(1_000_000));
  watch.hear({ steps: 5, processing: 1 }, 1_000);
  watch.hear({ steps: 6, processing: 1 }, 50_000);
  assert.ok(!watch.isStuck(109_000));
  watch.hear({ steps: 6, processing: 1 }, 109_000);
  assert.ok(watch.isStuck(110_000));
  watch.hear({ steps: 6, processing: 0 }, 111_000);
  assert.ok(!watch.isStuck(900_000));
  watch.hear({ steps: 6, processing: 1 }, 900_000);
  assert.ok(!watch.isStuck(950_000), 'idle time is no stall');
});

test('loading, failed and ready are three', () => {
  const phase = (more: object) =>
    enginePhase({ isReady: false, refused: false, failures: 0, everReady: false, ...more });
  assert.equal(phase({}), 'loading');
  assert.equal(phase({ isReady: true, failures: 9, refused: true }), 'ready');
  assert.equal(phase({ refused: true, failures: 1 }), 'failed');
  assert.equal(phase({ failures: 1 }), 'loading');
  assert.equal(phase({ failures: 2 }), 'failed');
  assert.equal(phase({ failures: 4, everReady: true }), 'loading');
  assert.equal(phase({ failures: 5, everReady: true }), 'failed');
});
