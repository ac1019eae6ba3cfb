import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DIALECTS, testStores } from '../../test/support/stores.ts';
import { createSlots, openSlots, systemClock } from '../std/index.ts';
import type { Store } from '../store/index.ts';
import { walletAccount } from './accounts.ts';
import { createLeases, leaseNano } from './leases.ts';
import { createLedger } from './ledger.ts';

const stores = testStores();
const accountId = walletAccount('acme', 'CNY');
const node = (nodeId: string, epoch = 1) => ({ accountId, nodeId, epoch });
const MINUTE = 60_000;

async function openWallet(store: Store, amountNano: bigint): Promise<void> {
  const ledger = await createLedger({ store, clock: systemClock, slots: openSlots(createSlots()).wallets });
  await store.transaction(trx =>
    ledger.credit(trx, { organizationId: 'acme', currency: 'CNY', amountNano, idempotencyKey: 'a' }),
  );
}

const balance = async (store: Store) => {
  const row = await store.db
    .selectFrom('balances')
    .selectAll()
    .where('account_id', '=', accountId)
    .executeTakeFirstOrThrow();
  return { posted: row.posted_nano, held: row.held_nano };
};

for (const dialect of DIALECTS) {
  describe(dialect, () => {
    test('together, nodes never hold more than is there', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      await openWallet(store, 10n);
      const leases = createLeases(store);
      const got = await Promise.all(
        Array.from({ length: 20 }, (_, index) => leases.acquire(node(`n${index}`), { amountNano: 3n, ttlMs: MINUTE })),
      );
      assert.equal(got.filter(Boolean).length, 3);
      assert.deepEqual(await balance(store), { posted: 10n, held: 9n });
    });

    test('renewed, spent from, given back', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      await openWallet(store, 100n);
      const leases = createLeases(store);
      assert.equal(await leases.acquire(node('a'), { amountNano: 40n, ttlMs: MINUTE }), true);
      assert.equal(await leases.renew(node('a'), { moreNano: 20n, ttlMs: MINUTE }), true);
      assert.equal(await leases.renew(node('a'), { moreNano: 41n, ttlMs: MINUTE }), false);
      assert.equal(await leases.renew(node('b'), { moreNano: 1n, ttlMs: MINUTE }), false, 'it has none');
      assert.deepEqual(await balance(store), { posted: 100n, held: 60n });
      await store.transaction(trx => leases.spend(trx, node('a'), 25n));
      assert.deepEqual(await balance(store), { posted: 100n, held: 35n });
      await store.transaction(trx => leases.spend(trx, node('a'), 50n));
      assert.deepEqual(await balance(store), { posted: 100n, held: 0n }, 'more than the lease: the rest is a fact');
      assert.equal(await leases.renew(node('a'), { moreNano: 10n, ttlMs: MINUTE }), true);
      await leases.giveBack(node('a'));
      await leases.giveBack(node('a'));
      assert.deepEqual(await balance(store), { posted: 100n, held: 0n });
      assert.equal(await leases.renew(node('a'), { moreNano: 1n, ttlMs: MINUTE }), false, 'it was given back');
      const row = await store.db.selectFrom('leases').selectAll().executeTakeFirstOrThrow();
      assert.deepEqual([row.state, row.amount_nano, row.spent_nano], ['returned', 0n, 75n]);
    });

    test('a later epoch fences the ones before it', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      await openWallet(store, 100n);
      const leases = createLeases(store);
      await leases.acquire(node('a', 1), { amountNano: 90n, ttlMs: MINUTE });
      assert.equal(await leases.acquire(node('a', 2), { amountNano: 80n, ttlMs: MINUTE }), true);
      assert.deepEqual(await balance(store), { posted: 100n, held: 80n });
      assert.equal(await leases.renew(node('a', 1), { moreNano: 1n, ttlMs: MINUTE }), false);
      assert.equal(await leases.acquire(node('a', 1), { amountNano: 1n, ttlMs: MINUTE }), false);
      await store.transaction(trx => leases.spend(trx, node('a', 1), 5n));
      assert.deepEqual(
        await balance(store),
        { posted: 100n, held: 80n },
        'what the fenced one spent is not held twice',
      );
    });

    test('what is over comes back, once, whoever looks', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      await openWallet(store, 100n);
      const leases = createLeases(store);
      await leases.acquire(node('a'), { amountNano: 30n, ttlMs: -1 });
      await leases.acquire(node('b'), { amountNano: 30n, ttlMs: MINUTE });
      assert.equal(await leases.renew(node('a'), { moreNano: 0n, ttlMs: MINUTE }), false, 'too late');
      const ended = await Promise.all([leases.expire(), leases.expire(), leases.expire()]);
      assert.equal(
        ended.reduce((sum, count) => sum + count, 0),
        1,
      );
      assert.deepEqual(await balance(store), { posted: 100n, held: 30n });
    });
  });
}

test('the size of a lease: an even share, within bounds, never more than is there', () => {
  const bounds = { nodes: 4, parts: 5, leastNano: 10n, mostNano: 1_000n };
  for (const [available, expected] of [
    [4_000n, 200n],
    [1_000_000n, 1_000n],
    [100n, 10n],
    [7n, 7n],
    [0n, 0n],
  ] as const)
    assert.equal(leaseNano(available, bounds), expected);
});
