import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { sql } from 'kysely';
import { openStore } from '../../../ground/store/index.ts';
import { COVERED } from './covered.ts';

test('every column of every table of money is decided: in the chain, recomputed, or told as not covered', async () => {
  await using store = await openStore({ file: ':memory:' });
  const page = readFileSync(join(import.meta.dirname, '../../../../docs/decisions/ledger.md'), 'utf8');
  for (const [table, columns] of Object.entries(COVERED)) {
    const { rows } = await sql<{ name: string }>`select name from pragma_table_info(${table})`.execute(store.db);
    assert.deepEqual(rows.map(({ name }) => name).toSorted(), Object.keys(columns ?? {}).toSorted(), table);
    const open = Object.entries(columns ?? {}).filter(([, how]) => how === 'not');
    if (open.length > 0) assert.ok(page.includes(`\`${table}\``), `the page of decisions tells of ${table}`);
  }
  // Tables with amounts are of money, whoever adds them.
  const { rows } = await sql<{ name: string }>`
    select distinct m.name as name from sqlite_master m join pragma_table_info(m.name) c
    where m.type = 'table' and (c.name like '%nano%' or c.name like '%tokens' and m.name <> 'models')`.execute(
    store.db,
  );
  for (const { name } of rows.filter(({ name: table }) => table !== 'models'))
    assert.ok(Object.hasOwn(COVERED, name), `${name}: is it covered by the proof?`);
});
