import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { listJournal, openMoney, type TestMoney } from '../../../../test/support/money.ts';
import { DIALECTS, testStores } from '../../../../test/support/stores.ts';
import { Fault } from '../../../ground/std/index.ts';
import { openStore, type Store } from '../../../ground/store/index.ts';
import { verifyLedger } from '../verify.ts';

const stores = testStores();

/** As many requests as the journal of the test has; half of them still run. */
async function traffic(money: TestMoney, requests: number) {
  await money.credit('acme', 10n ** 12n);
  const journal = listJournal();
  for (let index = 0; index < requests; index++) {
    journal.append(money.admit(`r${index}`));
    if (index % 2 === 0) journal.append(money.settle(`r${index}`));
  }
  return journal;
}

async function assertLoaded(store: Store, money: TestMoney, journal: ReturnType<typeof listJournal>, requests: number) {
  const row = await store.db
    .selectFrom('requests')
    .select(({ fn }) => fn.countAll().as('n'))
    .executeTakeFirstOrThrow();
  assert.equal(Number(row.n), requests / 2);
  const { nodeId, reader } = journal;
  const { invariants } = await verifyLedger(store, { nodeId, reader, nowMs: money.clock.nowMs() });
  assert.deepEqual(
    invariants.filter(({ ok }) => !ok),
    [],
  );
}

/** The connection is lost before the COMMIT arrived, or after: the one who asked cannot tell (F17). */
const LOSSES = ['before', 'after'] as const;

for (const dialect of DIALECTS) {
  describe(dialect, () => {
    for (const loss of LOSSES) {
      test(`a connection lost ${loss} the commit: loaded once all the same`, async t => {
        const store = await stores.open(dialect, t);
        if (!store) return;
        let failures = 0;
        const flaky: Store = {
          ...store,
          async transaction(work) {
            const fail = failures < 3;
            const lost = Object.assign(new Error('Connection terminated unexpectedly'), { code: 'ECONNRESET' });
            const value = await store.transaction(async trx => {
              const done = await work(trx);
              if (fail && loss === 'before') {
                failures++;
                throw lost;
              }
              return done;
            });
            if (fail && loss === 'after') {
              failures++;
              throw lost;
            }
            return value;
          },
        };
        const money = await openMoney(store);
        const journal = await traffic(money, 40);
        const loader = await money.createLoader(journal, { store: flaky });
        loader.start();
        while (loader.lag() > 0) await sleep(5);
        await loader.flush();
        await loader.stop();
        assert.equal(failures, 3);
        await assertLoaded(store, money, journal, 40);
      });
    }
  });
}

test('PostgreSQL kills the loader’s connections while it loads: loaded once all the same', async t => {
  const place = await stores.place('postgres', t);
  if (!place) return;
  await using store = await openStore(place);
  await using other = await openStore({ ...place, writer: false });
  const money = await openMoney(store);
  const journal = await traffic(money, 4_000);
  const loader = await money.createLoader(journal);
  loader.start();
  let kills = 0;
  while (loader.lag() > 0 && kills < 20) {
    // All but our own, and the one that holds the writer's lock, which is another story.
    await sql`select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
      and pid not in (select pid from pg_locks where locktype = 'advisory')`.execute(other.db);
    kills++;
    await sleep(20);
  }
  while (loader.lag() > 0) await sleep(10);
  await loader.stop();
  // Connections that were killed while they were idle fail their next user, once each.
  for (let tries = 0; tries < 10; tries++)
    await loader.flush().then(
      () => (tries = 10),
      () => {},
    );
  assert.ok(kills > 0);
  await assertLoaded(store, money, journal, 4_000);
});

test('what cannot pass by itself ends the loader, and is told', async t => {
  const store = await stores.open('sqlite', t);
  if (!store) return;
  const money = await openMoney(store);
  const told: unknown[] = [];
  const journal = listJournal([money.admit('a')]);
  const read = () => {
    throw new Fault('config_invalid', { message: 'The journal segment is damaged', messageZh: '日志段已损坏' });
  };
  const loader = await money.createLoader(
    { ...journal, reader: { ...journal.reader, read } },
    { onError: error => told.push(error) },
  );
  loader.start();
  while (told.length === 0) await sleep(5);
  await loader.stop();
  assert.ok(told[0] instanceof Fault && told[0].code === 'config_invalid');
  assert.equal(told.length, 1);
});
