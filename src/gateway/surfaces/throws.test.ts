// A mistake of ours, thrown at each stage of serving a request: it is logged, and ends that request or that connection and nothing
// else. No place and no money stays taken, and what was promised is settled.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { openDataPlane, type TestDataPlane } from '../../../test/support/data-plane.ts';
import type { Behaviour } from '../../../test/support/fake-behaviour.ts';
import { type FakeUpstream, startFakeUpstream } from '../../../test/support/fake-upstream.ts';
import { openWire } from '../../../test/support/wire.ts';
import { armCrashPoint, type Log, silentLog } from '../../ground/std/index.ts';

const HONEST: Behaviour = { tokens: 3, texts: [' one', ' two', ' three'], promptTokens: 17 };
let upstream: FakeUpstream;
before(async () => {
  upstream = await startFakeUpstream();
  upstream.script('m', HONEST);
});
after(() => upstream.close());

/** Each point, and whether a request that is thrown at it was promised to be paid: then it is settled. */
const POINTS: readonly [point: string, isPromised: boolean][] = [
  ['gateway.parse', false],
  ['gateway.request', false],
  ['gateway.body', false],
  ['gateway.before-intent', false],
  ['gateway.after-intent', true],
  ['gateway.before-upstream', true],
  ['gateway.upstream-head', true],
  ['gateway.mid-stream', true],
  ['gateway.complete', true],
  ['gateway.after-settle', true],
];

const isLogged = (log: Log, events: string[]): Log => ({ ...log, error: event => void events.push(event) });

async function ask({ url, key }: TestDataPlane, stream: boolean, body?: string): Promise<string> {
  const wire = await openWire(Number(new URL(url).port));
  const text = body ?? JSON.stringify({ model: 'm', stream, messages: [{ role: 'user', content: 'Say hi' }] });
  const head = ['POST /v1/chat/completions HTTP/1.1', 'host: a', `authorization: Bearer ${key}`];
  wire.send([...head, `content-length: ${text.length}`, 'connection: close', '', text].join('\r\n'));
  return wire.closed;
}

async function checkNothingTaken(plane: TestDataPlane): Promise<void> {
  while (plane.running.size > 0) await nextTurn();
  const spent = plane.settlements().reduce((sum, { amountNano }) => sum + amountNano, 0n);
  assert.equal(plane.spendableNano(), plane.walletNano - spent);
  assert.equal(plane.slots.keys.inFlight(1), 0);
  assert.equal(plane.slots.deployments.get(0, 'inFlight'), 0);
}

for (const stream of [true, false]) {
  for (const [point, isPromised] of POINTS) {
    test(`at ${point}, ${stream ? 'of a stream' : 'of a whole answer'}`, async () => {
      const events: string[] = [];
      const log = isLogged(silentLog, events);
      await using plane = await openDataPlane(upstream.baseUrl, [{ id: 'm' }], { scopes: { concurrency: 1 }, log });
      armCrashPoint(`throw:${point}`);
      const broken = await ask(plane, stream);
      armCrashPoint('none');
      await checkNothingTaken(plane);
      assert.equal(events.length, 1, `${point}: ${events}`);
      assert.equal(plane.settlements().length, isPromised ? 1 : 0);
      assert.match(broken, /^(?:HTTP\/1\.1 (?:500|200) |$)/);
      assert.ok(point === 'gateway.after-settle' || !broken.includes('[DONE]'), broken);
      // With one place for the key: one that was not given back would refuse this.
      const answer = await ask(plane, stream);
      assert.match(answer, /^HTTP\/1\.1 200 [\s\S]* three/);
      await checkNothingTaken(plane);
    });
  }
}

test('before a settlement: the money stays held until recovery has settled it, and the places are free', async () => {
  const events: string[] = [];
  const log = isLogged(silentLog, events);
  await using plane = await openDataPlane(upstream.baseUrl, [{ id: 'm' }], { scopes: { concurrency: 1 }, log });
  armCrashPoint('throw:gateway.before-settle');
  await ask(plane, true);
  armCrashPoint('none');
  while (plane.running.size > 0) await nextTurn();
  assert.ok(events.length > 0);
  assert.equal(plane.settlements().length, 0);
  assert.ok(plane.spendableNano() < plane.walletNano);
  assert.equal(plane.slots.keys.inFlight(1), 0);
  assert.equal(plane.slots.deployments.get(0, 'inFlight'), 0);
  assert.match(await ask(plane, true), /^HTTP\/1\.1 200 /);
});

test('while a refusal is told, a client leaves, or the connections are looked after', async () => {
  for (const [point, act] of [
    ['gateway.refuse', plane => ask(plane, false, '{}')],
    ['gateway.client-left', plane => ask(plane, false)],
  ] as [string, (plane: TestDataPlane) => Promise<string>][]) {
    const events: string[] = [];
    await using plane = await openDataPlane(upstream.baseUrl, [{ id: 'm' }], { log: isLogged(silentLog, events) });
    armCrashPoint(`throw:${point}`);
    await act(plane);
    while (events.length === 0) await nextTurn();
    armCrashPoint('none');
    assert.match(await ask(plane, false), /^HTTP\/1\.1 200 /, point);
    await checkNothingTaken(plane);
  }
});
