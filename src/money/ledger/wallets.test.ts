import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { AMOUNT_NANO_MAX } from '@millrace/contract';
import { listJournal, openMoney, type TestMoney } from '../../../test/support/money.ts';
import { DIALECTS, testStores } from '../../../test/support/stores.ts';
import type { Store } from '../../ground/store/index.ts';

const stores = testStores();
const CNY = 'CNY';

async function only(money: TestMoney, organizationId = 'acme') {
  const [wallet] = await money.ledger.balances(organizationId);
  return wallet;
}
const spendable = ({ ledger, wallets }: TestMoney, organizationId = 'acme') =>
  wallets.spendable(ledger.walletsOf(organizationId)[0]?.slot ?? assert.fail());
const booked = async (store: Store) =>
  Number(
    (
      await store.db
        .selectFrom('transfers')
        .select(({ fn }) => fn.countAll().as('n'))
        .executeTakeFirstOrThrow()
    ).n,
  );

for (const dialect of DIALECTS) {
  describe(dialect, () => {
    const withMoney = (name: string, work: (money: TestMoney, store: Store) => Promise<void>) =>
      test(name, async t => {
        const store = await stores.open(dialect, t);
        if (store) await work(await openMoney(store), store);
      });

    withMoney('a top-up is booked once per key', async (money, store) => {
      assert.equal(await money.credit('acme', 100n, 'a'), true);
      assert.equal(await money.credit('acme', 100n, 'a'), false);
      assert.equal(await money.credit('other', 100n, 'a'), true, 'keys are an organization’s own');
      await assert.rejects(money.credit('acme', 101n, 'a'), { code: 'conflict' });
      await assert.rejects(
        store.transaction(trx =>
          money.ledger.credit(trx, { organizationId: 'acme', currency: 'USD', amountNano: 100n, idempotencyKey: 'a' }),
        ),
        { code: 'conflict' },
      );
      assert.deepEqual(await only(money), { currency: CNY, balanceNano: 100n, heldNano: 0n, availableNano: 100n });
      assert.equal(spendable(money), 100n);
      assert.equal(await booked(store), 2);
    });

    withMoney('the same key many times at once: one effect', async (money, store) => {
      const outcomes = await Promise.all(Array.from({ length: 12 }, () => money.credit('acme', 7n, 'once')));
      assert.equal(outcomes.filter(Boolean).length, 1);
      await money.ledger.refresh();
      assert.deepEqual([(await only(money))?.balanceNano, spendable(money), await booked(store)], [7n, 7n, 1]);
    });

    withMoney('a debit takes what is there and not held, and no more', async money => {
      await money.credit('acme', 100n);
      assert.equal(await money.credit('acme', -60n, 'd'), true);
      assert.equal(await money.credit('acme', -60n, 'd'), false);
      await assert.rejects(money.credit('acme', -41n), { code: 'insufficient_funds' });
      await assert.rejects(money.credit('nobody', -1n), { code: 'insufficient_funds' });
      assert.deepEqual([(await only(money))?.balanceNano, spendable(money)], [40n, 40n]);
      // What a running request holds on this node is not in the store yet, and not to be taken either.
      assert.equal(money.wallets.tryHold(money.ledger.walletsOf('acme')[0]?.slot ?? 0, 30n), true);
      await assert.rejects(money.credit('acme', -11n), { code: 'insufficient_funds' });
      assert.equal((await only(money))?.balanceNano, 40n);
      assert.equal(await money.credit('acme', -10n), true);
      assert.equal(spendable(money), 0n);
    });

    withMoney('a debit leaves what the store holds for a request', async money => {
      await money.credit('acme', 3_000_000n);
      await (await money.createLoader(listJournal([money.admit('a', 1_000_000n)]))).flush();
      await assert.rejects(money.credit('acme', -2_000_001n), { code: 'insufficient_funds' });
      assert.equal(await money.credit('acme', -2_000_000n), true);
    });

    withMoney('many debits at once take no more than is there', async money => {
      await money.credit('acme', 10n);
      const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => money.credit('acme', -3n)));
      assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 3);
      await money.ledger.refresh();
      assert.deepEqual([(await only(money))?.balanceNano, spendable(money)], [1n, 1n]);
    });

    withMoney('a credit whose transaction is rolled back never counts', async (money, store) => {
      const credit = { organizationId: 'acme', currency: CNY, amountNano: 5n, idempotencyKey: 'x' };
      await assert.rejects(
        store.transaction(async trx => {
          await money.ledger.credit(trx, credit);
          throw new Error('stop');
        }),
        /stop/,
      );
      await money.ledger.refresh();
      assert.deepEqual(await money.ledger.balances('acme'), []);
      assert.equal(await money.credit('acme', 5n, 'x'), true);
      assert.equal(spendable(money), 5n);
    });

    withMoney('amounts at the edges are exact, and beyond them refused', async money => {
      for (const amount of [2n ** 53n - 1n, 2n ** 53n, 2n ** 53n + 1n]) await money.credit('acme', amount);
      assert.equal((await only(money))?.balanceNano, 3n * 2n ** 53n);
      for (const amount of [0n, AMOUNT_NANO_MAX + 1n, -AMOUNT_NANO_MAX - 1n, 2n ** 63n])
        await assert.rejects(money.credit('acme', amount), { code: 'invalid_parameter' });
      for (let count = 0; count < 8; count++) await money.credit('big', AMOUNT_NANO_MAX);
      await money.credit('big', AMOUNT_NANO_MAX);
      await assert.rejects(money.credit('big', 1n), { code: 'invalid_parameter', message: /more than 9000000000 CNY/ });
      assert.equal((await only(money, 'big'))?.balanceNano, 9n * AMOUNT_NANO_MAX);
    });

    withMoney('texts from outside are kept as both databases keep them', async (money, store) => {
      const credit = { organizationId: 'acme', currency: CNY, amountNano: 5n };
      const idempotencyKey = 'a\0"\\\n\ud800 重点';
      const book = () =>
        store.transaction(trx => money.ledger.credit(trx, { ...credit, idempotencyKey, note: 'n\0\ud800\n[]' }));
      assert.deepEqual([await book(), await book()], [true, false]);
      await money.ledger.refresh();
      assert.equal(spendable(money), 5n);
    });

    withMoney('a credit line lets a wallet go below zero, and not beyond', async (money, store) => {
      await money.credit('acme', 10n);
      const limit = (minBalanceNano: bigint, organizationId = 'acme') =>
        store.transaction(trx => money.ledger.setMinBalance(trx, { organizationId, currency: CNY, minBalanceNano }));
      await limit(-50n);
      await money.ledger.refresh();
      assert.equal(spendable(money), 60n);
      await money.credit('acme', -40n);
      await assert.rejects(money.credit('acme', -21n), { code: 'insufficient_funds' });
      await assert.rejects(limit(-29n), { code: 'conflict' });
      await limit(-30n);
      await money.ledger.refresh();
      assert.equal(spendable(money), 0n);
      await assert.rejects(limit(1n), { code: 'invalid_parameter' });
      await assert.rejects(limit(-1n, 'nobody'), { code: 'not_found' });
    });

    withMoney('what configuration credited is counted apart', async (money, store) => {
      const credited = () => store.transaction(trx => money.ledger.configuredCredit(trx, 'acme', CNY));
      const credit = (kind: 'credit' | 'config-credit', organizationId: string, idempotencyKey: string) =>
        store.transaction(trx =>
          money.ledger.credit(trx, { organizationId, currency: CNY, amountNano: 5n, idempotencyKey, kind }),
        );
      assert.equal(await credited(), 0n);
      await credit('config-credit', 'acme', 'CNY up to 5');
      await credit('config-credit', 'acme', 'CNY up to 10');
      await credit('config-credit', 'acme2', 'CNY up to 5');
      await credit('credit', 'acme', 'CNY up to 5');
      assert.equal(await credited(), 10n);
    });

    withMoney('balances are published from the store', async (money, store) => {
      await money.credit('acme', 10n);
      money.wallets.add(money.ledger.walletsOf('acme')[0]?.slot ?? 0, 1_000n);
      await store.transaction(trx =>
        money.ledger.setMinBalance(trx, { organizationId: 'acme', currency: CNY, minBalanceNano: -7n }),
      );
      await money.ledger.publishBalances();
      assert.equal(spendable(money), 17n);
      await money.ledger.refresh();
      assert.equal(spendable(money), 17n);
    });
  });
}
