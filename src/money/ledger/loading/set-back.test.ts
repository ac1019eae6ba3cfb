// The database is replaced by an older copy of itself under a running node: what it lost of the journal is loaded again.
import assert from 'node:assert/strict';
import { copyFileSync } from 'node:fs';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { listJournal, openMoney, type TestMoney } from '../../../../test/support/money.ts';
import { DIALECTS, testStores } from '../../../../test/support/stores.ts';
import { openStore, type Store, type StoreDialect, type StoreOptions } from '../../../ground/store/index.ts';
import { verifyLedger } from '../verify.ts';

const stores = testStores();

/** A copy of a database that nobody has open. */
async function copyOf(place: StoreOptions): Promise<StoreOptions> {
  if (place.url === undefined) {
    const file = `${place.file}.copy.db`;
    copyFileSync(place.file, file);
    return { file };
  }
  const url = new URL(place.url.replace('@/', '@x/'));
  const name = url.pathname.slice(1);
  const admin = new pg.Client({ host: url.searchParams.get('host') ?? '', user: 'postgres', database: 'postgres' });
  await admin.connect();
  await admin.query(`create database ${name}_copy template ${name}`);
  await admin.end();
  return { file: '', url: place.url.replace(`/${name}?`, `/${name}_copy?`) };
}

/** A store that can be swapped for another under those who use it, as a database behind an address. */
function swappable(first: Store): { readonly store: Store; swap(next: Store): void } {
  let current = first;
  const store: Store = {
    get dialect() {
      return current.dialect;
    },
    get db() {
      return current.db;
    },
    get reader() {
      return current.reader;
    },
    transaction: work => current.transaction(work),
    insertNew: (trx, table, insert) => current.insertNew(trx, table, insert),
    insertAll: (trx, table, insert) => current.insertAll(trx, table, insert),
    changeRows: (trx, table, changes) => current.changeRows(trx, table, changes),
    backup: path => current.backup(path),
    check: () => current.check(),
    [Symbol.asyncDispose]: () => current[Symbol.asyncDispose](),
  };
  return {
    store,
    swap: next => {
      current = next;
    },
  };
}

interface World {
  readonly money: TestMoney;
  readonly store: Store;
  readonly journal: ReturnType<typeof listJournal>;
  /** Puts the older copy in place of the database. */
  setBack(): Promise<void>;
}

/** A node at work: credits, settled and running requests; a copy is made in the midst of it, and more follows. */
async function openWorld(dialect: StoreDialect, t: TestContext): Promise<World | undefined> {
  const place = await stores.place(dialect, t);
  if (!place) return undefined;
  const journal = listJournal();
  {
    await using store = await openStore(place);
    const money = await openMoney(store);
    await money.credit('acme', 100_000_000n);
    journal.append(money.admit('a'), money.settle('a'), money.admit('running'));
    await (await money.createLoader(journal)).flush();
  }
  const copy = await copyOf(place);
  const first = await openStore(place);
  t.after(() => first[Symbol.asyncDispose]());
  const { store, swap } = swappable(first);
  const money = await openMoney(store);
  return {
    money,
    store,
    journal,
    async setBack() {
      const older = await openStore(copy);
      t.after(() => older[Symbol.asyncDispose]());
      swap(older);
    },
  };
}

const proof = async ({ store, journal, money }: World) => {
  const { nodeId, reader } = journal;
  const { invariants } = await verifyLedger(store, { nodeId, reader, nowMs: money.clock.nowMs() });
  return invariants.filter(({ ok }) => !ok);
};
const settledIds = async ({ store }: World) =>
  (await store.db.selectFrom('requests').select('id').orderBy('id').execute()).map(({ id }) => id);

for (const dialect of DIALECTS)
  describe(dialect, () => {
    for (const idle of [true, false])
      test(`found by ${idle ? 'a look, while nothing is booked' : 'the next booking'}; all is loaded again, once`, async t => {
        const world = await openWorld(dialect, t);
        if (!world) return;
        const { money, journal, store } = world;
        const counted: string[] = [];
        const loader = await money.createLoader(journal, { onSettled: ({ id }) => counted.push(id) });
        await loader.flush();
        await money.ledger.publishBalances(loader.charged());
        loader.onShippedAgain(money.ledger.settleSetBack);
        const [wallet] = money.ledger.walletsOf('acme');
        const spendable = () => money.wallets.spendable(wallet?.slot ?? assert.fail());
        // As admission and settlement move the slot.
        const spend = (id: string, more = {}) => {
          const record = money.settle(id, more);
          assert.ok(record.kind === 3);
          money.wallets.add(wallet?.slot ?? 0, -record.value.amountNano);
          return record;
        };
        for (const id of ['b', 'c']) journal.append(money.admit(id), spend(id));
        // A model that the copy has not seen: its series is remembered here, and gone from there.
        await loader.flush();
        await money.credit('acme', 7_000_000n, 'lost');
        await loader.flush();
        assert.deepEqual(loader.setBacks(), { count: 0, last: undefined });
        const before = spendable();

        await world.setBack();
        if (!idle) journal.append(money.admit('d'), spend('d'));
        loader.start();
        const last = idle ? 'c' : 'd';
        while (loader.setBacks().count === 0 || !(await settledIds(world)).includes(last)) await sleep(5);
        await loader.stop();
        await loader.flush();

        assert.deepEqual(await settledIds(world), idle ? ['a', 'b', 'c'] : ['a', 'b', 'c', 'd']);
        assert.deepEqual(counted, idle ? ['b', 'c'] : ['b', 'c', 'd'], 'metrics count each once');
        assert.deepEqual(loader.setBacks(), { count: 1, last: { fromSeq: 7, toSeq: 3 } });
        const row = await store.db
          .selectFrom('balances')
          .selectAll()
          .where('account_id', '=', 'wallet:acme:CNY')
          .execute();
        const { posted_nano: posted = 0n, held_nano: held = 0n } = row[0] ?? {};
        assert.equal(spendable(), posted - held, 'what may be spent is what the store has');
        assert.equal(idle ? before - spendable() : 7_000_000n, 7_000_000n, 'the lost credit is not');
        journal.append(spend('running'));
        await loader.flush();
        assert.deepEqual(await proof(world), []);
        assert.equal(loader.setBacks().count, 1);
      });

    test('a loader that begins on the older copy loads it all again too', async t => {
      const world = await openWorld(dialect, t);
      if (!world) return;
      const { money, journal } = world;
      for (const id of ['b', 'c']) journal.append(money.admit(id), money.settle(id));
      await (await money.createLoader(journal)).flush();
      await world.setBack();
      await (await money.createLoader(journal)).flush();
      assert.deepEqual(await settledIds(world), ['a', 'b', 'c']);
      assert.deepEqual(await proof(world), []);
    });

    test('a cursor that somebody else moved on is not moved back: the loader says whose it is', async t => {
      const world = await openWorld(dialect, t);
      if (!world) return;
      const { money, journal, store } = world;
      const loader = await money.createLoader(journal);
      await loader.flush();
      for (const id of ['b', 'c']) journal.append(money.admit(id), money.settle(id));
      await store.db.updateTable('journal_cursor').set({ seq: 5n }).execute();
      await assert.rejects(loader.flush(), { code: 'conflict', message: /was MILLRACE_HOME copied/ });
      assert.deepEqual(await settledIds(world), ['a']);
    });
  });
