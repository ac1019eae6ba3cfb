import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import type { Behaviour } from '../../../test/support/fake-behaviour.ts';
import { type FakeUpstream, startFakeUpstream } from '../../../test/support/fake-upstream.ts';
import { createEgress, type Fault, type Log, silentLog, systemClock } from '../../std/index.ts';
import { createUpstreams, type UpstreamRequest, type UpstreamSink, type Upstreams } from './index.ts';

const LIMITS = { connect: 5_000, firstByte: 5_000, idle: 5_000, total: 20_000 };
const fake: FakeUpstream = await startFakeUpstream();
const upstreams = createUpstreams({ egress: createEgress({ clock: systemClock }), clock: systemClock });
after(async () => {
  await upstreams.close();
  await fake.close();
});

function to(behaviour: Behaviour, more: Partial<UpstreamRequest> = {}): UpstreamRequest {
  fake.script('m', behaviour);
  return {
    upstream: { providerId: 'p', dialect: 'openai-chat', baseUrl: fake.baseUrl, allowPrivateNetwork: true, quirks: [] },
    path: '/chat/completions',
    body: '{"model":"m","stream":true}',
    timeoutMs: LIMITS,
    ...more,
  };
}

type Said = [name: 'headers' | 'data' | 'end', at: number] | [name: 'error', fault: Fault, reached: boolean];

/** A sink that notes what it is told, and lets a test wait for it. */
function listen(react: Partial<UpstreamSink> = {}) {
  const said: Said[] = [];
  let bytes = 0;
  let wake: () => void = () => {};
  const note = (entry: Said) => {
    said.push(entry);
    wake();
  };
  const sink: UpstreamSink = {
    onHeaders: (...given) => {
      note(['headers', bytes]);
      react.onHeaders?.(...given);
    },
    onData: chunk => {
      bytes += chunk.length;
      note(['data', bytes]);
      react.onData?.(chunk);
    },
    onEnd: () => {
      note(['end', bytes]);
      react.onEnd?.();
    },
    onError: (...given) => {
      note(['error', ...given]);
      react.onError?.(...given);
    },
  };
  const until = async (name: Said[0]): Promise<Said> => {
    for (;;) {
      const found = said.find(entry => entry[0] === name);
      if (found) return found;
      await new Promise<void>(resolve => {
        wake = resolve;
      });
    }
  };
  return { sink, said, until, bytes: () => bytes };
}

const pass = (ms: number) => new Promise(resolve => setTimeout(resolve, ms));

async function settled(check: () => boolean): Promise<void> {
  for (let round = 0; round < 500 && !check(); round += 1) await pass(5);
  assert.ok(check());
}

describe('time limits', () => {
  const cases: readonly [string, Behaviour, Partial<typeof LIMITS>, RegExp, boolean][] = [
    ['first byte: slow headers', { headersDelayMs: 5_000 }, { firstByte: 60 }, /first byte/, true],
    [
      'first byte: headers, then nothing',
      { dieAt: { byte: 122, how: 'stall' } },
      { firstByte: 60 },
      /first byte/,
      true,
    ],
    ['first byte: headers that drip', { dripMs: 15 }, { firstByte: 80 }, /first byte/, true],
    ['idle: a stall', { dieAt: { byte: 500, how: 'stall' } }, { idle: 60 }, /idle/, true],
    ['total: tokens without end', { tokens: 10_000, intervalMs: 5 }, { total: 120, idle: 100 }, /total/, true],
  ];
  for (const [name, behaviour, limits, message, reached] of cases)
    test(name, async () => {
      const heard = listen();
      const startedMs = performance.now();
      upstreams.send(to(behaviour, { timeoutMs: { ...LIMITS, ...limits } }), heard.sink);
      const error = await heard.until('error');
      assert.ok(error[0] === 'error');
      assert.deepEqual([error[1].code, error[2]], ['upstream_timeout', reached]);
      assert.match(error[1].message, message);
      const least = Math.min(...Object.values(limits));
      assert.ok(performance.now() - startedMs >= least, 'not early');
      await settled(() => upstreams.counts().inUse === 0);
    });

  test('connect: a name that is never resolved; nothing was reached', async () => {
    const own = createUpstreams({
      egress: createEgress({ clock: systemClock, resolve: () => new Promise(() => {}) }),
      clock: systemClock,
    });
    const heard = listen();
    const request = to({}, { timeoutMs: { ...LIMITS, connect: 50 } });
    own.send({ ...request, upstream: { ...request.upstream, baseUrl: 'http://slow.test/v1' } }, heard.sink);
    const error = await heard.until('error');
    assert.ok(error[0] === 'error' && /connect/.test(error[1].message));
    assert.deepEqual([error[1].code, error[2]], ['upstream_timeout', false]);
    assert.equal(own.counts().open, 0);
    await own.close();
  });

  test('a drip that never stops for long is no stall', async () => {
    const heard = listen();
    upstreams.send(to({ tokens: 40, intervalMs: 5 }, { timeoutMs: { ...LIMITS, idle: 150 } }), heard.sink);
    await heard.until('end');
  });

  test('our own backpressure is not the silence of the upstream', async () => {
    const heard = listen();
    const request = to({ tokens: 20, intervalMs: 5 }, { timeoutMs: { ...LIMITS, idle: 60 } });
    const call = upstreams.send(request, heard.sink);
    await heard.until('data');
    call.pause();
    await pass(250);
    call.resume();
    await heard.until('end');
  });
});

describe('abort', () => {
  for (const moment of ['before it is sent', 'before the answer', 'at the headers', 'in the middle'] as const)
    test(`${moment}: silence, twice is once, and the upstream learns of it`, async () => {
      const seen = fake.calls.length;
      const heard = listen({
        onHeaders: () => {
          if (moment === 'at the headers') call.abort();
        },
      });
      const slow = moment === 'before the answer' ? { headersDelayMs: 5_000 } : {};
      const call = upstreams.send(to({ tokens: 10_000, intervalMs: 2, ...slow }), heard.sink);
      if (moment === 'before the answer') await settled(() => fake.calls.length > seen);
      if (moment === 'at the headers') await heard.until('headers');
      if (moment === 'in the middle') await heard.until('data');
      call.abort();
      call.abort();
      const told = heard.said.length;
      call.pause();
      call.resume();
      await settled(() => upstreams.counts().inUse === 0 && fake.calls.every(({ outcome }) => outcome !== 'running'));
      assert.equal(heard.said.length, told);
      assert.ok(heard.said.every(([name]) => name !== 'end' && name !== 'error'));
      if (moment === 'before it is sent') assert.equal(fake.calls.length, seen);
    });

  test('after the end it does nothing to the connection, which others use', async () => {
    const first = listen();
    const call = upstreams.send(to({ tokens: 1 }), first.sink);
    await first.until('end');
    const second = listen();
    upstreams.send(to({ tokens: 20, intervalMs: 2 }), second.sink);
    await second.until('data');
    call.abort();
    await second.until('end');
  });
});

test('backpressure: nothing comes while paused, everything comes after', async () => {
  const tokens = 40_000;
  const heard = listen();
  const call = upstreams.send(to({ tokens }), heard.sink);
  for (let round = 0; round < 5; round += 1) {
    await pass(10);
    call.pause();
    // One chunk may have been on its way to the parser.
    await pass(20);
    const before = heard.bytes();
    await pass(40);
    assert.equal(heard.bytes(), before);
    call.resume();
  }
  await heard.until('end');
  assert.ok(heard.bytes() > tokens * 100);
});

test('resuming one call from within another does no harm', async () => {
  const paused = listen();
  const waiting = upstreams.send(to({ tokens: 5_000 }), paused.sink);
  await paused.until('data');
  waiting.pause();
  const other = listen({ onData: () => waiting.resume() });
  upstreams.send(to({ tokens: 5 }), other.sink);
  await Promise.all([paused.until('end'), other.until('end')]);
});

describe('a sink that throws', () => {
  for (const at of ['onHeaders', 'onData', 'onEnd', 'onError'] as const)
    for (const gzip of [undefined, 'honest'] as const)
      test(`in ${at}, ${gzip ?? 'plain'}: ends that call, and no other`, async () => {
        const logged: string[] = [];
        const log: Log = { ...silentLog, error: event => void logged.push(event) };
        const own: Upstreams = createUpstreams({
          egress: createEgress({ clock: systemClock }),
          clock: systemClock,
          log,
        });
        const heard = listen({
          [at]: () => {
            throw new TypeError('a mistake');
          },
        });
        const behaviour: Behaviour = at === 'onError' ? { dieAt: { byte: 300, how: 'fin' } } : {};
        own.send(to({ ...behaviour, ...(gzip ? { gzip } : {}) }), heard.sink);
        if (at === 'onEnd' || at === 'onError') await settled(() => logged.includes('upstream_sink_threw'));
        else {
          const error = await heard.until('error');
          assert.ok(error[0] === 'error' && error[1].code === 'internal');
        }
        const next = listen();
        own.send(to({}), next.sink);
        await next.until('end');
        await own.close();
      });
});

test('a thousand at once, on a thousand connections, all come back', async () => {
  const own = createUpstreams({ egress: createEgress({ clock: systemClock }), clock: systemClock });
  const all = Array.from({ length: 1_000 }, () => listen());
  const request = to({ tokens: 3, intervalMs: 30 });
  for (const heard of all) own.send(request, heard.sink);
  assert.deepEqual(own.counts(), { open: 1_000, inUse: 1_000 });
  await Promise.all(all.map(heard => heard.until('end')));
  assert.equal(own.counts().inUse, 0);
  await own.close();
  assert.equal(own.counts().open, 0);
});
