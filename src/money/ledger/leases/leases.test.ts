import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DIALECTS, testStores } from '../../../../test/support/stores.ts';
import { createSlots, openSlots, systemClock } from '../../../ground/std/index.ts';
import type { Store } from '../../../ground/store/index.ts';
import { walletAccount } from '../accounts.ts';
import { applyChanges, type BalanceChanges, changeOf } from '../booking.ts';
import { createLedger } from '../ledger.ts';
import { drawOnWallets } from './draw-leases.ts';
import { availableNano, budgetLease, walletLease } from './leased-account.ts';
import { createLeases, type LeaseMove, leaseNano } from './leases.ts';

const stores = testStores();
const accountId = walletAccount('acme', 'CNY');
const wallet = walletLease(accountId);
const MINUTE = 60_000;
const session = { ttlMs: MINUTE, left: 'returned' } as const;

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

const lease = async (store: Store, nodeId: string) => {
  const row = await store.db.selectFrom('leases').selectAll().where('node_id', '=', nodeId).executeTakeFirstOrThrow();
  return { amount: row.amount_nano, lapsed: row.lapsed_nano, uncovered: row.uncovered_nano };
};

const netOf = (moved: LeaseMove) => (typeof moved === 'object' ? moved.netNano : moved);

/** Books what a node spent, and what it set aside for long requests, as the loader does. */
async function book(store: Store, nodeId: string, change: { readonly spent: bigint; readonly held?: bigint }) {
  await store.transaction(async trx => {
    const changes: BalanceChanges = new Map();
    changeOf(changes, accountId).posted = -change.spent;
    changeOf(changes, accountId).held = change.held ?? 0n;
    await drawOnWallets(store, trx, { nodeId, changes });
    await applyChanges(store, trx, changes);
  });
}

for (const dialect of DIALECTS) {
  describe(dialect, () => {
    test('together, nodes never hold more than is there', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      await openWallet(store, 10n);
      const leases = createLeases(store);
      const nodes = Array.from({ length: 20 }, (_, index) => `n${index}`);
      const got = await Promise.all(
        nodes.map(async nodeId => leases.move(await leases.begin(nodeId, session), wallet, 3n)),
      );
      assert.equal(got.filter(moved => moved !== 'short').length, 3);
      assert.deepEqual(await balance(store), { posted: 10n, held: 9n });
      assert.equal(await leases.liveNodes(), 20);
    });

    test('taken, spent from, given back', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      await openWallet(store, 100n);
      const leases = createLeases(store);
      const node = await leases.begin('a', session);
      assert.equal(netOf(await leases.move(node, wallet, 40n)), 40n);
      assert.equal(netOf(await leases.move(node, wallet, 20n)), 60n);
      assert.equal(await leases.move(node, wallet, 41n), 'short');
      assert.deepEqual(await balance(store), { posted: 100n, held: 60n });
      await book(store, 'a', { spent: 25n });
      assert.deepEqual(await balance(store), { posted: 75n, held: 35n }, 'what others may spend is as before');
      assert.equal(await leases.move(node, wallet, -36n), 'short', 'so much is not left');
      assert.equal(netOf(await leases.move(node, wallet, -5n)), 55n);
      await leases.end(node);
      assert.deepEqual(await balance(store), { posted: 75n, held: 0n });
      assert.equal(await leases.move(node, wallet, 1n), 'over');
      assert.equal(await availableNano(store.db, wallet), 75n);
    });

    test('what is set aside for long requests comes out of the lease, and the rest of it goes back there', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      await openWallet(store, 100n);
      const leases = createLeases(store);
      await leases.move(await leases.begin('a', session), wallet, 50n);
      await book(store, 'a', { spent: 0n, held: 30n });
      assert.deepEqual(await balance(store), { posted: 100n, held: 50n });
      assert.equal((await lease(store, 'a')).amount, 20n);
      await book(store, 'a', { spent: 10n, held: -30n });
      assert.deepEqual(await balance(store), { posted: 90n, held: 40n });
      assert.equal((await lease(store, 'a')).amount, 40n);
    });

    test('more than the lease: the wallet bears it, and the node may hold what it had', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      await openWallet(store, 100n);
      const leases = createLeases(store);
      const node = await leases.begin('a', session);
      await leases.move(node, wallet, 20n);
      await book(store, 'a', { spent: 35n });
      assert.deepEqual(await balance(store), { posted: 65n, held: 0n });
      assert.deepEqual(await lease(store, 'a'), { amount: 0n, lapsed: 0n, uncovered: 15n });
      assert.equal((await leases.nets('a', [accountId])).get(accountId), 35n);
    });

    test('a later session fences the ones before it', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      await openWallet(store, 100n);
      const leases = createLeases(store);
      const first = await leases.begin('a', session);
      await leases.move(first, wallet, 90n);
      const second = await leases.begin('a', { ttlMs: MINUTE, left: 'lapsed' });
      assert.deepEqual(await balance(store), { posted: 100n, held: 0n });
      assert.equal(await leases.move(first, wallet, 1n), 'over');
      assert.equal(await leases.renew(first, MINUTE), false);
      await leases.end(first);
      assert.equal(await leases.renew(second, MINUTE), true);
      assert.equal(netOf(await leases.move(second, wallet, 80n)), 80n, '90 granted, 90 lapsed, 80 granted');
    });

    test('what is over comes back, once, whoever looks, and does not go on', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      await openWallet(store, 100n);
      const leases = createLeases(store);
      const gone = await leases.begin('a', session);
      await leases.move(gone, wallet, 30n);
      await leases.move(await leases.begin('b', session), wallet, 30n);
      assert.equal(await leases.isSharedOut('a', accountId), true);
      assert.equal(await leases.renew(gone, -1), true);
      const ended = await Promise.all([leases.expire(), leases.expire(), leases.expire()]);
      assert.ok(ended.some(count => count === 1));
      assert.deepEqual(await balance(store), { posted: 100n, held: 30n });
      assert.deepEqual(await lease(store, 'a'), { amount: 0n, lapsed: 30n, uncovered: 0n });
      assert.equal(await leases.renew(gone, MINUTE), false, 'too late');
      assert.equal(await leases.move(gone, wallet, 1n), 'over');
      await book(store, 'a', { spent: 12n });
      assert.deepEqual(await lease(store, 'a'), { amount: 0n, lapsed: 30n, uncovered: 12n }, 'usage is a fact');
    });

    test('a budget is shared out like a wallet, each period by itself', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      const leases = createLeases(store);
      const of = (period: string) => budgetLease({ keyId: 'key_1', period, currency: 'CNY', amountNano: 10n });
      const [a, b] = [await leases.begin('a', session), await leases.begin('b', session)];
      assert.equal(netOf(await leases.move(a, of('2026-11'), 6n)), 6n);
      assert.equal(await leases.move(b, of('2026-11'), 5n), 'short');
      assert.equal(netOf(await leases.move(b, of('2026-11'), 4n)), 4n);
      assert.equal(await availableNano(store.db, of('2026-11')), 0n);
      assert.equal(netOf(await leases.retire(a, of('2026-11'))), 0n);
      assert.equal(await availableNano(store.db, of('2026-11')), 6n);
      assert.equal(netOf(await leases.move(a, of('2026-12'), 10n)), 10n);
    });
  });
}

test('the size of a lease: an even share, what is needed, never more than is there', () => {
  const bounds = { nodes: 4, parts: 5, leastNano: 10n };
  for (const [available, expected] of [
    [4_000n, 200n],
    [100n, 10n],
    [7n, 7n],
    [0n, 0n],
  ] as const)
    assert.equal(leaseNano(available, bounds), expected);
});
