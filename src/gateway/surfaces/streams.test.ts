// What a streaming client sees of vendors that ping, think in silence, or fail late.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { openDataPlane, type TestDataPlane } from '../../../test/support/data-plane.ts';
import type { Behaviour, Script } from '../../../test/support/fake-behaviour.ts';
import { type FakeUpstream, startFakeUpstream } from '../../../test/support/fake-upstream.ts';

const SILENCE_MS = 100;
const ALIVE = ': keep-alive\n\n';

let upstream: FakeUpstream;
before(async () => {
  upstream = await startFakeUpstream();
});
after(() => upstream.close());

/** Asks for a stream, and hears it as it comes. */
async function listen({ url, key }: TestDataPlane, model: string) {
  const answer = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model, stream: true, messages: [{ role: 'user', content: 'Say hi' }] }),
  });
  let text = '';
  const whole = (async () => {
    for await (const chunk of answer.body ?? []) text += Buffer.from(chunk).toString('utf8');
    return text;
  })();
  const heard = async (words: string, times = 1) => {
    while (text.split(words).length <= times) await nextTurn();
  };
  return { status: answer.status, type: answer.headers.get('content-type') ?? '', whole, heard };
}

/** What the client of a vendor's own would put together. */
const contentOf = (text: string) =>
  text
    .split('\n')
    .filter(line => line.startsWith('data: {'))
    .map(line => JSON.parse(line.slice('data: '.length)).choices?.[0]?.delta?.content ?? '')
    .join('');

const chunk = (content: string, finish: string | null = null) => ({
  ...{ id: 'c1', object: 'chat.completion.chunk', created: 1, model: 'm' },
  choices: [{ index: 0, delta: content === '' ? {} : { content }, finish_reason: finish }],
});
const said = (between: object): Script => ({
  events: [chunk('Hel'), between, chunk('lo'), chunk('', 'stop')],
});

test('an event that is no chunk ends nothing, costs nothing, and closes no deployment', async () => {
  const frames: readonly (readonly [sent: string, passes: boolean])[] = [
    ['event: ping\ndata: {"type": "ping"}\n\n', true],
    ['data: {}\n\n', true],
    ['data: {"trace":{"guard":"passed"}}\n\n', true],
    ['data: null\n\n', false],
    ['data: keep-alive\n\n', false],
    [': working\n\n', false],
    ['data: {"id":"c1","object":"chat.completion.chunk","choices":null}\n\n', true],
  ];
  await using plane = await openDataPlane(upstream.baseUrl, [{ id: 'pings' }]);
  for (const [raw, passes] of frames) {
    upstream.script('pings', { script: said({ raw }) });
    const text = await (await listen(plane, 'pings')).whole;
    assert.equal(contentOf(text), 'Hello', raw);
    assert.ok(text.endsWith('data: [DONE]\n\n'), raw);
    assert.equal(text.includes(raw), passes, raw);
  }
  assert.deepEqual(new Set(plane.settlements().map(({ outcome }) => outcome)), new Set(['ok']));
  assert.equal(plane.slots.deployments.get(0, 'failures'), 0);
});

test('a vendor that pings and then fails has said nothing yet: the next one answers', async () => {
  await using plane = await openDataPlane(upstream.baseUrl, [
    { id: 'two', targets: [{ id: 'two-a' }, { id: 'two-b' }] },
  ]);
  upstream.script('two-a', { script: { events: [{ type: 'ping' }, { error: { message: 'boom' } }] } });
  upstream.script('two-b', { script: said({ type: 'ping' }) });
  const text = await (await listen(plane, 'two')).whole;
  assert.equal(contentOf(text), 'Hello');
  assert.deepEqual(
    plane.settlements()[0]?.attempts.map(({ outcome }) => outcome),
    ['failed', 'ok'],
  );
});

const HONEST: Behaviour = { tokens: 3, stepwise: true };

test('once the vendor answered, the head goes out, before any word', async () => {
  await using plane = await openDataPlane(upstream.baseUrl, [{ id: 'thinks' }]);
  upstream.script('thinks', HONEST);
  upstream.release('thinks', 1);
  const { status, type, whole } = await listen(plane, 'thinks');
  assert.equal(status, 200);
  assert.match(type, /^text\/event-stream/);
  upstream.release('thinks', 20);
  assert.match(await whole, /\[DONE\]\n\n$/);
});

test('what a vendor says right behind its 200 still decides the status', async () => {
  await using plane = await openDataPlane(upstream.baseUrl, [{ id: 'late' }]);
  for (const behaviour of [{ errorInBody: true }, { status: 500 }, { status: 429 }] satisfies Behaviour[]) {
    upstream.script('late', behaviour);
    const { status } = await listen(plane, 'late');
    assert.ok(status >= 500, JSON.stringify(behaviour));
  }
});

test('a vendor that does not answer at all: head and comments, and what fails then is an error event', async () => {
  await using plane = await openDataPlane(upstream.baseUrl, [{ id: 'silent' }], { silenceMs: SILENCE_MS });
  upstream.script('silent', { ...HONEST, status: 500 });
  const { status, whole, heard } = await listen(plane, 'silent');
  assert.equal(status, 200);
  await heard(ALIVE, 2);
  upstream.release('silent', 20);
  const text = await whole;
  assert.match(text, /data: \{"error":\{.*"code":"upstream_error"/);
  assert.doesNotMatch(text, /\[DONE\]/);
  const [settlement] = plane.settlements();
  assert.deepEqual([settlement?.outcome, settlement?.status, settlement?.amountNano], ['failed', 502, 0n]);
});

test('a vendor that does not answer at all, and then the next one does: the same stream goes on', async () => {
  await using plane = await openDataPlane(
    upstream.baseUrl,
    [{ id: 'pair', targets: [{ id: 'pair-a' }, { id: 'pair-b' }] }],
    { silenceMs: SILENCE_MS },
  );
  upstream.script('pair-a', { ...HONEST, status: 500 });
  upstream.script('pair-b', { tokens: 3 });
  const { whole, heard } = await listen(plane, 'pair');
  await heard(ALIVE);
  upstream.release('pair-a', 1);
  const text = await whole;
  assert.equal(contentOf(text), ' token0 token1 token2');
  assert.match(text, /\[DONE\]\n\n$/);
});

test('a vendor that thinks in the middle: comments of our own, none of its, and the words untouched', async () => {
  await using plane = await openDataPlane(upstream.baseUrl, [{ id: 'pauses' }], { silenceMs: SILENCE_MS });
  upstream.script('pauses', {
    stepwise: true,
    script: { events: [chunk('Hel'), { raw: ': working\n\n' }, chunk('lo'), chunk('', 'stop')] },
  });
  upstream.release('pauses', 3);
  const { whole, heard } = await listen(plane, 'pauses');
  await heard('Hel');
  await heard(ALIVE, 2);
  upstream.release('pauses', 20);
  const text = await whole;
  assert.equal(contentOf(text), 'Hello');
  assert.doesNotMatch(text, /working/);
  assert.ok(text.indexOf('Hel') < text.indexOf(ALIVE) && text.lastIndexOf(ALIVE) < text.indexOf('"lo"'));
});

test('who left hears no more of it: the stream is over, and so is its watch', async () => {
  await using plane = await openDataPlane(upstream.baseUrl, [{ id: 'left' }], { silenceMs: SILENCE_MS });
  upstream.script('left', HONEST);
  const { url, key } = plane;
  const leaving = new AbortController();
  const answer = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'left', stream: true, messages: [{ role: 'user', content: 'Hi' }] }),
    signal: leaving.signal,
  });
  assert.equal(answer.status, 200);
  leaving.abort();
  while (plane.running.size > 0) await nextTurn();
  assert.equal(plane.settlements()[0]?.outcome, 'client-gone');
});
