import assert from 'node:assert/strict';
import { test } from 'node:test';
import pg from 'pg';
import { testStores } from '../../../test/support/stores.ts';
import { silentLog } from '../std/index.ts';
import { openStore } from './index.ts';
import { retried } from './postgres.ts';
import { takeWriterLock } from './writer-lock.ts';

const stores = testStores();

/** Each look asks the database; the time of the test is the only limit. */
async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise(resolve => setTimeout(resolve, 25));
}

/** Ends every other connection to the database, as a restart of the server or a cut in the network would. */
async function cutAll(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(
    `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`,
  );
  await client.end();
}

test('a second writer is refused, one beside the writer is not', async t => {
  const options = await stores.place('postgres', t);
  if (!options) return;
  {
    await using first = await openStore(options);
    await assert.rejects(openStore(options), { code: 'conflict', message: /Another Millrace/ });
    await using beside = await openStore({ ...options, writer: false });
    await first.db.insertInto('journal_cursor').values({ node_id: 'n', seq: 1n }).execute();
    assert.equal((await beside.db.selectFrom('journal_cursor').selectAll().execute()).length, 1);
  }
  await using next = await openStore(options);
  await next.check();
});

test('connections that break are replaced, and the lock is won back', async t => {
  const options = await stores.place('postgres', t);
  if (!options?.url) return;
  await using store = await openStore(options);
  await cutAll(options.url);
  await assert.rejects(
    store.transaction(async () => {}),
    { code: 'unavailable' },
  );
  await until(() =>
    store.check().then(
      () => true,
      () => false,
    ),
  );
  await store.transaction(async trx => {
    await trx.insertInto('journal_cursor').values({ node_id: 'n', seq: 1n }).execute();
  });
  assert.equal((await store.db.selectFrom('journal_cursor').selectAll().execute()).length, 1);
});

test('a writer that lost its lock to another writes no more, until the other is gone', async t => {
  const options = await stores.place('postgres', t);
  if (!options?.url) return;
  await using store = await openStore(options);
  await cutAll(options.url);
  const other = await takeWriterLock(options.url, silentLog);
  const write = () =>
    store
      .transaction(async () => {})
      .then(
        () => 'ok',
        error => String(error.code),
      );
  await until(async () => (await write()) === 'conflict');
  await other[Symbol.asyncDispose]();
  await until(async () => (await write()) === 'ok');
});

test('of two transactions that block each other both are carried out', async t => {
  const store = await stores.open('postgres', t);
  if (!store) return;
  for (const id of ['a', 'b']) await store.db.insertInto('journal_cursor').values({ node_id: id, seq: 0n }).execute();
  let runs = 0;
  let arrived = 0;
  let open = () => {};
  const both = new Promise<void>(resolve => {
    open = resolve;
  });
  const move = (first: string, second: string) =>
    store.transaction(async trx => {
      runs++;
      const raise = (id: string) =>
        trx
          .updateTable('journal_cursor')
          .set(({ eb }) => ({ seq: eb('seq', '+', 1n) }))
          .where('node_id', '=', id)
          .execute();
      await raise(first);
      if (++arrived === 2) open();
      await both;
      await raise(second);
    });
  await Promise.all([move('a', 'b'), move('b', 'a')]);
  assert.equal(runs, 3);
  const rows = await store.db.selectFrom('journal_cursor').select('seq').execute();
  assert.deepEqual(
    rows.map(row => row.seq),
    [2n, 2n],
  );
});

test('a conflict is tried again a few times, anything else not at all', async () => {
  const failing = (code: string) => {
    const calls = { count: 0 };
    const run = async () => {
      calls.count++;
      throw Object.assign(new Error('no'), { code });
    };
    return { calls, run };
  };
  for (const [code, count] of [
    ['40001', 6],
    ['40P01', 6],
    ['23505', 1],
    ['ECONNRESET', 1],
  ] as const) {
    const { calls, run } = failing(code);
    await assert.rejects(
      retried(run, () => 0),
      { code },
    );
    assert.equal(calls.count, count, code);
  }
});

test('an address where nothing answers is said in a sentence', async () => {
  await assert.rejects(openStore({ file: '', url: 'postgres://u@127.0.0.1:1/x' }), {
    code: 'config_invalid',
    message: /DATABASE_URL: PostgreSQL does not answer \(.*ECONNREFUSED/,
  });
});
