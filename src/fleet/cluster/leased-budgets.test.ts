import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DIALECTS, testStores } from '../../../test/support/stores.ts';
import { createSlots, openSlots, silentLog } from '../../ground/std/index.ts';
import type { Store } from '../../ground/store/index.ts';
import { createLeases } from '../../money/ledger/index.ts';
import type { CallerRecord } from '../../people/callers/index.ts';
import { LeaseKeeper } from './lease-keeper.ts';
import { createLeasedBudgets } from './leased-budgets.ts';

const stores = testStores();
const SLOT = 9;
const NOON = Date.parse('2026-11-25T12:00:00Z');
const DAY_MS = 86_400_000;
const budget = { currency: 'CNY', amountNano: 100n, period: 'day' } as const;
const caller: CallerRecord = {
  ...{ keyId: 'key_1', mac: '', organizationId: 'acme', projectId: 'web', slot: SLOT, weight: 1, wallets: [] },
  scopes: { budget },
};

async function openNode(store: Store, nodeId: string) {
  const leases = createLeases(store);
  const session = await leases.begin(nodeId, { ttlMs: 600_000, left: 'returned' });
  const at = { ms: NOON };
  const clock = { nowMs: () => at.ms, monotonicMs: () => at.ms };
  const none = async () => {};
  const keeper = new LeaseKeeper({
    ...{ store, leases, clock, log: silentLog },
    session: () => ({
      ...{ current: () => session, ensure: none, isOver: () => {}, nodes: () => 2, [Symbol.asyncDispose]: none },
    }),
    valkey: {
      ...{ isUp: () => false, run: async () => undefined, tell: () => {}, onNews: () => {} },
      [Symbol.asyncDispose]: none,
    },
  });
  const { keys } = openSlots(createSlots(), 'shares');
  const budgets = createLeasedBudgets({ keys, keeper, nowMs: clock.nowMs });
  await budgets.fill([{ keyId: 'key_1', slot: SLOT, budget }]);
  return {
    ...{ at, keys, budgets, keeper },
    /** As admission does; what is not at hand is asked for once. */
    async hold(nano: bigint): Promise<boolean> {
      if (keys.tryBudget(SLOT, nano)) return true;
      await budgets.supply(caller, 'CNY', nano);
      return keys.tryBudget(SLOT, nano);
    },
  };
}

for (const dialect of DIALECTS) {
  describe(dialect, () => {
    test('a budget is spent by all nodes together, once', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      const [a, b] = [await openNode(store, 'a'), await openNode(store, 'b')];
      let held = 0;
      for (let round = 0; round < 30; round++) for (const node of [a, b]) if (await node.hold(10n)) held++;
      assert.ok(held === 9 || held === 10, String(held));
      assert.equal(await a.budgets.supply(caller, 'USD', 1n), 'short', 'it cannot be measured in another currency');
      a.keys.addBudget(SLOT, 40n);
      b.budgets.drop('key_1');
      await a.keeper.giveUp('budget:key_1:2026-11-25:CNY');
      const row = await store.db.selectFrom('key_spend').select('held_nano').executeTakeFirstOrThrow();
      assert.ok(row.held_nano <= 60n, String(row.held_nano));
    });

    test('at the turn of a period the new one is whole, less what runs', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      const a = await openNode(store, 'a');
      assert.ok(await a.hold(70n));
      assert.ok(await a.hold(20n));
      // 70 is done and cost 60; 20 still runs.
      a.keys.addBudget(SLOT, 10n);
      a.at.ms += DAY_MS;
      await a.budgets.roll();
      await a.keeper.giveUp('budget:key_1:2026-11-25:CNY');
      const left = a.keys.budgetLeft(SLOT);
      assert.equal(left, -80n, 'nothing leased of the new day; 60 not booked yet, 20 running');
      assert.ok(await a.hold(20n));
      assert.equal(await a.hold(100n), false);
      const rows = await store.db.selectFrom('key_spend').select(['period', 'held_nano']).orderBy('period').execute();
      assert.deepEqual(
        rows.map(({ period, held_nano }) => [period, held_nano]),
        [
          ['2026-11-25', 0n],
          ['2026-11-26', 100n],
        ],
      );
      // The loader books the 60 on the old day: its lease has nothing left, so the new day need not bear it.
      const old = store.db.updateTable('leases').set({ uncovered_nano: 60n });
      await old.where('account_id', '=', 'budget:key_1:2026-11-25:CNY').execute();
      a.at.ms += 1_000;
      await a.keeper.tick();
      assert.equal(a.keys.budgetLeft(SLOT), 60n);
    });
  });
}
