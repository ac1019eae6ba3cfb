import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DIALECTS, testStores } from '../../../test/support/stores.ts';
import type { RowChanges, Store } from './index.ts';

const stores = testStores();

const spend = (rows: RowChanges['rows']): RowChanges => ({
  key: ['key_id', 'period', 'currency'],
  add: ['spent_nano'],
  rows,
});
const plant = (store: Store, ids: readonly string[]) =>
  store.transaction(trx =>
    store.insertNew(trx, 'key_spend', {
      columns: ['key_id', 'period', 'currency', 'spent_nano'],
      rows: ids.map(id => [id, 'total', 'CNY', 0n]),
      key: 'key_id,period,currency',
    }),
  );
const spent = async (store: Store) =>
  Object.fromEntries(
    (await store.db.selectFrom('key_spend').selectAll().execute()).map(row => [row.key_id, row.spent_nano]),
  );

for (const dialect of DIALECTS) {
  describe(dialect, () => {
    test('adds to the rows that are there, and says which', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      await plant(store, ['a', "b'", '{x,"y"}']);
      const change = (rows: RowChanges['rows']) =>
        store.transaction(trx => store.changeRows(trx, 'key_spend', spend(rows)));
      assert.deepEqual(
        await change([
          ['a', 'total', 'CNY', 5n],
          ["b'", 'total', 'CNY', 2n ** 60n],
          ['a', 'total', 'USD', 1n],
          ['{x,"y"}', 'total', 'CNY', -7n],
        ]),
        [true, true, false, true],
      );
      assert.deepEqual(await change([['a', 'total', 'CNY', 6n]]), [true]);
      assert.deepEqual(await change([]), []);
      assert.deepEqual(await spent(store), { a: 11n, "b'": 2n ** 60n, '{x,"y"}': -7n });
    });

    test('sets and adds in one go, null too', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      await plant(store, ['a', 'b']);
      await store.transaction(trx =>
        store.changeRows(trx, 'key_spend', {
          key: ['key_id'],
          set: ['currency'],
          add: ['spent_nano'],
          rows: [['a', 'USD', 3n]],
        }),
      );
      const rows = await store.db
        .selectFrom('key_spend')
        .select(['currency', 'spent_nano'])
        .orderBy('key_id')
        .execute();
      assert.deepEqual(
        rows.map(row => ({ ...row })),
        [
          { currency: 'USD', spent_nano: 3n },
          { currency: 'CNY', spent_nano: 0n },
        ],
      );
      await assert.rejects(
        store.transaction(trx =>
          store.changeRows(trx, 'key_spend', { key: ['key_id'], set: ['currency'], rows: [['a', null]] }),
        ),
        /null/i,
      );
    });

    test('many writers of the same rows, in every order: nothing lost, none locked out', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      const ids = ['a', 'b', 'c', 'd'];
      await plant(store, ids);
      await Promise.all(
        Array.from({ length: 12 }, (_, writer) => {
          const order = writer % 2 === 0 ? ids : ids.toReversed();
          const rows = order.map(id => [id, 'total', 'CNY', 1n] as const);
          return store.transaction(trx => store.changeRows(trx, 'key_spend', spend(rows)));
        }),
      );
      assert.deepEqual(await spent(store), { a: 12n, b: 12n, c: 12n, d: 12n });
    });
  });
}
