import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import pg from 'pg';
import { type PoolerOptions, startPooler } from '../../../test/support/pgbouncer.ts';
import { testStores } from '../../../test/support/stores.ts';
import { openStore } from './index.ts';

const stores = testStores();

/** A database, and the way to it through a real pooler. */
async function place(t: TestContext, options: PoolerOptions) {
  const direct = await stores.place('postgres', t);
  if (!direct?.url) return undefined;
  const pooler = await startPooler(direct.url, options);
  if (typeof pooler === 'string') {
    t.skip(pooler);
    return undefined;
  }
  t.after(() => pooler[Symbol.asyncDispose]());
  return { direct, pooled: { file: '', url: pooler.url } };
}

/** Uses several sessions of the server at once, and lets them go: what a pooler then gives to whom is its own affair. */
async function stir(url: string): Promise<void> {
  const clients = Array.from({ length: 4 }, () => new pg.Client({ connectionString: url }));
  await Promise.all(clients.map(client => client.connect()));
  for (const client of clients) await client.query('begin');
  for (const client of clients) await client.query('commit');
  await Promise.all(clients.map(client => client.end()));
}

for (const options of [
  { mode: 'transaction' },
  { mode: 'transaction', roundRobin: true },
  { mode: 'session' },
] as const satisfies readonly PoolerOptions[])
  test(`one writer through a pooler: ${JSON.stringify(options)}`, async t => {
    const places = await place(t, options);
    if (!places) return;
    const { direct, pooled } = places;
    await stir(pooled.url);
    const refused = { code: 'conflict', message: /Another Millrace already works on this database/ };
    {
      await using first = await openStore(pooled);
      await stir(pooled.url);
      await assert.rejects(openStore(pooled), refused);
      await assert.rejects(openStore(direct), refused, 'nor past the pooler');
      await assert.rejects(openStore({ ...pooled, writer: 'shared' }), /works on this database alone/);
      await first.transaction(async trx => {
        await trx.insertInto('journal_cursor').values({ node_id: 'n', seq: 1n }).execute();
      });
      await first.check();
    }
    {
      await using first = await openStore(direct);
      await assert.rejects(openStore(pooled), refused, 'nor through it, past one that is there');
      await first.check();
    }
    await using one = await openStore({ ...pooled, writer: 'shared' });
    await using two = await openStore({ ...pooled, writer: 'shared' });
    await one.check();
    await two.check();
    await assert.rejects(openStore(pooled), refused);
  });

test('a pooler that shares a session within a transaction is refused, and told how to be passed by', async t => {
  const places = await place(t, { mode: 'statement' });
  if (!places) return;
  for (const writer of [true, 'shared'] as const)
    await assert.rejects(openStore({ ...places.pooled, writer }), error => {
      assert.ok(error instanceof Error && 'code' in error && 'messageIn' in error);
      assert.equal(error.code, 'conflict');
      assert.match(error.message, /connection pooler .* pool_mode/);
      return true;
    });
});
