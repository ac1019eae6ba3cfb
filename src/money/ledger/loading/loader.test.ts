import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { listJournal, openMoney, type TestMoney } from '../../../../test/support/money.ts';
import { append, note } from '../../../../test/support/records.ts';
import { DIALECTS, testStores } from '../../../../test/support/stores.ts';
import { openJournalClient, startJournal } from '../../../ground/journal/index.ts';
import { createSlots, silentLog, systemClock } from '../../../ground/std/index.ts';
import type { Store } from '../../../ground/store/index.ts';
import { verifyLedger } from '../verify.ts';
import { createLoader } from './loader.ts';

const stores = testStores();

const wallet = async ({ ledger }: TestMoney) => {
  const [found] = await ledger.balances('acme');
  return found && [found.balanceNano, found.heldNano, found.availableNano];
};
const count = async (store: Store, table: 'holds' | 'requests' | 'attempts' | 'transfers') =>
  Number(
    (
      await store.db
        .selectFrom(table)
        .select(({ fn }) => fn.countAll().as('n'))
        .executeTakeFirstOrThrow()
    ).n,
  );
const cost = (money: TestMoney, id: string) => {
  const record = money.settle(id);
  return record.kind === 3 ? record.value.amountNano : assert.fail();
};

for (const dialect of DIALECTS) {
  describe(dialect, () => {
    const withMoney = (name: string, work: (money: TestMoney, store: Store) => Promise<void>) =>
      test(name, async t => {
        const store = await stores.open(dialect, t);
        if (store) await work(await openMoney(store), store);
      });

    withMoney('a settled request is a row, an attempt, a transaction, and money moved', async (money, store) => {
      await money.credit('acme', 10_000_000n);
      const journal = listJournal([money.admit('a'), money.admit('b'), money.settle('a'), money.settle('b')]);
      const settled: string[] = [];
      const loader = await money.createLoader(journal, { onSettled: ({ id }) => settled.push(id) });
      assert.equal(loader.lag(), 4);
      await loader.flush();
      assert.deepEqual([loader.lag(), loader.cursor(), settled], [0, 4, ['a', 'b']]);
      const spent = 2n * cost(money, 'a');
      assert.deepEqual(await wallet(money), [10_000_000n - spent, 0n, 10_000_000n - spent]);
      // A credit, and what both owe the provider: what they cost, and their one call each, is told by their own rows.
      assert.deepEqual(
        [await count(store, 'requests'), await count(store, 'attempts'), await count(store, 'transfers')],
        [2, 0, 2],
      );
      const row = await store.db
        .selectFrom('requests')
        .innerJoin('series', 'series.number', 'requests.series')
        .selectAll()
        .where('id', '=', 'a')
        .executeTakeFirstOrThrow();
      assert.deepEqual(
        [row.model, row.input_tokens, row.held_nano, row.output_tokens_max, row.amount_nano],
        ['mock-1', 23n, 1_000_000n, 1_000n, cost(money, 'a')],
      );
      const spends = await store.db.selectFrom('key_spend').selectAll().orderBy('period').execute();
      assert.deepEqual(
        spends.map(({ key_id, period, spent_nano }) => [key_id, period, spent_nano]),
        [
          ['key_1', '2023-11', spent],
          ['key_1', '2023-11-14', spent],
          ['key_1', 'total', spent],
        ],
      );
    });

    withMoney('a running request holds money once it is asked for, grows, and gives it back', async (money, store) => {
      await money.credit('acme', 10_000_000n);
      const journal = listJournal([money.admit('a')]);
      const loader = await money.createLoader(journal);
      await loader.flush();
      assert.deepEqual(await wallet(money), [10_000_000n, 1_000_000n, 9_000_000n]);
      journal.append(note('a', 64, { holdNano: 3_000_000n }), note('a', 10, { holdNano: 2_000_000n }));
      await loader.flush();
      assert.deepEqual(await wallet(money), [10_000_000n, 3_000_000n, 7_000_000n]);
      const [open] = await loader.openIntents();
      assert.deepEqual([open?.intent.id, open?.progress?.outputTokens, open?.heldNano], ['a', 64, 3_000_000n]);
      journal.append(money.settle('a'));
      await loader.flush();
      assert.deepEqual(await wallet(money), [10_000_000n - cost(money, 'a'), 0n, 10_000_000n - cost(money, 'a')]);
      assert.equal(await count(store, 'holds'), 0);
      assert.deepEqual(await loader.openIntents(), []);
    });

    withMoney('what was held at the end is in the settlement: notes may be lost', async (money, store) => {
      await money.credit('acme', 10_000_000n);
      const journal = listJournal([
        money.admit('a', 10n),
        note('a', 3, { holdNano: 20n }),
        money.settle('a', {}, { holdNano: 3_000_000n }),
      ]);
      await (await money.createLoader(journal)).flush();
      const row = await store.db.selectFrom('requests').select('held_nano').executeTakeFirstOrThrow();
      assert.equal(row.held_nano, 3_000_000n);
    });

    withMoney('a restart knows the requests that run, with or without a hold in the store', async (money, store) => {
      await money.credit('acme', 10_000_000n);
      const journal = listJournal([money.admit('a'), money.admit('b'), money.settle('b')]);
      const first = await money.createLoader(journal);
      // Loaded as the running server does: a request this young gets no hold, and the cursor stays before it.
      first.start();
      while (first.lag() > 0) await sleep(5);
      await first.stop();
      assert.deepEqual([await count(store, 'holds'), first.cursor(), await count(store, 'requests')], [0, 0, 1]);
      journal.append(note('a', 5), money.admit('c'), money.settle('c'));
      const second = await money.createLoader(journal);
      await second.flush();
      const [open, ...others] = await second.openIntents();
      assert.deepEqual([open?.intent.id, open?.progress?.outputTokens, others.length], ['a', 5, 0]);
      assert.deepEqual([second.cursor(), await count(store, 'holds'), await count(store, 'requests')], [6, 1, 2]);
      journal.append(money.settle('a'));
      const third = await money.createLoader(journal);
      await third.flush();
      assert.deepEqual([await count(store, 'holds'), await count(store, 'requests')], [0, 3]);
      assert.equal((await wallet(money))?.[0], 10_000_000n - 3n * cost(money, 'a'));
    });

    withMoney(
      'a hold that outlives its time gives the money back; its settlement is booked all the same',
      async (money, store) => {
        await money.credit('acme', 10_000_000n);
        const journal = listJournal([money.admit('a')]);
        const loader = await money.createLoader(journal);
        await loader.flush();
        money.clock.advance(600_001);
        loader.start();
        while ((await wallet(money))?.[1] !== 0n) await sleep(5);
        await loader.stop();
        assert.equal((await loader.openIntents()).length, 1);
        journal.append(note('a', 9, { holdNano: 2_000_000n }));
        await loader.flush();
        assert.equal((await wallet(money))?.[1], 0n, 'a late note does not open it again');
        journal.append(money.settle('a'));
        await loader.flush();
        assert.deepEqual(await wallet(money), [10_000_000n - cost(money, 'a'), 0n, 10_000_000n - cost(money, 'a')]);
        assert.equal(await count(store, 'holds'), 0);
      },
    );

    withMoney('a request whose time was over before it was read holds nothing', async (money, store) => {
      await money.credit('acme', 10_000_000n);
      const journal = listJournal([money.admit('a')]);
      money.clock.advance(600_001);
      const loader = await money.createLoader(journal);
      await loader.flush();
      assert.deepEqual(await wallet(money), [10_000_000n, 0n, 10_000_000n]);
      assert.deepEqual(
        (await loader.openIntents()).map(({ intent }) => intent.id),
        ['a'],
        'it is still to be settled',
      );
      journal.append(note('a', 9, { holdNano: 2_000_000n }), money.settle('a'));
      await loader.flush();
      assert.deepEqual(await wallet(money), [10_000_000n - cost(money, 'a'), 0n, 10_000_000n - cost(money, 'a')]);
      assert.equal(await count(store, 'holds'), 0);
    });

    withMoney('what does not belong together is refused', async (money, store) => {
      const journal = listJournal([money.admit('a'), money.settle('a')]);
      await (await money.createLoader(journal)).flush();
      await assert.rejects(money.createLoader(listJournal([money.admit('a')])), {
        code: 'config_invalid',
        message: /older journal/,
      });
      await (
        await money.createLoader(
          listJournal(
            journal.entries.map(({ record }) => record),
            'node',
            2,
          ),
        )
      ).flush();
      journal.append(money.admit('b'), money.settle('b'), money.settle('b'));
      const again = await money.createLoader(
        listJournal(
          journal.entries.map(({ record }) => record),
          'node',
          2,
        ),
      );
      await again.flush();
      assert.equal(await count(store, 'requests'), 2, 'a second settlement changes nothing');
    });

    withMoney('while the processors are busy requests go first, within bounds', async money => {
      await money.credit('acme', 10_000_000n);
      const journal = listJournal([money.admit('a'), money.settle('a')]);
      let busy = 1;
      const loader = await money.createLoader(journal, { busyness: () => busy });
      loader.start();
      await sleep(250);
      assert.equal(loader.lag(), 2);
      busy = 0.5;
      while (loader.lag() > 0) await sleep(5);
      busy = 1;
      journal.append(money.admit('b'), money.settle('b'));
      money.clock.advance(10_001);
      while (loader.lag() > 0) await sleep(5);
      await loader.stop();
    });
  });
}

test('from a real journal under load, in many slices, and the proof over all of it', async t => {
  const store = await stores.open('sqlite', t);
  if (!store) return;
  const money = await openMoney(store);
  await money.credit('acme', 10n ** 15n);
  const shared = createSlots();
  const onCrash = (error: unknown) => {
    throw error;
  };
  const journal = await startJournal({
    dir: join(stores.folder, 'journal'),
    shared,
    reserveBytes: 0,
    segmentRows: 1_000,
    onCrash,
  });
  t.after(() => journal[Symbol.asyncDispose]());
  const loader = await createLoader({ store, journal, clock: systemClock, log: silentLog, onError: onCrash });
  loader.start();
  const client = openJournalClient(journal.connect());
  const requests = 3_000;
  await Promise.all(
    Array.from({ length: requests }, async (_, index) => {
      await append(client, [money.admit(`r${index}`)]);
      await append(client, [money.settle(`r${index}`)]);
    }),
  );
  await loader.flush();
  await loader.stop();
  client.close();
  assert.equal((await wallet(money))?.[0], 10n ** 15n - BigInt(requests) * cost(money, 'a'));
  const { nodeId, reader } = journal;
  const { ok, invariants } = await verifyLedger(store, { nodeId, reader, nowMs: Date.now() });
  assert.deepEqual(
    invariants.filter(invariant => !invariant.ok),
    [],
  );
  assert.equal(ok, true);
  for (const { id, checked } of invariants) assert.ok(checked > 0, `${id} looked at nothing`);
});
