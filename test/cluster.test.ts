// Several nodes on one PostgreSQL: one wallet, one set of keys, one book; Valkey comes and goes, and so do nodes.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeFolder, readSecrets } from '../src/ground/std/index.ts';
import {
  applyModel,
  ask,
  booksOf,
  copySecrets,
  eventually,
  gauge,
  makeKey,
  newestKey,
  openWorld,
  tally,
  type World,
} from './support/nodes.ts';
import { newHome, startServer, type TestServer } from './support/server.ts';

let world: World;
let missing = '';
let a: TestServer;
let b: TestServer;

before(async () => {
  const opened = await openWorld();
  if (typeof opened === 'string') {
    missing = opened;
    return;
  }
  world = opened;
  a = await world.start('a');
});
after(async () => {
  if (missing === '') await world[Symbol.asyncDispose]();
});

const times = <T>(count: number, one: (index: number) => Promise<T>) =>
  Promise.all(Array.from({ length: count }, (_, index) => one(index)));
/** Asked of both in turn. */
const askBoth = (count: number, key: string) => times(count, index => ask(index % 2 === 0 ? a : b, key));
const isKnownTo = (server: TestServer, key: string) =>
  eventually('the key is known', async () => (await ask(server, key, 1)) !== 401);

/** Asks one node after another until it is told to stop; every status that came. */
function load(servers: () => readonly TestServer[], key: string, lanes: number) {
  const statuses: number[] = [];
  let stopped = false;
  const lane = async (from: number) => {
    for (let index = from; !stopped; index++) {
      const all = servers();
      const server = all[index % all.length];
      const status = server ? await ask(server, key) : 0;
      statuses.push(status);
      // A node that is away is not asked a thousand times a second.
      if (status === 0) await sleep(20);
    }
  };
  const done = Promise.all(Array.from({ length: lanes }, (_, index) => lane(index)));
  return {
    statuses,
    async stop() {
      stopped = true;
      await done;
      return tally(statuses);
    },
  };
}

async function proven(server: TestServer): Promise<void> {
  const proof = await server.cli('ledger', 'verify');
  assert.equal(proof.code, 0, JSON.stringify(proof.json));
}

test('several nodes', { timeout: 280_000 }, async t => {
  if (missing !== '') return t.skip(missing);

  await t.test('a node with other secrets refuses, and says which file to copy', async () => {
    await assert.rejects(startServer(world.homes.b, world.env), /copy secrets\.json there/);
    copySecrets(world.homes.a, world.homes.b);
    b = await world.start('b');
    assert.equal(b.firstKey, null, 'the first node made it');
    await eventually('both see two nodes', async () => (await gauge(a, 'cluster_nodes')) === 2);
    world.upstream.script('m', { tokens: 100, headersDelayMs: 100 });
    await applyModel(a, world.upstream, { ten: '0.01', rich: '100', small: '0.02', late: '0.005' });
  });

  await t.test('a wallet that pays for ten admits ten, whoever is asked', async () => {
    const key = await makeKey(a, 'ten');
    await isKnownTo(b, key);
    const statuses = tally(await askBoth(1_000, key));
    t.diagnostic(`a thousand at once: ${JSON.stringify(statuses)}`);
    // A look at the key took a hundredth of one.
    assert.deepEqual(statuses, { 200: 9, 402: 991 });
    const credited = await b.cli('wallet', 'credit', '--org', 'ten', '--amount', '0.006');
    assert.equal(credited.code, 0, credited.err);
    assert.deepEqual([await ask(a, key), await ask(b, key)], [200, 200], 'a credit counts on both');
    assert.deepEqual(tally(await askBoth(40, key)), { 200: 4, 402: 36 });
    await proven(a);
  });

  await t.test('a key that is revoked on one node is refused by the other', async () => {
    const key = await makeKey(b, 'rich');
    await isKnownTo(a, key);
    const id = await newestKey(a, 'rich');
    const sinceMs = performance.now();
    assert.equal((await b.cli('key', 'revoke', id)).code, 0);
    await eventually('a refuses it', async () => (await ask(a, key, 1)) === 401);
    t.diagnostic(`revoked on the other node after ${Math.round(performance.now() - sinceMs)} ms, the command included`);
  });

  await t.test('each node tells of the others', async () => {
    for (const node of [a, b]) {
      const figures = ['nodes', 'valkey_up', 'may_spend', 'leases'].map(name => gauge(node, `cluster_${name}`));
      const [nodes, valkeyUp, maySpend, leases] = await Promise.all(figures);
      assert.deepEqual([nodes, valkeyUp, maySpend], [2, 1, 1]);
      assert.ok(leases !== undefined && leases >= 1, String(leases));
      assert.match(await (await fetch(`${node.url}/readyz`)).text(), /"nodes":2,"valkey":"up"/);
    }
  });

  await t.test('limits and budget of a key hold over both', async () => {
    const rpm = await makeKey(a, 'rich', '--rpm', '30');
    const concurrent = await makeKey(a, 'rich', '--concurrency', '4');
    const budgeted = await makeKey(a, 'rich', '--budget', '0.005CNY');
    await isKnownTo(b, budgeted);
    const sinceMs = performance.now();
    const rates = tally(await askBoth(200, rpm));
    // What comes back meanwhile, and a portion that one node has and the other could use.
    const most = 30 + Math.ceil((performance.now() - sinceMs) / 2_000);
    t.diagnostic(`30 a minute, 200 at once: ${JSON.stringify(rates)}`);
    assert.ok((rates[200] ?? 0) <= most && (rates[200] ?? 0) >= 28, JSON.stringify(rates));
    // For long enough that their holds are written.
    world.upstream.script('m', { tokens: 100, headersDelayMs: 3_000 });
    const asking = askBoth(60, concurrent);
    const holds = async () => Number((await world.db.query('select count(*) as count from holds')).rows[0]?.count);
    await eventually('holds of both are written', async () => (await holds()) === 4);
    await proven(a);
    const places = tally(await asking);
    t.diagnostic(`4 at once, 60 at once: ${JSON.stringify(places)}`);
    assert.deepEqual(places, { 200: 4, 429: 56 });
    world.upstream.script('m', { tokens: 100, headersDelayMs: 20 });
    const spent = tally(await askBoth(100, budgeted));
    t.diagnostic(`a budget for five: ${JSON.stringify(spent)}`);
    assert.ok((spent[200] ?? 0) <= 5 && (spent[200] ?? 0) >= 4, JSON.stringify(spent));
    assert.deepEqual(tally(await askBoth(10, budgeted))[402], 10);
  });

  await t.test('a node is killed under load: its books are whole when it comes back', async () => {
    const key = await makeKey(a, 'rich');
    await isKnownTo(b, key);
    const running = load(() => [a, b], key, 16);
    await eventually('both serve', async () => running.statuses.length > 200);
    await b.signal('SIGKILL');
    const atKill = running.statuses.length;
    await eventually('the other goes on', async () => running.statuses.length > atKill + 200);
    b = await world.start('b');
    const atStart = running.statuses.length;
    await eventually('both serve again', async () => running.statuses.length > atStart + 200);
    t.diagnostic(`with a kill: ${JSON.stringify(await running.stop())}`);
    await proven(a);
    await proven(b);
    const books = await booksOf(world, 'rich');
    assert.equal(books.credited - books.settled, books.posted, 'what was debited is what was settled');
  });

  await t.test('a node that stood still for longer than its lease spends nothing of it', async () => {
    const key = await makeKey(a, 'small');
    await isKnownTo(a, key);
    await isKnownTo(b, key);
    assert.equal(await ask(b, key), 200, 'b has some of it');
    // What a node spent and did not book before it went is booked when it comes back, beyond what others had left.
    await eventually('it is booked', async () => (await booksOf(world, 'small')).settled === 1_020_000n);
    b.process.kill('SIGSTOP');
    try {
      await eventually('its lease lapsed', async () => (await gauge(a, 'cluster_nodes')) === 1);
      const alone = tally(await times(60, () => ask(a, key)));
      t.diagnostic(`while the other stands still: ${JSON.stringify(alone)}`);
      assert.equal(alone[200], 18, 'all that is left, and not one more');
    } finally {
      b.process.kill('SIGCONT');
    }
    assert.deepEqual(tally(await times(40, () => ask(b, key))), { 402: 40 });
    await proven(a);
    await proven(b);
  });

  await t.test('what ran on a node whose lease lapsed is booked all the same, and the proof knows why', async () => {
    const key = await makeKey(a, 'late');
    await isKnownTo(a, key);
    await isKnownTo(b, key);
    await eventually('both looks are booked', async () => (await booksOf(world, 'late')).settled === 20_000n);
    world.upstream.script('m', { tokens: 100, headersDelayMs: 500 });
    const seen = world.upstream.calls.length;
    const running = ask(b, key);
    await eventually('it runs', async () => world.upstream.calls.length > seen);
    b.process.kill('SIGSTOP');
    try {
      await eventually('its lease lapsed', async () => (await gauge(a, 'cluster_nodes')) === 1);
      assert.equal(tally(await times(20, () => ask(a, key)))[200], 4, 'as though it did not run');
    } finally {
      b.process.kill('SIGCONT');
    }
    assert.equal(await running, 200);
    await eventually('it is booked', async () => (await booksOf(world, 'late')).settled === 5_020_000n);
    assert.equal((await booksOf(world, 'late')).posted, -20_000n, 'more than was there: by what the lease covered');
    await proven(a);
    await proven(b);
    world.upstream.script('m', { tokens: 100, headersDelayMs: 20 });
  });

  await t.test('Valkey is killed under load: service goes on, limits are divided, nothing is lost', async () => {
    const key = await makeKey(a, 'rich');
    const rpm = await makeKey(a, 'rich', '--rpm', '40');
    await isKnownTo(b, rpm);
    const running = load(() => [a, b], key, 8);
    await eventually('both serve', async () => running.statuses.length > 100);
    await world.valkey.kill();
    await eventually('it is noticed', async () => (await gauge(a, 'cluster_valkey_up')) === 0);
    await eventually('by both', async () => (await gauge(b, 'cluster_valkey_up')) === 0);
    const one = tally(await times(100, () => ask(a, rpm)));
    t.diagnostic(`40 a minute, on one of two nodes without Valkey: ${JSON.stringify(one)}`);
    assert.ok((one[200] ?? 0) >= 18 && (one[200] ?? 0) <= 24, JSON.stringify(one));
    const made = await makeKey(b, 'rich');
    await isKnownTo(a, made);
    const id = await newestKey(a, 'rich');
    const sinceMs = performance.now();
    assert.equal((await b.cli('key', 'revoke', id)).code, 0);
    await eventually('a refuses it', async () => (await ask(a, made, 1)) === 401);
    t.diagnostic(`revoked without Valkey after ${Math.round(performance.now() - sinceMs)} ms, the command included`);
    await world.valkey.start();
    await eventually('it is back', async () => (await gauge(a, 'cluster_valkey_up')) === 1);
    const statuses = await running.stop();
    t.diagnostic(`with Valkey killed and back: ${JSON.stringify(statuses)}`);
    assert.deepEqual(Object.keys(statuses), ['200']);
    await proven(a);
    const books = await booksOf(world, 'rich');
    assert.equal(books.credited - books.settled, books.posted);
  });

  await t.test('what lies idle goes back; a single node and several exclude one another', async () => {
    await eventually('nothing is held', async () => (await booksOf(world, 'rich')).held === 0n);
    const alone = { DATABASE_URL: world.env['DATABASE_URL'] ?? '', VALKEY_URL: '' };
    const { homes } = world;
    assert.equal(await a.signal('SIGTERM'), 0);
    await assert.rejects(startServer(homes.a, alone), /already works on this database/);
    assert.equal(await b.signal('SIGTERM'), 0);
    for (const org of ['ten', 'rich', 'small']) assert.equal((await booksOf(world, org)).held, 0n, org);
    const single = await startServer(homes.a, alone);
    try {
      await assert.rejects(world.start('b'), /works on this database alone/);
      assert.equal(await ask(single, await makeKey(single, 'rich')), 200);
      await proven(single);
    } finally {
      await single.signal('SIGKILL');
    }
  });
});

test('two nodes that start at once on an empty database make its schema, its model and its first key once', async t => {
  if (missing !== '') return t.skip(missing);
  const places = [newHome(), newHome()];
  const [first, second] = places.map(({ home }) => home);
  if (first === undefined || second === undefined) throw new Error('no homes');
  makeFolder(first);
  readSecrets(first, []);
  copySecrets(first, second);
  const env = { ...world.env, DATABASE_URL: await world.createDatabase() };
  const nodes = await Promise.all([startServer(first, env), startServer(second, env)]);
  try {
    const keys = nodes.flatMap(({ firstKey }) => firstKey ?? []);
    assert.equal(keys.length, 1);
    for (const node of nodes)
      await eventually('it is known to both', async () => {
        const headers = { authorization: `Bearer ${keys[0]}` };
        return (await fetch(`${node.url}/v1/models/millrace-nano`, { headers })).status === 200;
      });
  } finally {
    for (const node of nodes) await node.signal('SIGKILL');
    for (const { remove } of places) remove();
  }
});
