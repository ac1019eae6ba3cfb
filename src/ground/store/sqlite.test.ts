import assert from 'node:assert/strict';
import { appendFileSync, closeSync, existsSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { sql } from 'kysely';
import { testStores } from '../../../test/support/stores.ts';
import { openStore, type Store } from './index.ts';

const stores = testStores();
const add = (store: Store, ids: readonly string[]) =>
  store.transaction(trx =>
    store.insertNew(trx, 'journal_cursor', {
      columns: ['node_id', 'seq'],
      rows: ids.map(id => [id, 1n]),
      key: 'node_id',
    }),
  );
const count = async (store: Store) => (await store.db.selectFrom('journal_cursor').selectAll().execute()).length;

test('opens with every commit on disk', async t => {
  const store = await stores.open('sqlite', t);
  if (!store) return;
  for (const [pragma, value] of [
    ['journal_mode', 'wal'],
    ['synchronous', 2n],
    ['foreign_keys', 1n],
    ['busy_timeout', 5_000n],
  ] as const) {
    const { rows } = await sql.raw<Record<string, unknown>>(`pragma ${pragma}`).execute(store.db);
    assert.deepEqual(Object.values(rows[0] ?? {}), [value], pragma);
  }
  const project = { organization_id: 'none', id: 'p', name: '', created_us: 0n };
  await assert.rejects(store.db.insertInto('projects').values(project).execute(), /FOREIGN KEY/);
});

test('a file that is no database is named, not overwritten', async () => {
  const file = join(stores.folder, 'noise.db');
  writeFileSync(file, 'x'.repeat(8_192));
  await assert.rejects(openStore({ file }), { code: 'config_invalid', message: /noise\.db cannot be used/ });
  assert.equal(readFileSync(file, 'utf8'), 'x'.repeat(8_192));
});

test('an overwritten page is found at the start', async () => {
  const file = join(stores.folder, 'damaged.db');
  const store = await openStore({ file });
  await add(
    store,
    Array.from({ length: 2_000 }, (_, index) => `node-${index}`),
  );
  await store[Symbol.asyncDispose]();
  const handle = openSync(file, 'r+');
  const { length } = readFileSync(file);
  for (let page = Math.floor(length / 4_096) - 3; page * 4_096 < length; page++)
    writeSync(handle, Buffer.alloc(2_048, 0xee), 0, 2_048, page * 4_096);
  closeSync(handle);
  await assert.rejects(openStore({ file }), { code: 'config_invalid', message: /restore it from a backup/ });
});

test('a full disk is said as such, leaves the transaction undone, and is over when space returns', async t => {
  const store = await stores.open('sqlite', t);
  if (!store) return;
  await sql`pragma max_page_count = 120`.execute(store.db);
  const ids = Array.from({ length: 5_000 }, (_, index) => `${index}`.padStart(100, 'x'));
  await assert.rejects(add(store, ids), { code: 'storage_full' });
  assert.equal(await count(store), 0);
  await sql`pragma max_page_count = 100000`.execute(store.db);
  await add(store, ids);
  assert.equal(await count(store), 5_000);
});

test('a backup under load is a moment: whole, checked, without what was not committed', async t => {
  const store = await stores.open('sqlite', t);
  if (!store) return;
  await add(
    store,
    Array.from({ length: 3_000 }, (_, index) => `base-${index}`.padEnd(500, '.')),
  );
  let copying = true;
  const writing = (async () => {
    for (let batch = 0; copying; batch++) {
      await store
        .transaction(async trx => {
          await store.insertNew(trx, 'journal_cursor', {
            columns: ['node_id', 'seq'],
            rows: [1, 2, 3, 4].map(row => [`pair-${batch}-${row}`, 1n]),
            key: 'node_id',
          });
          await new Promise(resolve => setImmediate(resolve));
          if (batch % 2 === 1) throw new Error('undone');
        })
        .catch(() => {});
    }
  })();
  const file = join(stores.folder, 'copies', 'copy.db');
  await store.backup(file);
  copying = false;
  await writing;
  assert.ok(!existsSync(`${file}.partial`));
  await using copy = await openStore({ file });
  const ids = (await copy.db.selectFrom('journal_cursor').select('node_id').execute()).map(row => row.node_id);
  const batches = Map.groupBy(
    ids.filter(id => id.startsWith('pair-')),
    id => Number(id.split('-')[1]),
  );
  assert.equal(ids.filter(id => id.startsWith('base-')).length, 3_000);
  for (const [batch, rows] of batches)
    assert.ok(batch % 2 === 0 && rows.length === 4, `batch ${batch}: ${rows.length}`);
});

test('a killed process loses no commit: the log beside the file is read', async () => {
  const file = join(stores.folder, 'killed.db');
  const store = await openStore({ file });
  await add(store, ['a', 'b']);
  const copy = join(stores.folder, 'killed-copy.db');
  for (const suffix of ['', '-wal']) writeFileSync(copy + suffix, readFileSync(file + suffix));
  // A torn last write: what follows the last whole frame is no part of the database.
  appendFileSync(`${copy}-wal`, Buffer.alloc(1_000, 0x5a));
  await store[Symbol.asyncDispose]();
  await using again = await openStore({ file: copy });
  assert.equal(await count(again), 2);
});

test('statements beyond the cache still answer', async t => {
  const store = await stores.open('sqlite', t);
  if (!store) return;
  for (let round = 0; round < 2; round++)
    for (let value = 0; value < 300; value++) {
      const { rows } = await sql.raw<{ value: bigint }>(`select ${value} as value`).execute(store.db);
      assert.equal(rows[0]?.value, BigInt(value));
    }
});
