import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { sql } from 'kysely';
import { DIALECTS, testStores } from '../../../test/support/stores.ts';
import { openStore, type Store, type StoreTransaction } from './index.ts';

const stores = testStores();

const cursorRows = (ids: readonly string[]) => ({
  columns: ['node_id', 'seq'],
  rows: ids.map(id => [id, 1n] as const),
  key: 'node_id',
});
const nodeIds = async (store: Store) =>
  (await store.db.selectFrom('journal_cursor').select('node_id').orderBy('node_id').execute()).map(row => row.node_id);

for (const dialect of DIALECTS) {
  describe(dialect, () => {
    test('integers arrive as bigint, beyond 2^53 too', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      for (const nano of [0n, 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n)]) {
        const values = {
          id: `a${nano}`,
          kind: 'wallet',
          organization_id: null,
          currency: 'CNY',
          min_balance_nano: nano,
        };
        await store.db.insertInto('accounts').values(values).execute();
        const row: object = await store.db
          .selectFrom('accounts')
          .selectAll()
          .where('id', '=', `a${nano}`)
          .executeTakeFirstOrThrow();
        assert.deepEqual({ ...row }, values);
      }
      const { rows } = await sql<Record<string, unknown>>`
        select count(*) as count, max(min_balance_nano) as max, sum(length(id)) as sum, 1 as one from accounts`.execute(
        store.db,
      );
      assert.deepEqual({ ...rows[0] }, { count: 4n, max: 2n ** 63n - 1n, sum: 60n, one: 1n });
    });

    test('a column of integers takes no text, and a column of texts sorts byte by byte', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      await assert.rejects(sql`insert into journal_cursor values ('n', 'many')`.execute(store.db));
      const ids = ['a', 'B', 'ä', '_', 'Z', '-a', '中', 'aa', 'a-b', 'a_b'];
      await store.transaction(trx => store.insertNew(trx, 'journal_cursor', cursorRows(ids)));
      assert.deepEqual(
        await nodeIds(store),
        ids.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
      );
    });

    test('insertNew says which rows were new', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      const insert = (ids: readonly string[]) =>
        store.transaction(trx => store.insertNew(trx, 'journal_cursor', cursorRows(ids)));
      assert.deepEqual(await insert(['a', 'b', 'a']), [true, true, false]);
      assert.deepEqual(await insert(['b', 'c']), [false, true]);
      assert.deepEqual(await insert([]), []);
      // What arrays are written with, and what would end a string, are texts like others.
      assert.deepEqual(await insert(['{x,"y"}', "';--", '\\', ' ', 'null', '中文 😀', 'null']), [
        ...new Array<boolean>(6).fill(true),
        false,
      ]);
      assert.ok((await nodeIds(store)).includes('{x,"y"}'));
      // PostgreSQL has no NUL in texts: a loader must not stand still for one that came from outside.
      assert.deepEqual(await insert(['nul\0', 'nul\uFFFD']), [true, false]);
    });

    test('insertNew tells keys of several columns apart, and keeps nulls', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      const spend = (rows: readonly (readonly [string, string, string])[]) =>
        store.transaction(trx =>
          store.insertNew(trx, 'key_spend', {
            columns: ['key_id', 'period', 'currency', 'spent_nano'],
            rows: rows.map(row => [...row, 5n]),
            key: 'key_id,period,currency',
          }),
        );
      assert.deepEqual(await spend([['a b', 'c', 'CNY']]), [true]);
      assert.deepEqual(
        await spend([
          ['a', 'b c', 'CNY'],
          ['a b', 'c', 'CNY'],
        ]),
        [true, false],
      );
      const account = { columns: ['id', 'kind', 'organization_id', 'currency', 'min_balance_nano'], key: 'id' };
      await store.transaction(trx =>
        store.insertNew(trx, 'accounts', {
          ...account,
          rows: [
            ['x', 'house', null, 'CNY', 0n],
            ['y', 'house', null, 'CNY', -1n],
          ],
        }),
      );
      const rows = await store.db.selectFrom('accounts').select(['id', 'organization_id']).orderBy('id').execute();
      assert.deepEqual(
        rows.map(row => row.organization_id),
        [null, null],
      );
    });

    test('insertNew agrees with a set, whatever the batches', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      const seen = new Set<string>();
      const batches = fc.array(fc.array(fc.string({ maxLength: 2 })), { maxLength: 5 });
      await fc.assert(
        fc.asyncProperty(batches, async lists => {
          for (const ids of lists) {
            const expected = ids.map(id => !seen.has(id) && seen.add(id) !== undefined);
            const inserted: readonly boolean[] = await store.transaction(trx =>
              store.insertNew(trx, 'journal_cursor', cursorRows(ids)),
            );
            assert.deepEqual(inserted, expected);
          }
        }),
        { numRuns: 40 },
      );
    });

    test('a transaction that throws leaves nothing', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      const failing = store.transaction(async trx => {
        await store.insertNew(trx, 'journal_cursor', cursorRows(['x']));
        throw new Error('stop');
      });
      await assert.rejects(failing, /stop/);
      assert.deepEqual(await nodeIds(store), []);
    });

    test('inside a transaction store.db is refused, not waited for', { timeout: 5_000 }, async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      await assert.rejects(
        store.transaction(() => nodeIds(store)),
        /only its own handle/,
      );
      await assert.rejects(
        store.transaction(() => store.transaction(async () => {})),
        /only its own handle/,
      );
      // Begun inside, run after the end: outside again.
      let release = () => {};
      const ended = new Promise<void>(resolve => {
        release = resolve;
      });
      let later: Promise<unknown> = Promise.resolve();
      await store.transaction(async () => {
        later = ended.then(() => nodeIds(store));
      });
      release();
      assert.deepEqual(await later, []);
    });

    test('work of others waits for a transaction and sees all of it or nothing', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      const writers = Array.from({ length: 5 }, (_, writer) =>
        store.transaction(async trx => {
          for (let row = 0; row < 3; row++) {
            await store.insertNew(trx, 'journal_cursor', cursorRows([`${writer}-${row}`]));
            await new Promise(resolve => setImmediate(resolve));
          }
        }),
      );
      const counts = await Promise.all([1, 2, 3].map(() => nodeIds(store)));
      for (const ids of counts) assert.equal(ids.length % 3, 0);
      await Promise.all(writers);
      assert.equal((await nodeIds(store)).length, 15);
    });

    test('tables of facts refuse change, even to themselves', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      await store.db.insertInto('price_versions').values({ version: 'v', content: '{}', created_us: 1n }).execute();
      const attempts = [
        store.db.updateTable('price_versions').set({ content: 'x' }),
        store.db.updateTable('price_versions').set({ content: '{}' }),
        store.db.deleteFrom('price_versions'),
      ];
      for (const attempt of attempts) await assert.rejects(attempt.execute(), /insert-only/);
      const replace = (trx: StoreTransaction) =>
        sql`insert into price_versions values ('v', 'x', 2) on conflict (version) do update set content = 'x'`.execute(
          trx,
        );
      await assert.rejects(store.transaction(replace), /insert-only/);
      assert.equal((await store.db.selectFrom('price_versions').selectAll().executeTakeFirstOrThrow()).content, '{}');
    });

    test('the reader sees what is committed, and cannot write', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      await store.db
        .insertInto('journal_cursor')
        .values({ node_id: 'n', seq: 2n ** 60n })
        .execute();
      const rows = await store.reader.selectFrom('journal_cursor').select(['node_id', 'seq']).execute();
      assert.deepEqual({ ...rows[0] }, { node_id: 'n', seq: 2n ** 60n });
      assert.deepEqual(await store.reader.selectFrom('journal_cursor').selectAll().where('seq', '=', 1n).execute(), []);
      await assert.rejects(sql`select x from nowhere`.execute(store.reader), /nowhere/);
      if (dialect === 'sqlite')
        await assert.rejects(store.reader.deleteFrom('journal_cursor').execute(), /readonly|read-only/);
      await store.check();
    });

    test('a database from before rooms had tables of their own opens, with all that is in it', async t => {
      const options = await stores.place(dialect, t);
      if (!options) return;
      {
        await using store = await openStore(options);
        await sql`create table schema_versions (id bigint primary key)`.execute(store.db);
        await sql`insert into schema_versions (id) select id from room_versions where room = 'core'`.execute(store.db);
        await sql`drop table room_versions`.execute(store.db);
        await store.transaction(trx => store.insertNew(trx, 'journal_cursor', cursorRows(['kept'])));
      }
      await using store = await openStore(options);
      assert.deepEqual(await nodeIds(store), ['kept']);
      const room = { room: 'late', migrations: [{ id: 1, statements: () => ['create table late (id bigint)'] }] };
      await store[Symbol.asyncDispose]();
      await using again = await openStore({ ...options, rooms: [room] });
      assert.equal((await sql`select * from late`.execute(again.db)).rows.length, 0);
    });

    test('opens again with its data, and refuses a newer schema', async t => {
      const options = await stores.place(dialect, t);
      if (!options) return;
      const newer = { message: /schema version 99/ };
      {
        await using store = await openStore(options);
        await store.db.insertInto('journal_cursor').values({ node_id: 'n', seq: 7n }).execute();
        await sql`insert into room_versions (room, id) values ('core', 99)`.execute(store.db);
        if (dialect === 'postgres') await assert.rejects(openStore({ ...options, writer: false }), newer);
      }
      await assert.rejects(openStore(options), { code: 'config_invalid', ...newer });
      await assert.rejects(openStore(options), newer, 'the failed opening let go of everything');
    });
  });
}
