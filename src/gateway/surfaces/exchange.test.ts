import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { openDataPlane, type TestDataPlane } from '../../../test/support/data-plane.ts';
import { countedTokens, NOTHING, nanoOf } from '../../../test/support/dues.ts';
import { type Behaviour, planAnswer } from '../../../test/support/fake-behaviour.ts';
import { type FakeUpstream, startFakeUpstream } from '../../../test/support/fake-upstream.ts';
import { ENTRY_KIND, type JournalClient } from '../../ground/journal/index.ts';
import { Fault } from '../../ground/std/index.ts';

const HONEST: Behaviour = { tokens: 3, texts: [' Grüße', '，世界', ' 🦙'], promptTokens: 17 };
const REPORTED = { inputTokens: 17, outputTokens: 3 };
/** Longer than an upstream may be silent, shorter than it may take in all: in a stream, and before an answer that comes whole. */
const SILENCE_MS = { stream: 130_000, whole: 610_000 };
const AT_ONCE = 200;
const ID_LENGTH = 4;
const idOf = (index: number) => String(index).padStart(ID_LENGTH, '0');

let upstream: FakeUpstream;
before(async () => {
  upstream = await startFakeUpstream();
});
after(() => upstream.close());

const bodyFor = (model: string, stream: boolean) =>
  JSON.stringify({ model, stream, messages: [{ role: 'user', content: 'Say hi' }] });

/** Each on a connection of its own: time jumps here, and one that lies idle would be closed under the next request. */
async function ask({ url, key }: TestDataPlane, model: string, stream: boolean) {
  const answer = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', connection: 'close' },
    body: bodyFor(model, stream),
  });
  return { id: answer.headers.get('x-request-id') ?? '', status: answer.status, text: await answer.text() };
}

/** A request that came later is answered: the loop has been round, and what lay in its sockets was read. */
async function caughtUp({ url, key }: TestDataPlane) {
  await (await fetch(`${url}/v1/models`, { headers: { authorization: `Bearer ${key}`, connection: 'close' } })).text();
}

function stepsOf(stream: boolean) {
  const asked = { path: '/v1/chat/completions', model: idOf(0), includeUsage: true, maxTokens: 4_096, promptTokens: 0 };
  let sent = 0;
  return planAnswer({ ...asked, stream, choices: 1 }, HONEST).steps.map(({ bytes }) => {
    sent += bytes.length;
    return { text: bytes.toString('utf8'), there: sent };
  });
}

for (const stream of [true, false]) {
  test(`an upstream that falls silent at any byte of ${stream ? 'a stream' : 'a whole answer'}`, async () => {
    const steps = stepsOf(stream);
    const bytes = steps.at(-1)?.there ?? 0;
    // A deployment of its own for each, so that none is left alone after failures.
    const ids = Array.from({ length: bytes }, (_, byte) => idOf(byte));
    let passedMs = 0;
    const clock = { nowMs: Date.now, monotonicMs: () => performance.now() + passedMs };
    await using plane = await openDataPlane(
      upstream.baseUrl,
      ids.map(id => ({ id })),
      { clock },
    );
    for (const [byte, id] of ids.entries()) upstream.script(id, { ...HONEST, dieAt: { byte, how: 'stall' } });
    const seen = [];
    for (let from = 0; from < ids.length; from += AT_ONCE) {
      const asked = ids.slice(from, from + AT_ONCE);
      const before = upstream.calls.length;
      const answers = asked.map(id => ask(plane, id, stream));
      // Time passes when all that comes has come, and been read.
      const silent = () => upstream.calls.slice(before).filter(({ outcome }) => outcome === 'stalled').length;
      while (silent() < asked.length) await nextTurn();
      await caughtUp(plane);
      passedMs += stream ? SILENCE_MS.stream : SILENCE_MS.whole;
      seen.push(...(await Promise.all(answers)));
    }
    const settled = new Map(plane.settlements().map(settlement => [settlement.id, settlement]));
    assert.equal(settled.size, ids.length);
    let spent = 0n;
    for (const [byte, { id, status, text }] of seen.entries()) {
      const what = `byte ${byte}`;
      // Of a chunk its line end is not needed.
      const there = steps.filter(step => step.there - 2 <= byte && step.text.includes('data: '));
      const said = there.filter(step => step.text.includes('"delta"')).length;
      const settlement = settled.get(id);
      assert.ok(settlement, what);
      const ends = there.length === steps.length - 2;
      if (said === 0) {
        // The head may have gone out with the upstream's own.
        const begun = stream && status === 200 && byte >= (steps[0]?.there ?? 0);
        assert.ok(status === 504 || begun, `${what}: ${status}`);
        assert.equal(JSON.parse(text.replace(/^(?:.*\n)*data: /, '')).error.code, 'upstream_timeout', what);
      } else {
        assert.equal(status, 200, what);
        assert.equal(text.match(/"delta"/g)?.length, said, what);
        assert.ok(ends ? text.endsWith('data: [DONE]\n\n') : text.includes('"code":"upstream_timeout"'), what);
      }
      const reported = there.some(step => step.text.includes('"usage"'));
      const content = HONEST.texts?.slice(0, said) ?? [];
      const tokens =
        said === 0
          ? NOTHING
          : reported
            ? { inputTokens: 17, outputTokens: 3 }
            : countedTokens(content, bodyFor(idOf(byte), stream));
      assert.deepEqual(
        [settlement.outcome, settlement.amountNano, settlement.attempts.length],
        [ends ? 'ok' : 'failed', nanoOf(tokens), 1],
        what,
      );
      spent += settlement.amountNano;
    }
    assert.equal(plane.spendableNano(), plane.walletNano - spent);
    assert.equal(plane.running.size, 0);
  });
}

const STOPPING = new Fault('unavailable', { message: 'This node is shutting down' });

/** A disk that takes nothing until it is told. */
function slowDisk() {
  const waiting: { readonly kind: number; readonly go: () => void }[] = [];
  return {
    wrap: (journal: JournalClient): JournalClient => ({
      ...journal,
      append(records, done) {
        waiting.push({ kind: records[0]?.kind ?? 0, go: () => journal.append(records, done) });
      },
    }),
    /** Waits for the next record, of that kind, and lets it through. */
    async take(kind: number, before: () => void = () => {}) {
      while (waiting.length === 0) await nextTurn();
      const next = waiting.shift();
      assert.equal(next?.kind, kind);
      before();
      next?.go();
    },
  };
}

/** Asks, and hears the answer as it comes. */
function listen({ url, key }: TestDataPlane, model: string, stream: boolean) {
  let text = '';
  const asked = fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: bodyFor(model, stream),
  });
  const answer = asked.then(async ({ status, body }) => {
    for await (const chunk of body ?? []) text += Buffer.from(chunk).toString('utf8');
    return { status, text };
  });
  const heard = async (words: number) => {
    while ((text.match(/"delta"/g)?.length ?? 0) < words) await nextTurn();
  };
  return { asked, answer, heard };
}

test('a node that stops cuts off what runs, wherever it is: settled once, and the client is told', async () => {
  const { intent, settlement } = ENTRY_KIND;
  const cases: readonly { at: 'intent' | 'upstream' | 'settlement'; stream: boolean; steps: number; words: number }[] =
    [
      { at: 'intent', stream: true, steps: 0, words: 0 },
      { at: 'intent', stream: false, steps: 0, words: 0 },
      { at: 'upstream', stream: true, steps: 0, words: 0 },
      { at: 'upstream', stream: false, steps: 0, words: 0 },
      { at: 'upstream', stream: true, steps: 1, words: 0 },
      { at: 'upstream', stream: true, steps: 3, words: 2 },
      { at: 'settlement', stream: true, steps: 8, words: 4 },
      { at: 'settlement', stream: false, steps: 1, words: 0 },
    ];
  for (const [index, { at, stream, steps, words }] of cases.entries()) {
    const what = `at the ${at}, after ${steps} steps, stream ${stream}`;
    const disk = slowDisk();
    const id = idOf(index);
    await using plane = await openDataPlane(upstream.baseUrl, [{ id }], { wrap: disk.wrap });
    upstream.script(id, { ...HONEST, stepwise: true });
    const before = upstream.calls.length;
    const cutOff = () => {
      for (const exchange of plane.running.all()) exchange.cutOff(STOPPING);
    };
    const { asked, answer, heard } = listen(plane, id, stream);
    await disk.take(intent, at === 'intent' ? cutOff : undefined);
    if (at !== 'intent') {
      while (upstream.calls.length === before) await nextTurn();
      upstream.release(id, steps);
      await heard(words);
    }
    const begun = stream && steps > 0;
    if (begun) await asked;
    if (at === 'upstream') cutOff();
    await disk.take(settlement, at === 'settlement' ? cutOff : undefined);
    const { status, text } = await answer;
    const ok = at === 'settlement';
    assert.equal(status, ok || begun ? 200 : 503, what);
    if (ok) assert.match(text, stream ? /\[DONE\]\n\n$/ : /"cost"/, what);
    else assert.match(text, /"code":"unavailable"/, what);
    const [only, ...more] = plane.settlements();
    assert.ok(only && more.length === 0, what);
    const content = HONEST.texts?.slice(0, words) ?? [];
    const counted = words > 0 ? countedTokens(content, bodyFor(id, stream)) : NOTHING;
    assert.deepEqual(
      [only.outcome, only.status, only.amountNano, only.attempts.map(({ outcome }) => outcome)],
      [
        ok ? 'ok' : 'failed',
        ok || words > 0 ? 200 : 503,
        nanoOf(ok ? REPORTED : counted),
        at === 'intent' ? [] : [ok ? 'ok' : 'aborted'],
      ],
      what,
    );
    assert.equal(plane.spendableNano(), plane.walletNano - only.amountNano, what);
    assert.equal(plane.running.size, 0, what);
    await upstream.idle(id);
    assert.equal(upstream.calls.length - before, only.attempts.length, what);
  }
});

test('an upstream’s name for a call is kept, and no more of it than a name has', async () => {
  const id = idOf(0);
  upstream.script(id, { ...HONEST, headers: { 'x-request-id': 'n'.repeat(20_000) } });
  await using plane = await openDataPlane(upstream.baseUrl, [{ id }]);
  assert.equal((await ask(plane, id, false)).status, 200);
  assert.equal(plane.settlements()[0]?.attempts[0]?.upstreamRequestId, 'n'.repeat(200));
});
