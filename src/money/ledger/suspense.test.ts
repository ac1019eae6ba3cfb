// What cannot be booked is put aside, and stops nothing; what is summed up for ever does not fill up.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type ListJournal, listJournal, openMoney, type TestMoney } from '../../../test/support/money.ts';
import { plantPrice } from '../../../test/support/prices.ts';
import { attempt, intent, settlement } from '../../../test/support/records.ts';
import { DIALECTS, testStores } from '../../../test/support/stores.ts';
import { ENTRY_KIND, type JournalRecord } from '../../ground/journal/index.ts';
import { silentLog } from '../../ground/std/index.ts';
import { joinCarry, openStore, type Store } from '../../ground/store/index.ts';
import { rate } from '../pricing/index.ts';
import { endSuspense, readSuspense } from './suspense.ts';
import { readUsage } from './usage.ts';
import { verifyLedger } from './verify.ts';

const stores = testStores();
const HOUR_MS = 3_600_000;

async function broken(store: Store, { nodeId, reader }: ListJournal, money: TestMoney) {
  const { invariants } = await verifyLedger(store, { nodeId, reader, nowMs: money.clock.nowMs() });
  return invariants.filter(({ ok }) => !ok).map(({ id, detail }) => `${id}: ${detail}`);
}
const settledIds = async (store: Store) =>
  (await store.db.selectFrom('requests').select('id').orderBy('seq').execute()).map(({ id }) => id);
const posted = async (store: Store, account: string) => {
  const row = await store.db.selectFrom('balances').selectAll().where('account_id', '=', account).executeTakeFirst();
  return row ? joinCarry(row.posted_nano, row.posted_carry) : 0n;
};

/** Requests of a model that costs a thousand million units and more each, as a vendor's report of 10⁹ tokens makes it. */
async function dear(store: Store, money: TestMoney) {
  const price = await plantPrice(store, { of: 'dear', input: 10n ** 15n, output: 10n ** 15n });
  const usage = { inputTokens: 10 ** 9, cachedInputTokens: 0, outputTokens: 10 ** 9, reasoningTokens: 0 };
  const { amountNano } = rate(usage, price);
  return {
    amountNano,
    records(id: string): readonly [JournalRecord, JournalRecord] {
      const priceVersion = price.version;
      return [
        intent(id, amountNano, { atMs: money.clock.nowMs(), priceVersion, expiresAtMs: money.clock.nowMs() + HOUR_MS }),
        settlement(id, {
          atMs: money.clock.nowMs(),
          usage,
          amountNano,
          priceVersion,
          holdNano: amountNano,
          attempts: [attempt({ usage, costVersion: priceVersion, costNano: amountNano })],
        }),
      ];
    },
  };
}

for (const dialect of DIALECTS)
  describe(dialect, () => {
    test('a wallet that would leave int64: those that fit are booked, the rest waits, and what follows is booked', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      const money = await openMoney(store);
      await money.credit('acme', 10n ** 18n);
      await store.db
        .updateTable('accounts')
        .set({ min_balance_nano: -(10n ** 18n) })
        .where('kind', '=', 'wallet')
        .execute();
      const { records, amountNano } = await dear(store, money);
      const journal = listJournal();
      for (const id of ['a', 'b', 'c', 'd', 'e', 'f', 'g']) journal.append(...records(id));
      journal.append(money.admit('small'), money.settle('small'), money.admit('runs'));
      const logged: string[] = [];
      const log = { ...silentLog, error: (event: string) => void logged.push(event) };
      const loader = await money.createLoader(journal, { log });
      await loader.flush();
      assert.deepEqual(await settledIds(store), ['a', 'b', 'c', 'd', 'e', 'small']);
      assert.equal(loader.suspended(), 2);
      assert.deepEqual(logged, ['booking-suspended', 'booking-suspended']);
      const rows = await readSuspense(store.db, { limit: 10 });
      assert.deepEqual(
        rows.map(({ number, kind, requestId, seq, end }) => [number, kind, requestId, seq, end]),
        [
          [2, 'settlement', 'g', 14, undefined],
          [1, 'settlement', 'f', 12, undefined],
        ],
      );
      for (const { reason, content } of rows) assert.ok(reason.length > 0 && content.includes('"settlement"'));
      const [wallet] = await money.ledger.balances('acme');
      assert.equal(wallet?.heldNano, 1_000_000n, 'what was put aside holds nothing, what runs does');

      // The next start goes on, and books nothing twice.
      const again = await money.createLoader(journal);
      await again.flush();
      journal.append(money.settle('runs'));
      await again.flush();
      assert.deepEqual([again.suspended(), (await settledIds(store)).at(-1), again.lag()], [2, 'runs', 0]);
      const found = await broken(store, journal, money);
      assert.deepEqual(
        found.filter(text => !text.startsWith('I3')),
        [],
        'the wallet is far below its floor, and that is all',
      );

      // Once there is room, what waits can be booked, once; or written off.
      assert.deepEqual(await again.book(9), false);
      await assert.rejects(again.book(1));
      for (const key of ['1', '2', '3']) await money.credit('acme', 10n ** 18n, key);
      assert.equal(await again.book(1), true);
      assert.equal(await again.book(1), false, 'once');
      await store.transaction(trx =>
        endSuspense(store, trx, { number: 2, how: 'dismissed', note: 'the vendor lied', nowMs: money.clock.nowMs() }),
      );
      await again.flush();
      assert.deepEqual((await settledIds(store)).at(-1), 'f');
      assert.equal(await again.book(2), false, 'what was written off is');
      assert.equal((await readSuspense(store.db, { all: true, limit: 10 })).filter(({ end }) => end).length, 2);
      assert.ok(-(await posted(store, 'payable:mock:CNY')) - 6n * amountNano < 10n ** 12n);
    });

    test('accounts that are summed up for ever do not fill up, nor does usage, nor a provider’s bill', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      const money = await openMoney(store);
      const { records, amountNano } = await dear(store, money);
      const journal = listJournal();
      const loader = await money.createLoader(journal);
      const count = 12;
      for (let index = 0; index < count; index++) {
        for (const key of ['x', 'y']) await money.credit('acme', 10n ** 18n, `${index}${key}`);
        journal.append(...records(`r${index}`));
        await loader.flush();
        // An hour has its own sums, of what one key may spend on one model.
        money.clock.advance(HOUR_MS);
      }
      const all = BigInt(count) * amountNano;
      assert.ok(all > 2n ** 64n);
      assert.equal(loader.suspended(), 0);
      assert.deepEqual(
        [
          await posted(store, 'revenue:acme:CNY'),
          await posted(store, 'payable:mock:CNY'),
          await posted(store, 'cost:mock:CNY'),
          await posted(store, 'cash:acme:CNY'),
        ],
        [-all, -all, all, BigInt(2 * count) * 10n ** 18n],
      );
      const spend = await store.db
        .selectFrom('key_spend')
        .selectAll()
        .where('period', '=', 'total')
        .executeTakeFirstOrThrow();
      assert.equal(joinCarry(spend.spent_nano, spend.spent_carry), all);
      for (const fromMs of [undefined, 1_699_999_999_999]) {
        const { totals } = await readUsage(store, { organizationId: 'acme', limit: 1, ...(fromMs ? { fromMs } : {}) });
        assert.deepEqual([totals[0]?.revenueNano, totals[0]?.costNano], [all, all]);
      }
      assert.deepEqual(await broken(store, journal, money), []);
    });

    test('a settlement without an intent, a hold that cannot be written: put aside, also at the start', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      const money = await openMoney(store);
      await money.credit('acme', 10_000_000n);
      const journal = listJournal([
        money.settle('nobody'),
        money.admit('huge', 10n ** 19n),
        money.admit('a'),
        money.settle('a'),
        money.admit('runs'),
      ]);
      const loader = await money.createLoader(journal);
      await loader.flush();
      assert.deepEqual([await settledIds(store), loader.suspended()], [['a'], 2]);
      assert.deepEqual(
        (await loader.openIntents()).map(({ intent: { id } }) => id),
        ['runs'],
      );
      journal.append(money.settle('huge'), money.settle('runs'));
      const again = await money.createLoader(journal);
      await again.flush();
      assert.deepEqual([await settledIds(store), again.suspended()], [['a', 'runs'], 3]);
      const rows = await readSuspense(store.db, { limit: 10 });
      assert.deepEqual(rows.map(({ kind, requestId }) => `${kind} ${requestId}`).toSorted(), [
        'hold huge',
        'settlement huge',
        'settlement nobody',
      ]);
      // Its intent waits in another row.
      const huge = rows.find(({ kind, requestId }) => kind === 'settlement' && requestId === 'huge');
      assert.equal(await again.book(huge?.number ?? 0), true);
      assert.deepEqual(await settledIds(store), ['a', 'runs', 'huge']);
      const nobody = rows.find(({ requestId }) => requestId === 'nobody');
      assert.equal(await again.book(nobody?.number ?? 0), false, 'nobody knows whose it is');
      assert.deepEqual(await broken(store, journal, money), []);
    });
  });

test('any mix of records: what can be booked is, once, whatever lies beside it and wherever a batch ends', async () => {
  const kinds = fc.constantFrom('good', 'stray', 'negative', 'too much', 'cost beyond', 'foreign pair');
  await fc.assert(
    fc.asyncProperty(fc.array(fc.record({ kind: kinds, flush: fc.boolean() }), { maxLength: 25 }), async list => {
      await using store = await openStore({ file: ':memory:' });
      const money = await openMoney(store);
      await money.credit('acme', 10n ** 12n);
      const journal = listJournal();
      let loader = await money.createLoader(journal);
      for (const [index, { kind, flush }] of list.entries()) {
        const id = `r${index}`;
        if (kind !== 'stray') journal.append(money.admit(id));
        journal.append(harmed(money.settle(id), kind));
        if (flush) await loader.flush();
        if (flush && index % 3 === 0) loader = await money.createLoader(journal);
      }
      await loader.flush();
      const good = list.flatMap(({ kind }, index) => (kind === 'good' ? [`r${index}`] : []));
      assert.deepEqual((await settledIds(store)).toSorted(), good.toSorted());
      assert.equal(loader.suspended(), list.length - good.length);
      assert.equal((await money.ledger.balances('acme'))[0]?.heldNano, 0n);
      assert.deepEqual(await broken(store, journal, money), []);
    }),
    { numRuns: 25 },
  );
});

function harmed(record: JournalRecord, kind: string): JournalRecord {
  if (record.kind !== ENTRY_KIND.settlement) return assert.fail();
  const { value } = record;
  const [call = attempt()] = value.attempts;
  const change = {
    negative: { amountNano: -1n },
    'too much': { amountNano: 10n ** 19n },
    'cost beyond': { attempts: [{ ...call, costNano: 10n ** 30n }] },
    'foreign pair': { currency: 'a:b' },
  }[kind];
  return { ...record, value: { ...value, ...change } };
}
