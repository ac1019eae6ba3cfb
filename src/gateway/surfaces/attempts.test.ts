// How long an upstream may take, who is tried after it, and what each try costs.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { openDataPlane, type TestDataPlane, TIMEOUT_MS, testPrice } from '../../../test/support/data-plane.ts';
import type { Behaviour } from '../../../test/support/fake-behaviour.ts';
import { type FakeUpstream, startFakeUpstream } from '../../../test/support/fake-upstream.ts';

let upstream: FakeUpstream;
before(async () => {
  upstream = await startFakeUpstream();
});
after(() => upstream.close());

interface Asks {
  readonly stream?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
}

async function ask({ url, key }: TestDataPlane, model: string, { stream = false, headers = {} }: Asks = {}) {
  const answer = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ model, stream, messages: [{ role: 'user', content: 'Say hi' }] }),
  });
  return { status: answer.status, text: await answer.text() };
}

/** A clock that is put forward. */
function movable() {
  let passedMs = 0;
  return {
    clock: { nowMs: () => Date.now() + passedMs, monotonicMs: () => performance.now() + passedMs },
    pass(ms: number) {
      passedMs += ms;
    },
  };
}

async function called(model: string) {
  while (!upstream.calls.some(call => call.model === model)) await nextTurn();
}

const WAITS: Behaviour = { stepwise: true, tokens: 3 };

test('a whole answer may take minutes; a stream, a deployment and a caller may say otherwise', async () => {
  const time = movable();
  const short = { ...TIMEOUT_MS, answer: 60_000 };
  await using plane = await openDataPlane(
    upstream.baseUrl,
    [
      { id: 'whole' },
      { id: 'stream' },
      { id: 'set', targets: [{ id: 'set', timeoutMs: short }] },
      { id: 'asked' },
      { id: 'longer', targets: [{ id: 'longer', timeoutMs: short }] },
    ],
    { clock: time.clock },
  );
  const waiting = {
    whole: ask(plane, 'whole'),
    stream: ask(plane, 'stream', { stream: true }),
    set: ask(plane, 'set'),
    asked: ask(plane, 'asked', { headers: { 'x-millrace-timeout-ms': '90000' } }),
    longer: ask(plane, 'longer', { headers: { 'x-millrace-timeout-ms': '600000' } }),
  };
  for (const id of Object.keys(waiting)) {
    upstream.script(id, WAITS);
    await called(id);
  }
  time.pass(131_000);
  // Those whose time was over have met the same clock as those whose time was not.
  for (const id of ['stream', 'set', 'asked'] as const) {
    const { status, text } = await waiting[id];
    assert.deepEqual([status, JSON.parse(text).error.code], [504, 'upstream_timeout'], id);
  }
  for (const id of ['whole', 'longer'] as const) {
    upstream.release(id, 9);
    assert.equal((await waiting[id]).status, 200, id);
  }
});

test('what a caller says of its time is a number of milliseconds, or refused', async () => {
  await using plane = await openDataPlane(upstream.baseUrl, [{ id: 'm' }]);
  upstream.script('m', { tokens: 1 });
  for (const bad of ['', 'soon', '-1', '1.5', '0', '99', '86400001', '1e3', '500, 600']) {
    const { status, text } = await ask(plane, 'm', { headers: { 'x-millrace-timeout-ms': bad } });
    assert.deepEqual([status, JSON.parse(text).error.param], [400, 'x-millrace-timeout-ms'], bad);
  }
  assert.equal((await ask(plane, 'm', { headers: { 'X-Millrace-Timeout-Ms': '86400000' } })).status, 200);
});

test('a try that timed out after the upstream took it is not made again, unless its deployment says so', async () => {
  const timeoutMs = { ...TIMEOUT_MS, answer: 100, firstByte: 100 };
  for (const stream of [false, true]) {
    for (const retriesTimeouts of [false, true]) {
      const id = `slow-${stream}-${retriesTimeouts}`;
      await using plane = await openDataPlane(upstream.baseUrl, [
        { id, targets: [{ id: `${id}-a`, timeoutMs, retriesTimeouts }, { id: `${id}-b` }] },
      ]);
      upstream.script(`${id}-a`, WAITS);
      upstream.script(`${id}-b`, { tokens: 1 });
      const { status } = await ask(plane, id, { stream });
      assert.equal(status, retriesTimeouts ? 200 : 504, id);
      assert.equal(upstream.calls.filter(({ model }) => model === `${id}-b`).length, retriesTimeouts ? 1 : 0, id);
    }
  }
});

test('a vendor that says itself that it timed out is not asked again elsewhere', async () => {
  await using plane = await openDataPlane(upstream.baseUrl, [{ id: 'p', targets: [{ id: 'p-a' }, { id: 'p-b' }] }]);
  upstream.script('p-b', { tokens: 1 });
  for (const [status, told] of [
    [504, 504],
    [524, 504],
    [500, 200],
    [503, 200],
  ] as const) {
    upstream.script('p-a', { status });
    assert.equal((await ask(plane, 'p')).status, told, String(status));
  }
});

test('a failed attempt costs what it says it used, in its own currency; else nothing', async () => {
  const usage = { prompt_tokens: 500, completion_tokens: 10, total_tokens: 510 };
  const error = { message: 'boom', type: 'server_error' };
  const chunk = { id: 'c', object: 'chat.completion.chunk', choices: [] };
  const failures: readonly [what: string, stream: boolean, behaviour: Behaviour, used: number][] = [
    ['an event of usage, then an error', true, { script: { events: [{ ...chunk, usage }, { error }] } }, 500],
    ['an error event with usage', true, { script: { events: [{ error, usage }] } }, 500],
    ['an error in a 200', false, { script: { json: { error, usage } } }, 500],
    ['a 200 that is no answer', false, { script: { json: { usage, object: 'x' } } }, 500],
    ['an error status', false, { status: 500, script: { json: { error, usage } } }, 500],
    ['an error status to a stream', true, { status: 500, script: { json: { error, usage } } }, 500],
    ['no usage', false, { status: 500 }, 0],
    ['no usage, in a stream', true, { script: { events: [{ error }] } }, 0],
  ];
  const costs = [testPrice('usd', 1_000_000_000n, 'USD')];
  for (const [index, [what, stream, behaviour, used]] of failures.entries()) {
    const id = `cost-${index}`;
    await using plane = await openDataPlane(upstream.baseUrl, [
      { id, targets: [{ id: `${id}-a`, costs }, { id: `${id}-b` }] },
    ]);
    upstream.script(`${id}-a`, behaviour);
    upstream.script(`${id}-b`, { tokens: 3, promptTokens: 17 });
    assert.equal((await ask(plane, id, { stream })).status, 200, what);
    const [settlement] = plane.settlements();
    const [failed, answered] = settlement?.attempts ?? [];
    const nano = used === 0 ? 0n : 500_000n + 40_000n;
    assert.deepEqual([failed?.outcome, failed?.costCurrency, failed?.costNano], ['failed', 'USD', nano], what);
    assert.deepEqual([failed?.usage.inputTokens, answered?.costCurrency], [used, 'CNY'], what);
    assert.equal(answered?.costNano, 34_000n + 24_000n, what);
    assert.equal(settlement?.amountNano, 68_000n + 48_000n, what);
  }
});

test('the costs are those of the moment of the intent, however long the answer takes', async () => {
  const time = movable();
  const risesMs = Date.now() + 3_600_000;
  const costs = [testPrice('now', 1_000n), { ...testPrice('later', 9_000n), effectiveFromMs: risesMs }];
  await using plane = await openDataPlane(
    upstream.baseUrl,
    [
      {
        id: 'rises',
        targets: [
          { id: 'rises-a', costs, timeoutMs: { ...TIMEOUT_MS, total: 9e6, answer: 9e6 } },
          { id: 'rises-b', costs },
        ],
      },
    ],
    { clock: time.clock },
  );
  upstream.script('rises-a', { ...WAITS, status: 500 });
  upstream.script('rises-b', { tokens: 1 });
  const answer = ask(plane, 'rises');
  await called('rises-a');
  time.pass(4_000_000);
  upstream.release('rises-a', 1);
  assert.equal((await answer).status, 200);
  assert.deepEqual(
    plane.settlements()[0]?.attempts.map(({ costVersion }) => costVersion),
    ['now', 'now'],
  );
});

test('why a vendor failed is known to the operator: of each try that failed, not of what the caller did wrong', async () => {
  await using plane = await openDataPlane(upstream.baseUrl, [
    { id: 'why', targets: [{ id: 'why-a' }, { id: 'why-b' }] },
  ]);
  upstream.script('why-a', { status: 503 });
  upstream.script('why-b', { script: { json: { error: { message: 'Say hi to whom?', code: 'odd' } } } });
  assert.equal((await ask(plane, 'why')).status, 502);
  assert.deepEqual(
    plane.failed.map(({ deploymentId, code, status }) => [deploymentId, code, status]),
    [
      ['why-a', 'capacity', 503],
      ['why-b', 'upstream_error', 200],
    ],
  );
  assert.equal(plane.failed[1]?.reason, 'upstream failed: status 0, odd: […] to whom?');
  upstream.script('why-a', { status: 400 });
  assert.equal((await ask(plane, 'why')).status, 400);
  assert.equal(plane.failed.length, 2);
});

test('nobody is tried for a client that left', async () => {
  await using plane = await openDataPlane(upstream.baseUrl, [
    { id: 'gone', targets: [{ id: 'gone-a' }, { id: 'gone-b' }] },
  ]);
  upstream.script('gone-a', { stepwise: true, status: 500 });
  const leaving = new AbortController();
  const answer = fetch(`${plane.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${plane.key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'gone', messages: [{ role: 'user', content: 'Say hi' }] }),
    signal: leaving.signal,
  });
  await called('gone-a');
  leaving.abort();
  await assert.rejects(answer);
  upstream.release('gone-a', 3);
  while (plane.running.size > 0) await nextTurn();
  assert.deepEqual(
    plane.settlements().map(({ outcome, attempts }) => [outcome, attempts.length]),
    [['client-gone', 1]],
  );
  assert.ok(!upstream.calls.some(({ model }) => model === 'gone-b'));
});
