import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { sql } from 'kysely';
import { startPostgres, type TestPostgres } from '../../test/support/postgres.ts';
import { openStore, type Store } from './store.ts';

const folder = mkdtempSync(join(tmpdir(), 'mr-store-'));
let postgres: TestPostgres | string = 'not started';
before(async () => {
  postgres = await startPostgres();
});
after(async () => {
  if (typeof postgres !== 'string') await postgres[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

let count = 0;
const OPENERS = {
  sqlite: async () => ({ file: join(folder, `s${++count}.db`) }),
  postgres: async () => (typeof postgres === 'string' ? postgres : { file: '', url: await postgres.createDatabase() }),
} as const;

for (const dialect of ['sqlite', 'postgres'] as const) {
  describe(dialect, () => {
    const withStore = async (
      skip: (why: string) => void,
      work: (store: Store, reopen: () => Promise<Store>) => Promise<void>,
    ) => {
      const options = await OPENERS[dialect]();
      if (typeof options === 'string') return skip(options);
      const store = await openStore(options);
      try {
        await work(store, () => openStore(options));
      } finally {
        await store[Symbol.asyncDispose]();
      }
    };

    test('integers arrive as bigint, beyond 2^53 too', t =>
      withStore(t.skip.bind(t), async store => {
        for (const nano of [0n, 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n)]) {
          await store.db
            .insertInto('accounts')
            .values({ id: `a${nano}`, kind: 'wallet', organization_id: null, currency: 'CNY', min_balance_nano: nano })
            .execute();
          const row = await store.db
            .selectFrom('accounts')
            .select('min_balance_nano')
            .where('id', '=', `a${nano}`)
            .executeTakeFirstOrThrow();
          assert.equal(row.min_balance_nano, nano);
        }
      }));

    test('insertNew says which rows were new', t =>
      withStore(t.skip.bind(t), async store => {
        const insert = (ids: readonly string[]) =>
          store.transaction(trx =>
            store.insertNew(trx, 'journal_cursor', {
              columns: ['node_id', 'seq'],
              rows: ids.map(id => [id, 1n]),
              key: 'node_id',
            }),
          );
        assert.deepEqual(await insert(['a', 'b', 'a']), [true, true, false]);
        assert.deepEqual(await insert(['b', 'c']), [false, true]);
        assert.deepEqual(await insert([]), []);
      }));

    test('a transaction that throws leaves nothing', t =>
      withStore(t.skip.bind(t), async store => {
        await assert.rejects(
          store.transaction(async trx => {
            await store.insertNew(trx, 'journal_cursor', {
              columns: ['node_id', 'seq'],
              rows: [['x', 1n]],
              key: 'node_id',
            });
            throw new Error('stop');
          }),
          /stop/,
        );
        assert.equal((await store.db.selectFrom('journal_cursor').selectAll().execute()).length, 0);
      }));

    test('tables of facts refuse change', t =>
      withStore(t.skip.bind(t), async store => {
        await store.db.insertInto('price_versions').values({ version: 'v', content: '{}', created_us: 1n }).execute();
        await assert.rejects(store.db.updateTable('price_versions').set({ content: 'x' }).execute(), /insert-only/);
        await assert.rejects(store.db.deleteFrom('price_versions').execute(), /insert-only/);
      }));

    test('opens again with its data, and refuses a newer schema', t =>
      withStore(t.skip.bind(t), async (store, reopen) => {
        await store.db.insertInto('journal_cursor').values({ node_id: 'n', seq: 7n }).execute();
        await sql`insert into schema_versions (id) values (99)`.execute(store.db);
        if (dialect === 'postgres') await assert.rejects(reopen(), { code: 'conflict' });
        else await assert.rejects(reopen(), { code: 'config_invalid', message: /schema version 99/ });
        await sql`delete from schema_versions where id = 99`.execute(store.db);
        if (dialect === 'postgres') return;
        await using again = await reopen();
        assert.equal((await again.db.selectFrom('journal_cursor').selectAll().executeTakeFirstOrThrow()).seq, 7n);
      }));
  });
}

test('a file that is no database is named, not overwritten', async () => {
  const file = join(folder, 'noise.db');
  writeFileSync(file, 'x'.repeat(8_192));
  await assert.rejects(openStore({ file }), { code: 'config_invalid', message: /noise\.db cannot be used/ });
});

test('a live store is backed up whole', async () => {
  await using store = await openStore({ file: join(folder, 'live.db') });
  await store.db.insertInto('journal_cursor').values({ node_id: 'n', seq: 3n }).execute();
  await store.backup(join(folder, 'copy.db'));
  await using copy = await openStore({ file: join(folder, 'copy.db') });
  assert.equal((await copy.db.selectFrom('journal_cursor').selectAll().executeTakeFirstOrThrow()).seq, 3n);
});
