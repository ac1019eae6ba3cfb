import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createRandom } from '../../../test/crash/random.ts';
import { DIALECTS, testStores } from '../../../test/support/stores.ts';
import { createSlots, openSlots, silentLog, systemClock } from '../../ground/std/index.ts';
import type { Store } from '../../ground/store/index.ts';
import { applyChanges, type BalanceChanges, changeOf } from '../../money/ledger/booking.ts';
import { createLeases, createLedger, type NodeSession, walletAccount, walletLease } from '../../money/ledger/index.ts';
import { drawOnWallets } from '../../money/ledger/leases/draw-leases.ts';
import { LeaseKeeper } from './lease-keeper.ts';
import type { Session } from './session.ts';
import type { News, Valkey } from './valkey.ts';

const stores = testStores();
const accountId = walletAccount('acme', 'CNY');
const account = walletLease(accountId);
const SLOT = 0;
const TTL_MS = 600_000;

async function openWallet(store: Store, amountNano: bigint): Promise<void> {
  const ledger = await createLedger({ store, clock: systemClock, slots: openSlots(createSlots()).wallets });
  await store.transaction(trx =>
    ledger.credit(trx, { organizationId: 'acme', currency: 'CNY', amountNano, idempotencyKey: 'a' }),
  );
}

/** A node as the keeper knows it, whose requests and whose loader the test plays. */
async function openNode(store: Store, nodeId: string, news: Set<(news: News) => void>) {
  const leases = createLeases(store);
  let current: NodeSession = await leases.begin(nodeId, { ttlMs: TTL_MS, left: 'returned' });
  let over = false;
  const session: Session = {
    current: () => current,
    ensure: async () => {},
    isOver: () => {
      over = true;
    },
    nodes: () => 2,
    [Symbol.asyncDispose]: async () => {},
  };
  const valkey: Valkey = {
    isUp: () => true,
    run: async () => undefined,
    tell: each => {
      for (const listener of news) if (listener !== hear) listener(each);
    },
    onNews: () => {},
    [Symbol.asyncDispose]: async () => {},
  };
  const clock = { ms: 0 };
  const keeper: LeaseKeeper = new LeaseKeeper({
    ...{ store, leases, valkey, log: silentLog, session: () => session },
    clock: { nowMs: () => clock.ms, monotonicMs: () => clock.ms },
  });
  const hear = (each: News) => {
    if (each.type === 'want') void keeper.giveUp(each.name);
  };
  news.add(hear);
  const { wallets } = openSlots(createSlots(), 'shares');
  const cell = {
    left: () => wallets.spendable(SLOT),
    add: (nano: bigint) => wallets.add(SLOT, nano),
    tryTake: (nano: bigint) => wallets.tryHold(SLOT, nano),
  };
  return {
    nodeId,
    keeper,
    cell,
    clock,
    supply: (nano: bigint) => keeper.supply(account, cell, nano),
    isOver: () => over,
    /** What the database does when it has not heard of the node, and what the node does when it hears of that. */
    async lapse() {
      current = await leases.begin(nodeId, { ttlMs: TTL_MS, left: 'lapsed' });
      over = false;
      await keeper.lapsed();
    },
  };
}

async function book(store: Store, nodeId: string, change: { readonly spent: bigint; readonly held: bigint }) {
  await store.transaction(async trx => {
    const changes: BalanceChanges = new Map();
    changeOf(changes, accountId).posted = -change.spent;
    changeOf(changes, accountId).held = change.held;
    await drawOnWallets(store, trx, { nodeId, changes });
    await applyChanges(store, trx, changes);
  });
}

const read = async (store: Store) => {
  const balance = await store.db.selectFrom('balances').selectAll().where('account_id', '=', accountId).execute();
  const leases = await store.db.selectFrom('leases').selectAll().execute();
  return { posted: balance[0]?.posted_nano ?? 0n, held: balance[0]?.held_nano ?? 0n, leases };
};

for (const dialect of DIALECTS) {
  describe(dialect, () => {
    test('who asks together is served together; what others do not use is asked for', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      await openWallet(store, 100n);
      const news = new Set<(news: News) => void>();
      const [a, b] = [await openNode(store, 'a', news), await openNode(store, 'b', news)];
      const outcomes = await Promise.all([a.supply(10n), a.supply(10n), a.supply(10n)]);
      assert.deepEqual(outcomes, ['supplied', 'supplied', 'supplied']);
      assert.ok(a.cell.left() >= 30n);
      assert.equal(await b.supply(90n), 'supplied', 'a gave back what it did not use');
      assert.deepEqual([a.cell.left(), b.cell.left()], [0n, 90n]);
      assert.ok(b.cell.tryTake(90n));
      assert.equal(await a.supply(10n), 'supplied');
      assert.ok(a.cell.tryTake(10n));
      assert.equal(await a.supply(1n), 'short');
      assert.equal((await read(store)).held, 100n);
    });

    test('more is taken ahead of need, and what lies idle goes back', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      await openWallet(store, 1_000n);
      const a = await openNode(store, 'a', new Set());
      await a.supply(1n);
      const share = a.cell.left();
      assert.equal(share, 125n, 'an even share of two nodes, in four parts');
      assert.ok(a.cell.tryTake(100n));
      await a.keeper.tick();
      assert.ok(a.cell.left() > 100n);
      for (const ms of [1_000, 2_000, 8_000]) {
        a.clock.ms = ms;
        await a.keeper.tick();
      }
      assert.equal(a.cell.left(), 0n);
      assert.equal((await read(store)).held, 100n, 'what a request holds stays');
      a.cell.add(60n);
      await book(store, 'a', { spent: 40n, held: 0n });
      for (const ms of [9_000, 15_000]) {
        a.clock.ms = ms;
        await a.keeper.tick();
      }
      assert.deepEqual(await read(store).then(({ posted, held }) => ({ posted, held })), { posted: 960n, held: 0n });
    });

    test('nodes that lie idle take nothing again, whoever gave back and for whatever reason', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      await openWallet(store, 1_000n);
      const news = new Set<(news: News) => void>();
      const [a, b] = [await openNode(store, 'a', news), await openNode(store, 'b', news)];
      const rest = async (ms: number) => {
        for (const node of [a, b]) {
          node.clock.ms += ms;
          await node.keeper.tick();
        }
      };
      const idle = async (why: string) => {
        for (let second = 0; second < 7; second++) await rest(1_000);
        const { held, leases } = await read(store);
        assert.equal(held, 0n, `${why}: nothing is held`);
        for (let second = 0; second < 60; second++) {
          await rest(1_000);
          assert.deepEqual((await read(store)).leases, leases, `${why}: nothing moves after ${second} s`);
        }
      };
      await Promise.all([a.supply(1n), b.supply(1n)]);
      await idle('asked, and not used');
      await a.supply(1n);
      assert.ok(a.cell.tryTake(100n));
      // Ahead of need: not a use of it.
      await rest(1_000);
      assert.ok(a.cell.left() > 100n);
      a.cell.add(100n);
      await idle('used, and given back unspent');
      await a.supply(1n);
      assert.equal(await b.supply(1_000n), 'supplied', 'a gave up its own');
      await rest(1_000);
      assert.equal(a.cell.left(), 0n, 'and does not take it again');
      await idle('given up to another node');
      await a.supply(10n);
      assert.ok(a.cell.tryTake(10n));
      await a.lapse();
      await book(store, 'a', { spent: 10n, held: 0n });
      for (let second = 0; second < 80; second++) await rest(1_000);
      await idle('what the wallet bore came back');
      assert.equal(a.cell.left(), 0n);
    });
  });
}

test('a cell never holds more than its lease and what is not booked, whatever nodes, loaders and time do', async t => {
  const store = await stores.open('sqlite', t);
  if (!store) return;
  const seed = 20_261_125;
  const random = createRandom(seed);
  const upTo = (most: number) => random.whole(0, most);
  await openWallet(store, 5_000n);
  const news = new Set<(news: News) => void>();
  const nodes = [];
  for (const id of ['a', 'b', 'c'])
    nodes.push({ node: await openNode(store, id, news), running: [] as Run[], unbooked: [] as Run[] });
  let overruns = 0n;
  for (let step = 0; step < 600; step++) {
    const each = nodes[upTo(nodes.length - 1)];
    if (!each) continue;
    const { node, running, unbooked } = each;
    const what = upTo(9);
    if (what <= 3) {
      const hold = BigInt(1 + upTo(200));
      if (!node.cell.tryTake(hold)) {
        const outcome = await node.supply(hold);
        if (outcome !== 'supplied' || !node.cell.tryTake(hold)) continue;
      }
      running.push({ hold, amount: 0n, stored: false });
    } else if (what <= 6) {
      const [run] = running.splice(upTo(running.length), 1);
      if (!run) continue;
      // Now and then an answer costs more than its hold.
      run.amount = upTo(20) === 0 ? run.hold + BigInt(upTo(50)) : BigInt(upTo(Number(run.hold)));
      if (run.amount > run.hold) overruns += run.amount - run.hold;
      node.cell.add(run.hold - run.amount);
      unbooked.push(run);
    } else if (what === 7) {
      for (const run of unbooked.splice(0)) {
        await book(store, node.nodeId, { spent: run.amount, held: run.stored ? -run.hold : 0n });
      }
      const long = running.find(({ stored }) => !stored);
      if (long) {
        long.stored = true;
        await book(store, node.nodeId, { spent: 0n, held: long.hold });
      }
    } else if (what === 8) {
      node.clock.ms += 1_000 * upTo(4);
      await node.keeper.tick();
    } else if (upTo(3) === 0) await node.lapse();
    await checkWorld(store, nodes, { overruns, at: `seed ${seed}, step ${step}` });
  }
  for (const { node, running, unbooked } of nodes) {
    for (const run of running.splice(0)) {
      node.cell.add(run.hold);
      unbooked.push({ ...run, amount: 0n });
    }
    for (const run of unbooked.splice(0))
      await book(store, node.nodeId, { spent: run.amount, held: run.stored ? -run.hold : 0n });
    // What the wallet bore in place of the lease comes back to the cell, and then idle money to the wallet.
    for (let turn = 0; turn < 40; turn++) {
      node.clock.ms += 6_000;
      await node.keeper.tick();
    }
    await checkWorld(store, nodes, { overruns, at: `seed ${seed}, at the end` });
    assert.ok(node.cell.left() <= 0n, 'nothing is kept');
  }
});

interface Run {
  readonly hold: bigint;
  amount: bigint;
  stored: boolean;
}

async function checkWorld(
  store: Store,
  nodes: readonly {
    readonly node: Awaited<ReturnType<typeof openNode>>;
    readonly running: readonly Run[];
    readonly unbooked: readonly Run[];
  }[],
  { overruns, at }: { readonly overruns: bigint; readonly at: string },
): Promise<void> {
  const { posted, held, leases } = await read(store);
  const sum = (pick: (row: (typeof leases)[number]) => bigint) => leases.reduce((all, row) => all + pick(row), 0n);
  const uncovered = sum(row => row.uncovered_nano);
  const lapsed = sum(row => row.lapsed_nano);
  assert.ok(uncovered <= lapsed + overruns, `${at}: ${uncovered} uncovered, ${lapsed} lapsed, ${overruns} overrun`);
  assert.ok(posted - held >= -overruns - (uncovered < lapsed ? uncovered : lapsed), `${at}: ${posted} - ${held}`);
  for (const { node, running, unbooked } of nodes) {
    const row = leases.find(({ node_id }) => node_id === node.nodeId);
    const owed =
      running.reduce((all, { hold, stored }) => all + (stored ? 0n : hold), 0n) +
      unbooked.reduce((all, { hold, amount, stored }) => all + (stored ? amount - hold : amount), 0n);
    const most = (row?.amount_nano ?? 0n) - owed;
    assert.ok(node.cell.left() <= most, `${at}: ${node.nodeId} may hold ${node.cell.left()}, its lease covers ${most}`);
  }
}
