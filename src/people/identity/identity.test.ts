import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { DIALECTS, testStores } from '../../../test/support/stores.ts';
import { createSlots, Fault, openSlots, Secret } from '../../ground/std/index.ts';
import { openStore, type Store } from '../../ground/store/index.ts';
import { type CallerDelta, createCallerIndex, createKeyHasher, type KeyScopes } from '../callers/index.ts';
import { createIdentity } from './index.ts';
import type { KeyChange } from './keys.ts';

const stores = testStores();
const START_MS = Date.UTC(2026, 10, 30, 23, 0, 0);
const HOUR_MS = 3_600_000;
const pepper = new Secret('pepper');

/** An identity over a store, with a gateway thread's index that hears its deltas. */
async function open(store: Store, t: TestContext, wallets: Record<string, number> = {}) {
  const time = { nowMs: START_MS };
  const clock = { nowMs: () => time.nowMs, monotonicMs: () => time.nowMs };
  const slots = openSlots(createSlots()).keys;
  let count = 0;
  const identity = await createIdentity({
    store,
    clock,
    newId: () => `${process.pid}-${Math.trunc(performance.now() * 1_000)}-${++count}`,
    pepper,
    slots,
    walletsOf: id => (wallets[id] === undefined ? [] : [{ currency: 'CNY', slot: wallets[id] }]),
  });
  t.after(() => identity[Symbol.dispose]());
  const index = createCallerIndex({ hash: createKeyHasher(pepper), slots });
  const deltas: CallerDelta[] = [];
  index.apply({ upserted: identity.callers(), removed: [] });
  identity.onDelta(delta => {
    deltas.push(delta);
    index.apply(delta);
  });
  const plant = async () => {
    await store.transaction(async trx => {
      await identity.upsertOrganization(trx, { id: 'acme' });
      await identity.upsertProject(trx, { organizationId: 'acme', id: 'web' });
    });
    await identity.refresh();
  };
  const key = (scopes: KeyScopes = {}, expiresAtMs?: number) =>
    identity.createKey({ organizationId: 'acme', projectId: 'web', scopes, expiresAtMs });
  return { identity, slots, time, index, deltas, plant, key, find: (text: string) => index.lookup(text, time.nowMs) };
}

const spend = (store: Store, rows: readonly (readonly [string, string, bigint])[]) =>
  store.transaction(async trx => {
    for (const [key_id, period, spent_nano] of rows)
      await trx
        .insertInto('key_spend')
        .values({ key_id, period, currency: 'CNY', spent_nano })
        .onConflict(known => known.columns(['key_id', 'period', 'currency']).doUpdateSet({ spent_nano }))
        .execute();
  });

for (const dialect of DIALECTS) {
  describe(dialect, () => {
    test('a key works from its creation to its revocation, and its text is nowhere in the store', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      const { identity, slots, deltas, plant, key, find } = await open(store, t);
      await plant();
      const created = await key();
      const caller = find(created.key);
      assert.equal(caller?.keyId, created.id);
      assert.deepEqual([caller?.organizationId, caller?.projectId, caller?.weight], ['acme', 'web', 1]);
      const stored = JSON.stringify(await store.db.selectFrom('api_keys').selectAll().execute(), (_, value) =>
        typeof value === 'bigint' ? String(value) : value,
      );
      assert.ok(!stored.includes(created.key) && !stored.includes(created.key.slice(8, 20)));
      await identity.revokeKey(created.id);
      assert.ok(slots.isRevoked(caller?.slot ?? -1));
      assert.equal(find(created.key), undefined);
      assert.deepEqual(deltas.at(-1), { upserted: [], removed: [created.id] });
      assert.deepEqual(identity.callers(), []);
      const first = (await identity.keys('acme'))[0]?.revokedAtMs;
      await identity.revokeKey(created.id);
      assert.equal((await identity.keys('acme'))[0]?.revokedAtMs, first);
      await assert.rejects(identity.revokeKey('key_none'), { code: 'not_found' });
    });

    test('keys, wallets and weights are there again after a restart, revoked ones are not', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      const before = await open(store, t, { acme: 4 });
      await before.plant();
      const [kept, gone] = [await before.key({ concurrency: 2 }), await before.key()];
      await before.identity.revokeKey(gone.id);
      await store.transaction(trx => before.identity.upsertOrganization(trx, { id: 'acme', weight: 7 }));
      await before.identity.refresh();
      assert.equal(before.find(kept.key)?.weight, 7);
      const after = await open(store, t, { acme: 9 });
      assert.deepEqual(after.find(kept.key)?.wallets, [{ currency: 'CNY', slot: 9 }]);
      assert.equal(after.find(kept.key)?.scopes.concurrency, 2);
      assert.equal(after.find(kept.key)?.weight, 7);
      assert.equal(after.find(gone.key), undefined);
    });

    test('a wallet that is opened reaches the keys of its organization, and no others', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      const wallets: Record<string, number> = { other: 1 };
      const { identity, deltas, plant, key, find } = await open(store, t, wallets);
      await plant();
      await store.transaction(async trx => {
        await identity.upsertOrganization(trx, { id: 'other' });
        await identity.upsertProject(trx, { organizationId: 'other', id: 'web' });
      });
      const [mine, other] = [await key(), await identity.createKey({ organizationId: 'other', projectId: 'web' })];
      await identity.refresh();
      assert.deepEqual(find(mine.key)?.wallets, []);
      assert.deepEqual(find(other.key)?.wallets, [{ currency: 'CNY', slot: 1 }]);
      wallets['acme'] = 5;
      const made = await key();
      await identity.refresh();
      assert.deepEqual(
        deltas.at(-1)?.upserted.map(({ keyId }) => keyId),
        [mine.id],
      );
      assert.deepEqual(find(mine.key)?.wallets, [{ currency: 'CNY', slot: 5 }]);
      assert.deepEqual(find(made.key)?.wallets, [{ currency: 'CNY', slot: 5 }]);
      const told = deltas.length;
      await identity.refresh();
      assert.equal(deltas.length, told);
    });

    test('a suspended organization stops at once and goes on with the same slots', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      const { identity, plant, key, find } = await open(store, t);
      await plant();
      const created = await key();
      const slot = find(created.key)?.slot;
      await identity.suspendOrganization('acme', true);
      assert.equal(find(created.key), undefined);
      assert.equal(find((await key()).key), undefined, 'nor does a key that is made meanwhile');
      const restarted = await open(store, t);
      assert.equal(restarted.find(created.key), undefined);
      await identity.suspendOrganization('acme', false);
      assert.equal(find(created.key)?.slot, slot);
      await assert.rejects(identity.suspendOrganization('none', true), { code: 'not_found' });
    });

    test('a key is changed where it is used: limits, end and budget, without forgetting what it spent and holds', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      const { identity, slots, time, plant, key, find } = await open(store, t);
      await plant();
      const budget = { currency: 'CNY', amountNano: 100n, period: 'day' } as const;
      const made = await key({ requestsPerMinute: 5, models: ['a*'], budget });
      const caller = () => find(made.key);
      const first = caller()?.slot ?? -1;
      assert.ok(slots.tryBudget(first, 30n));

      await identity.changeKey(made.id, { name: 'ci', scopes: { requestsPerMinute: 9, models: null } });
      assert.deepEqual(caller()?.scopes, { requestsPerMinute: 9, budget });
      assert.deepEqual([caller()?.slot, slots.budgetLeft(first)], [first, 70n]);
      assert.equal((await identity.keys())[0]?.name, 'ci');

      // Another amount: what is held stays held.
      await identity.changeKey(made.id, { scopes: { budget: { ...budget, amountNano: 40n } } });
      assert.deepEqual([caller()?.slot, slots.budgetLeft(first)], [first, 10n]);
      await identity.changeKey(made.id, { scopes: { budget: { ...budget, amountNano: 20n } } });
      assert.ok(!slots.tryBudget(first, 1n), 'what is held is more than it now may be');

      // Another period: what runs returns its rest to the old slot.
      await spend(store, [[made.id, '2026-11', 15n]]);
      await identity.changeKey(made.id, { scopes: { budget: { ...budget, amountNano: 50n, period: 'month' } } });
      const second = caller()?.slot ?? -1;
      assert.notEqual(second, first);
      slots.addBudget(first, 30n);
      assert.equal(slots.budgetLeft(second), 35n);

      await identity.changeKey(made.id, { scopes: { budget: null }, expiresAtMs: START_MS + HOUR_MS });
      assert.deepEqual(caller()?.scopes, { requestsPerMinute: 9 });
      // A new month gives nothing back to a budget that is gone.
      time.nowMs += HOUR_MS - 1;
      await identity.look();
      assert.ok(caller());
      time.nowMs += 1;
      await identity.look();
      assert.equal(caller(), undefined);
      assert.deepEqual(identity.callers(), []);
      // What has ended is brought back by a later end.
      await identity.changeKey(made.id, { expiresAtMs: null });
      assert.equal(caller()?.expiresAtMs, undefined);
      assert.ok(caller());

      const refused: readonly [id: string, change: KeyChange, code: string][] = [
        ['key_none', {}, 'not_found'],
        [made.id, { expiresAtMs: START_MS }, 'invalid_parameter'],
        [made.id, { scopes: { models: ['*x'] } }, 'invalid_parameter'],
        [(await identity.createAdminKey({ name: 'ops' })).id, { scopes: { concurrency: 1 } }, 'invalid_parameter'],
      ];
      for (const [id, change, code] of refused) await assert.rejects(identity.changeKey(id, change), { code });
      await identity.revokeKey(made.id);
      await assert.rejects(identity.changeKey(made.id, { name: 'x' }), { code: 'conflict' });
    });

    test('a key is found by its text for its holder, while it may be used', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      const { identity, time, plant, key } = await open(store, t);
      await plant();
      const { id, key: text } = await key({}, START_MS + HOUR_MS);
      assert.equal((await identity.findLive(text))?.id, id);
      for (const other of ['', 'mr_live_x', (await identity.createAdminKey({ name: 'ops' })).key])
        assert.equal(await identity.findLive(other), undefined);
      await identity.suspendOrganization('acme', true);
      assert.equal(await identity.findLive(text), undefined);
      await identity.suspendOrganization('acme', false);
      time.nowMs += HOUR_MS;
      assert.equal(await identity.findLive(text), undefined);
    });

    test('budgets start from what was spent, and begin anew with their period', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      const { plant, key } = await open(store, t);
      await plant();
      const budget = (period: 'total' | 'day' | 'month') => ({
        budget: { currency: 'CNY', amountNano: 1_000n, period },
      });
      const [total, day, month] = [await key(budget('total')), await key(budget('day')), await key(budget('month'))];
      await spend(store, [
        [total.id, 'total', 300n],
        [day.id, '2026-11-30', 400n],
        [day.id, '2026-11', 900n],
        [month.id, '2026-11', 500n],
      ]);
      const { identity, slots, time, find } = await open(store, t);
      const left = () => [total, day, month].map(({ key: text }) => slots.budgetLeft(find(text)?.slot ?? -1));
      assert.deepEqual(left(), [700n, 600n, 500n]);
      // A request that holds 50 of the day's budget runs across midnight.
      slots.addBudget(find(day.key)?.slot ?? -1, -50n);
      time.nowMs += HOUR_MS - 1;
      await identity.look();
      assert.deepEqual(left(), [700n, 550n, 500n]);
      time.nowMs += 1;
      await identity.look();
      assert.deepEqual(left(), [700n, 950n, 1_000n]);
      // A settlement of the old day is loaded late: its cost was in the cell, and is given back.
      slots.addBudget(find(day.key)?.slot ?? -1, -7n);
      await spend(store, [[day.id, '2026-11-30', 407n]]);
      await identity.look();
      assert.deepEqual(left(), [700n, 950n, 1_000n]);
      time.nowMs -= 2 * HOUR_MS;
      await identity.look();
      assert.deepEqual(left(), [700n, 950n, 1_000n], 'a clock that steps back gives nothing twice');
    });

    test('an expired key is dropped, and its slot rests before another key gets it', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      const { identity, slots, time, deltas, plant, key, find } = await open(store, t);
      await plant();
      const short = await key({}, START_MS + 1_000);
      const slot = find(short.key)?.slot ?? -1;
      time.nowMs += 1_000;
      assert.equal(find(short.key), undefined);
      await identity.look();
      assert.deepEqual(deltas.at(-1)?.removed, [short.id]);
      assert.notEqual(find((await key()).key)?.slot, slot);
      slots.tryEnter(slot, 1);
      time.nowMs += 2 * HOUR_MS;
      assert.notEqual(find((await key()).key)?.slot, slot, 'a request still counts there');
      slots.leave(slot);
      const heir = find((await key()).key);
      assert.equal(heir?.slot, slot);
      assert.ok(!slots.isRevoked(slot));
    });

    test('what a key may do is checked when it is made', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      const { identity, plant, key } = await open(store, t);
      await plant();
      const amountNano = 1n;
      const bad: readonly [KeyScopes, string][] = [
        [{ ipRanges: ['10.0.0.0/8', '10.0.0.0/33'] }, 'ipRanges[1]'],
        [{ ipRanges: ['everywhere'] }, 'ipRanges[0]'],
        [{ models: ['a*b'] }, 'models[0]'],
        [{ models: [''] }, 'models[0]'],
        [{ requestsPerMinute: 0 }, 'requestsPerMinute'],
        [{ tokensPerMinute: 1.5 }, 'tokensPerMinute'],
        [{ concurrency: Number.NaN }, 'concurrency'],
        [{ budget: { currency: 'yuan', amountNano, period: 'day' } }, 'budget.currency'],
        [{ budget: { currency: 'CNY', amountNano: -1n, period: 'day' } }, 'budget.amount'],
      ];
      for (const [scopes, param] of bad)
        await assert.rejects(
          key(scopes),
          error => error instanceof Fault && error.code === 'invalid_parameter' && error.details.param === param,
          param,
        );
      await assert.rejects(key({}, START_MS), { code: 'invalid_parameter' });
      const nowhere = identity.createKey({ organizationId: 'acme', projectId: 'none' });
      await assert.rejects(nowhere, { code: 'not_found', message: /no project none/ });
      assert.deepEqual(await identity.keys(), []);
      const good: KeyScopes = {
        models: ['*', 'deepseek-*', 'org/model:free'],
        ipRanges: ['10.0.0.0/8', '::1'],
        budget: { currency: 'CNY', amountNano: 2n ** 55n, period: 'month' },
      };
      await key(good);
      assert.deepEqual((await identity.keys())[0]?.scopes, good);
    });

    test('names are unique where they must be, and organizations and projects keep what is not said', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      const { identity, plant } = await open(store, t);
      await plant();
      await store.transaction(async trx => {
        await identity.upsertOrganization(trx, { id: 'acme', name: 'Acme 公司' });
        await identity.upsertOrganization(trx, { id: 'acme' });
        await identity.upsertProject(trx, { organizationId: 'acme', id: 'web', name: 'Web' });
        await identity.upsertProject(trx, { organizationId: 'acme', id: 'web' });
      });
      assert.deepEqual({ ...(await identity.organizations())[0] }, { id: 'acme', name: 'Acme 公司', suspended: false });
      assert.deepEqual({ ...(await identity.projects('acme'))[0] }, { id: 'web', name: 'Web' });
      await assert.rejects(identity.projects('none'), { code: 'not_found' });
      for (const id of ['Acme', '', '-a', 'a b', '../x'])
        await assert.rejects(
          store.transaction(trx => identity.upsertOrganization(trx, { id })),
          { code: 'config_invalid' },
        );
    });

    test('admin keys open the control plane until they are revoked, and are no callers', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      const { identity, plant, key, find } = await open(store, t);
      await plant();
      const admin = await identity.createAdminKey({ name: 'ops' });
      assert.match(admin.key, /^mr_admin_/);
      assert.equal((await identity.principalOf(admin.key))?.role, 'admin');
      assert.equal(await identity.principalOf((await key()).key), undefined);
      assert.equal(await identity.principalOf(`${admin.key}x`), undefined);
      assert.equal(find(admin.key), undefined);
      await identity.revokeKey(admin.id);
      assert.equal(await identity.principalOf(admin.key), undefined);
    });
  });
}

test('what another process revokes stops within two seconds', async t => {
  const options = await stores.place('postgres', t);
  if (!options) return;
  const store = await openStore(options);
  t.after(() => store[Symbol.asyncDispose]());
  const other = await openStore({ ...options, writer: false });
  t.after(() => other[Symbol.asyncDispose]());
  const server = await open(store, t);
  await server.plant();
  const elsewhere = await open(other, t);
  const [old, fresh] = [await server.key(), await elsewhere.key()];
  await elsewhere.identity.look();
  await elsewhere.identity.revokeKey(old.id);
  const revokedMs = performance.now();
  while (server.find(old.key) !== undefined || server.find(fresh.key) === undefined) {
    assert.ok(performance.now() - revokedMs < 2_000, 'it still works after two seconds');
    await new Promise(resolve => setTimeout(resolve, 20));
  }
});
