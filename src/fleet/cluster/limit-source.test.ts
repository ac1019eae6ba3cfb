import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startValkey, type TestValkey } from '../../../test/support/valkey.ts';
import { silentLog, systemClock } from '../../ground/std/index.ts';
import { createLimitSource, type LimitSource } from './limit-source.ts';
import { connectValkey, type News, type Valkey } from './valkey.ts';

let server: TestValkey | undefined;
let missing = '';
const open: Valkey[] = [];

before(async () => {
  const started = await startValkey();
  if (typeof started === 'string') missing = started;
  else server = started;
});
after(async () => {
  for (const valkey of open) await valkey[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

async function join(url: string, nodeId: string, prefix: string, nodes = 2) {
  const valkey = await connectValkey({ url, prefix, nodeId, clock: systemClock, log: silentLog });
  open.push(valkey);
  return { valkey, source: createLimitSource({ valkey, nodeId, nodes: () => nodes, clock: systemClock }) };
}

/** Takes one by one until there is no more. */
async function takeAll(source: LimitSource, name: string, perMinute: number): Promise<number> {
  for (let taken = 0; ; taken++) {
    const { granted, retryAfterMs } = await source.take({ name, least: 1, want: 1, perMinute });
    if (granted === 0) {
      assert.ok(retryAfterMs > 0 && retryAfterMs <= (60_000 / perMinute) * 4, String(retryAfterMs));
      return taken;
    }
  }
}

test('a minute’s quota is one for all nodes, given out in portions, and comes back evenly', async t => {
  if (!server) return t.skip(missing);
  const { source: a } = await join(server.url, 'a', 'rates');
  const { source: b } = await join(server.url, 'b', 'rates');
  const rate = { name: 'key_1:requests', perMinute: 10 };
  assert.deepEqual(await a.take({ ...rate, least: 1, want: 6 }), { granted: 6, remaining: 4, retryAfterMs: 0 });
  assert.equal((await b.take({ ...rate, least: 1, want: 100 })).granted, 4);
  assert.equal((await a.take({ ...rate, least: 1, want: 1 })).granted, 0);
  assert.equal((await b.take({ ...rate, least: -3, want: -3 })).remaining, 3, 'what was not used');
  assert.equal((await a.take({ ...rate, least: 4, want: 4 })).granted, 0, 'less than is of use');
  assert.equal(await takeAll(a, rate.name, rate.perMinute), 3);
  const large = { name: 'key_1:tokens', perMinute: 100 };
  assert.equal((await a.take({ ...large, least: 250, want: 250 })).granted, 250, 'else it could never pass');
  assert.equal((await b.take({ ...large, least: 250, want: 250 })).granted, 0);
});

test('places at once are one count for all nodes', async t => {
  if (!server) return t.skip(missing);
  const { source: a } = await join(server.url, 'a', 'places');
  const { source: b } = await join(server.url, 'b', 'places');
  assert.equal(await a.places('key_1', 3, 4), 3);
  assert.equal(await b.places('key_1', 3, 4), 1);
  assert.equal(await a.places('key_1', 4, 4), 3);
  assert.equal(await a.places('key_1', 0, 4), 0);
  assert.equal(await b.places('key_1', 9, 4), 4);
});

test('a Valkey that stands still is left alone after the first who waited, and used again when it answers', async t => {
  if (!server) return t.skip(missing);
  const { source, valkey } = await join(server.url, 'a', 'still', 4);
  server.pause();
  try {
    assert.equal(await takeAll(source, 'k', 20), 5, 'a part of the limit');
    assert.equal(valkey.isUp(), false);
  } finally {
    server.resume();
  }
  while (!valkey.isUp()) await sleep(20);
  assert.equal(await takeAll(source, 'other', 20), 20);
});

test('without Valkey a node has its part of each limit; databases do not mix; news come from others only', async t => {
  if (!server) return t.skip(missing);
  const { source, valkey } = await join(server.url, 'a', 'news', 4);
  const { source: other, valkey: far } = await join(server.url, 'b', 'news', 4);
  const { source: elsewhere } = await join(server.url, 'c', 'other');
  const heard = new Promise<News>(resolve => far.onNews(resolve));
  valkey.onNews(() => assert.fail('its own news'));
  // A subscription is there some time after the connection.
  const telling = setInterval(() => valkey.tell({ type: 'want', name: 'x' }), 20);
  assert.deepEqual(await heard, { type: 'want', name: 'x' });
  clearInterval(telling);
  assert.equal(await takeAll(source, 'k', 20), 20);
  assert.equal(await takeAll(elsewhere, 'k', 20), 20);
  await server.kill();
  assert.equal(await takeAll(source, 'k', 20), 5);
  assert.equal(await takeAll(other, 'k', 20), 5);
  assert.deepEqual([await source.places('k', 9, 20), await source.places('k', 9, 2)], [5, 1]);
});
