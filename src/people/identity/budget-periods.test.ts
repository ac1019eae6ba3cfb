import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KeyId } from '@millrace/contract';
import fc from 'fast-check';
import { type ListJournal, listJournal, openMoney } from '../../../test/support/money.ts';
import { intent, settlement } from '../../../test/support/records.ts';
import { DIALECTS, testStores } from '../../../test/support/stores.ts';
import { createSlots, openSlots, Secret } from '../../ground/std/index.ts';
import { openStore, type Store } from '../../ground/store/index.ts';
import { createIdentity } from './index.ts';

const stores = testStores();
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** An hour before a day and a month begin, UTC. */
const START_MS = Date.UTC(2026, 10, 30, 23);
const BUDGET_NANO = 1_000_000n;
const PERIODS = ['day', 'month', 'total'] as const;
type Period = (typeof PERIODS)[number];

/** The wall clock can be set; the other one only goes on. */
function settableClock() {
  let wallMs = START_MS;
  let passedMs = 0;
  return {
    nowMs: () => wallMs,
    monotonicMs: () => passedMs,
    advance(ms: number) {
      wallMs += ms;
      passedMs += ms;
    },
    set(ms: number) {
      wallMs = ms;
    },
  };
}

interface Running {
  readonly id: string;
  readonly period: Period;
  readonly holdNano: bigint;
}

/** Keys with budgets, a loader, and what a gateway does to budget cells and the journal. */
async function openNode(store: Store) {
  const clock = settableClock();
  const money = await openMoney(store, clock);
  await money.credit('acme', 10n ** 15n);
  const journal: ListJournal = listJournal();
  const running: Running[] = [];
  const keys = new Map<Period, KeyId>();
  let count = 0;
  const settled: { readonly period: Period; readonly atMs: number; readonly nano: bigint }[] = [];

  const start = async () => {
    const loader = await money.createLoader(journal);
    await loader.flush();
    const slots = openSlots(createSlots()).keys;
    const identity = await createIdentity({
      store,
      clock,
      newId: () => `${++count}`,
      pepper: new Secret('pepper'),
      slots,
      walletsOf: () => [],
    });
    return { loader, slots, identity };
  };
  let node = await start();
  await store.transaction(async trx => {
    await node.identity.upsertOrganization(trx, { id: 'acme' });
    await node.identity.upsertProject(trx, { organizationId: 'acme', id: 'web' });
  });
  await node.identity.refresh();
  for (const period of PERIODS) {
    const scopes = { budget: { currency: 'CNY', amountNano: BUDGET_NANO, period } };
    const { id } = await node.identity.createKey({ organizationId: 'acme', projectId: 'web', scopes });
    keys.set(period, `key_${id.slice('key_'.length)}`);
  }
  const keyOf = (period: Period) => keys.get(period) ?? assert.fail();
  const slotOf = (period: Period) =>
    node.identity.callers().find(({ keyId }) => keyId === keyOf(period))?.slot ?? assert.fail();

  return {
    clock,
    running,
    left: (period: Period) => node.slots.budgetLeft(slotOf(period)),
    settled: () => settled,
    look: () => node.identity.look(),
    load: () => node.loader.flush(),
    admit(period: Period, holdNano: bigint): Running | undefined {
      if (!node.slots.tryBudget(slotOf(period), holdNano)) return undefined;
      const request = { id: `r${String(++count).padStart(5, '0')}`, period, holdNano };
      journal.append(intent(request.id, holdNano, { keyId: keyOf(period), atMs: clock.nowMs() }));
      running.push(request);
      return request;
    },
    settle(request: Running, nano: bigint) {
      running.splice(running.indexOf(request), 1);
      const atMs = clock.nowMs();
      journal.append(settlement(request.id, { atMs, amountNano: nano, holdNano: request.holdNano, attempts: [] }));
      node.slots.addBudget(slotOf(request.period), request.holdNano - nano);
      settled.push({ period: request.period, atMs, nano });
    },
    /** Settles what runs for nothing, as recovery does, and starts anew from the store and the journal. */
    async restart() {
      for (const request of [...running]) this.settle(request, 0n);
      node.identity[Symbol.dispose]();
      node = await start();
    },
    [Symbol.dispose]: () => node.identity[Symbol.dispose](),
  };
}

const nameOf = (period: Period, atMs: number) =>
  period === 'total' ? 'total' : new Date(atMs).toISOString().slice(0, period === 'day' ? 10 : 7);

for (const dialect of DIALECTS) {
  const withNode = (name: string, work: (node: Awaited<ReturnType<typeof openNode>>) => Promise<void>) =>
    test(`${dialect}: ${name}`, async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      using node = await openNode(store);
      await work(node);
    });
  const spend = (node: Awaited<ReturnType<typeof openNode>>, period: Period, nano: bigint) =>
    node.settle(node.admit(period, nano) ?? assert.fail('the budget does not cover it'), nano);

  withNode('a request that runs across the turn is paid from the period in which it ends', async node => {
    for (const period of PERIODS) spend(node, period, 300n);
    const across = PERIODS.map(period => node.admit(period, 500n) ?? assert.fail());
    await node.load();
    node.clock.advance(HOUR_MS);
    await node.look();
    assert.deepEqual(PERIODS.map(node.left), [BUDGET_NANO - 500n, BUDGET_NANO - 500n, BUDGET_NANO - 800n]);
    for (const request of across) node.settle(request, 400n);
    await node.load();
    await node.look();
    assert.deepEqual(PERIODS.map(node.left), [BUDGET_NANO - 400n, BUDGET_NANO - 400n, BUDGET_NANO - 700n]);
    // The next turn is the day's alone.
    node.clock.advance(24 * HOUR_MS);
    await node.look();
    assert.deepEqual(PERIODS.map(node.left), [BUDGET_NANO, BUDGET_NANO - 400n, BUDGET_NANO - 700n]);
  });

  withNode(
    'what ended before the turn and is loaded after it, even hours later, is no burden of the new period',
    async node => {
      spend(node, 'day', 300n);
      spend(node, 'month', 300n);
      node.clock.advance(HOUR_MS);
      await node.look();
      assert.deepEqual([node.left('day'), node.left('month')], [BUDGET_NANO - 300n, BUDGET_NANO - 300n]);
      node.clock.advance(5 * HOUR_MS);
      await node.look();
      await node.load();
      node.clock.advance(MINUTE_MS);
      await node.look();
      assert.deepEqual([node.left('day'), node.left('month')], [BUDGET_NANO, BUDGET_NANO]);
      await node.look();
      assert.deepEqual([node.left('day'), node.left('month')], [BUDGET_NANO, BUDGET_NANO], 'once');
    },
  );

  withNode('a clock that steps back over the turn hands nothing out twice', async node => {
    spend(node, 'day', 300n);
    await node.load();
    node.clock.advance(HOUR_MS + 1_000);
    await node.look();
    spend(node, 'day', 100n);
    assert.equal(node.left('day'), BUDGET_NANO - 100n);
    // What is spent now is filed under the old day, and still counts in the cell.
    node.clock.set(START_MS + 30 * MINUTE_MS);
    await node.look();
    spend(node, 'day', 50n);
    await node.load();
    await node.look();
    assert.equal(node.left('day'), BUDGET_NANO - 150n);
    node.clock.advance(HOUR_MS);
    await node.look();
    assert.equal(node.left('day'), BUDGET_NANO - 150n);
  });

  withNode(
    'a restart while the clock stands before a turn that was passed: the new day is not begun twice',
    async node => {
      node.clock.advance(HOUR_MS + 1_000);
      await node.look();
      spend(node, 'day', 700n);
      node.clock.set(START_MS + 30 * MINUTE_MS);
      spend(node, 'day', 20n);
      await node.restart();
      assert.equal(node.left('day'), BUDGET_NANO - 20n);
      node.clock.advance(HOUR_MS);
      await node.look();
      assert.equal(node.left('day'), BUDGET_NANO - 700n);
    },
  );

  withNode('a store that is away for days: all periods that passed are over', async node => {
    spend(node, 'day', 300n);
    node.clock.advance(24 * HOUR_MS);
    spend(node, 'day', 200n);
    node.clock.advance(24 * HOUR_MS);
    await node.load();
    await node.look();
    assert.equal(node.left('day'), BUDGET_NANO);
  });
}

/** A life of a node around several turns; time only goes forward. */
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('admit' as const),
      period: fc.constantFrom(...PERIODS),
      hold: fc.nat(400_000),
    }),
  },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('settle' as const), which: fc.nat(), share: fc.nat(100) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('wait' as const),
      ms: fc.constantFrom(1, 500, 30_000, 10 * MINUTE_MS, HOUR_MS, 13 * HOUR_MS, 40 * HOUR_MS),
    }),
  },
  { weight: 4, arbitrary: fc.constant({ kind: 'look' as const }) },
  { weight: 3, arbitrary: fc.constant({ kind: 'load' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'restart' as const }) },
);

test('whatever happens, once all is loaded a budget is what was not spent in its period, less what runs', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async steps => {
      await using store = await openStore({ file: ':memory:' });
      using node = await openNode(store);
      for (const each of steps) {
        if (each.kind === 'admit') node.admit(each.period, BigInt(each.hold));
        else if (each.kind === 'settle') {
          const request = node.running[each.which % Math.max(1, node.running.length)];
          if (request) node.settle(request, (request.holdNano * BigInt(each.share)) / 100n);
        } else if (each.kind === 'wait') node.clock.advance(each.ms);
        else if (each.kind === 'look') await node.look();
        else if (each.kind === 'load') await node.load();
        else await node.restart();
        // However far behind the store is, no more is left than was not spent.
        await check(node, (left, exact) => left <= exact, each.kind === 'look');
      }
      await node.load();
      await node.look();
      node.clock.advance(MINUTE_MS);
      await node.look();
      await check(node, (left, exact) => left === exact, true);
    }),
    { numRuns: 300 },
  );
});

async function check(
  node: Awaited<ReturnType<typeof openNode>>,
  holds: (left: bigint, exact: bigint) => boolean,
  looked: boolean,
): Promise<void> {
  // Between a turn and the next look the cell is still that of the old period.
  if (!looked) return;
  for (const period of PERIODS) {
    const name = nameOf(period, node.clock.nowMs());
    const spent = node.settled().filter(each => each.period === period && nameOf(period, each.atMs) === name);
    const runs = node.running.filter(each => each.period === period);
    const exact =
      BUDGET_NANO -
      spent.reduce((sum, { nano }) => sum + nano, 0n) -
      runs.reduce((sum, { holdNano }) => sum + holdNano, 0n);
    assert.ok(holds(node.left(period), exact), `${period}: ${node.left(period)} is left, not ${exact}`);
  }
}
