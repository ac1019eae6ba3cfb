import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { listJournal, openMoney } from '../../../test/support/money.ts';
import { note } from '../../../test/support/records.ts';
import { DIALECTS, testStores } from '../../../test/support/stores.ts';
import { bookJournalLoss, findLostJournals } from './journal-loss.ts';
import { verifyLedger } from './verify.ts';

const stores = testStores();

for (const dialect of DIALECTS)
  describe(dialect, () => {
    test('a journal is lost where its node did not stop in order, and its home or a new one asks', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      const money = await openMoney(store);
      await money.credit('acme', 10_000_000n);
      const find = (nodeId: string | undefined, marked: string | undefined, isShared = false) =>
        findLostJournals(store, { nodeId, marked, isShared });
      assert.deepEqual(await find(undefined, undefined), [], 'a first start');
      const lost = [{ nodeId: 'one', loadedSeq: 2 }];
      assert.deepEqual(
        await find(undefined, 'one'),
        [{ nodeId: 'one', loadedSeq: 0 }],
        'killed before it loaded anything',
      );
      const loader = await money.createLoader(listJournal([money.admit('a'), money.settle('a')], 'one'));
      await loader.flush();
      for (const isShared of [true, false]) {
        assert.deepEqual(await find('one', 'one', isShared), [], 'it is there');
        assert.deepEqual(await find(undefined, 'one', isShared), lost, 'the folder is gone');
        assert.deepEqual(await find('two', 'one', isShared), lost, 'another folder is in its place');
        assert.deepEqual(await find('two', 'two', isShared), [], 'the home of another node');
      }
      assert.deepEqual(await find(undefined, undefined), lost, 'the whole home is gone');
      assert.deepEqual(await find(undefined, undefined, true), [], 'others may be at work');
      await loader.stop();
      for (const marked of ['one', undefined])
        assert.deepEqual(await find(undefined, marked), [], 'it had stopped in order');
      await money.createLoader(listJournal([money.admit('a'), money.settle('a')], 'one'));
      assert.deepEqual(await find(undefined, undefined), lost, 'it is at work again');
      await (await money.createLoader(listJournal([money.admit('a'), money.settle('a')], 'one', 2))).stop();
      assert.deepEqual(await find(undefined, undefined), [], 'and stopped, having done nothing');
      const idle = await money.createLoader(listJournal([], 'idle'));
      await idle.stop();
      assert.deepEqual(await find(undefined, 'idle', true), [], 'it had nothing, and had stopped');
    });

    test('what is lost is booked as lost, once; what ran there is settled by who comes after', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      const money = await openMoney(store);
      await money.credit('acme', 10_000_000n);
      const gone = listJournal([money.admit('a'), money.settle('a'), money.admit('b'), note('b', 5)], 'one');
      await (await money.createLoader(gone)).flush();
      const lost = await findLostJournals(store, { nodeId: undefined, marked: 'one', isShared: false });
      for (let times = 0; times < 2; times++)
        await bookJournalLoss(store, { lost, nodeId: 'two', nowMs: money.clock.nowMs() });
      assert.deepEqual(await findLostJournals(store, { nodeId: 'two', marked: 'one', isShared: false }), []);
      const journal = listJournal([], 'two');
      const loader = await money.createLoader(journal);
      await loader.flush();
      assert.equal(loader.suspended(), 1);
      const [open, ...others] = await loader.openIntents();
      assert.deepEqual([open?.intent.id, open?.progress?.outputTokens, others.length], ['b', 5, 0]);
      journal.append(money.settle('b', { outputTokens: 5 }));
      await loader.flush();
      const [wallet] = await money.ledger.balances('acme');
      assert.equal(wallet?.heldNano, 0n);
      const { nodeId, reader } = journal;
      const { invariants } = await verifyLedger(store, { nodeId, reader, nowMs: money.clock.nowMs() });
      assert.deepEqual(
        invariants.filter(({ ok }) => !ok),
        [],
      );
      // The folder turns up again: what it has is loaded, and nothing twice.
      gone.append(money.admit('c'), money.settle('c'));
      await (await money.createLoader(gone)).flush();
      const ids = await store.db.selectFrom('requests').select('id').orderBy('seq').execute();
      assert.deepEqual(
        ids.map(({ id }) => id),
        ['a', 'b', 'c'],
      );
    });
  });
