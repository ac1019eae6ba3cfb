import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { DIALECTS, testStores } from '../../../test/support/stores.ts';
import { createSlots, Fault, openSlots, Secret } from '../../ground/std/index.ts';
import { openStore, type Store } from '../../ground/store/index.ts';
import { type CatalogSnapshot, createCatalog, createSeal, type ModelInput, type ProviderInput } from './index.ts';

const stores = testStores();
const START_MS = Date.UTC(2026, 5, 1);

async function open(store: Store, t: TestContext, master = 'master') {
  const time = { nowMs: START_MS };
  const clock = { nowMs: () => time.nowMs, monotonicMs: () => time.nowMs };
  const slots = openSlots(createSlots()).deployments;
  const catalog = await createCatalog({
    store,
    clock,
    seal: createSeal(new Secret(master)),
    slots,
    engineBaseUrl: id => `unix:/run/${id}.sock:/v1`,
  });
  t.after(() => catalog[Symbol.dispose]());
  const heard: CatalogSnapshot[] = [];
  catalog.onChange(snapshot => heard.push(snapshot));
  const provider = async (more: Partial<ProviderInput> = {}) => {
    await store.transaction(trx => catalog.upsertProvider(trx, { ...PROVIDER, ...more }));
    await catalog.refresh();
  };
  const model = async (more: Partial<ModelInput> = {}) => {
    await store.transaction(trx => catalog.upsertModel(trx, { ...MODEL, ...more }));
    await catalog.refresh();
    return catalog.snapshot().models.get(more.id ?? MODEL.id);
  };
  return { catalog, slots, time, heard, provider, model };
}

const PROVIDER: ProviderInput = {
  id: 'mock',
  dialect: 'openai-chat',
  baseUrl: 'https://mock.example/v1',
  apiKey: 'sk-canary',
};
const PRICE = {
  currency: 'CNY',
  inputPerM: '4',
  cachedInputPerM: '1',
  outputPerM: '16.5',
  effectiveFrom: '2026-01-01',
};
const MODEL: ModelInput = {
  id: 'mock-1',
  contextTokens: 8_192,
  prices: [PRICE],
  deployments: [
    {
      id: 'mock-1-a',
      provider: 'mock',
      upstreamModel: 'up-1',
      costs: [{ currency: 'CNY', inputPerM: '2', outputPerM: '8' }],
    },
    { id: 'mock-1-b', engine: { file: '/m/b.gguf', sequences: 4 }, concurrency: 4, priority: 1, weight: 2 },
  ],
};

const bad = (path: string) => (error: unknown) =>
  error instanceof Fault &&
  error.code === 'config_invalid' &&
  error.details.param === path &&
  /\p{Script=Han}/u.test(error.messageIn('zh'));

for (const dialect of DIALECTS) {
  describe(dialect, () => {
    test('a snapshot says all that a request needs, and says the same after a restart', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      const { catalog, slots, heard, provider, model } = await open(store, t);
      await provider({ quirks: ['no-stream-options'] });
      const read = await model();
      assert.ok(read);
      const [price] = read.prices;
      assert.deepEqual(price, {
        version: price?.version,
        currency: 'CNY',
        nanoPerMillion: { input: 4_000_000_000n, cachedInput: 1_000_000_000n, output: 16_500_000_000n },
        effectiveFromMs: Date.UTC(2026, 0, 1),
        rounding: 'ceil',
      });
      const [first, second] = read.deployments;
      assert.deepEqual(first?.upstream, {
        providerId: 'mock',
        dialect: 'openai-chat',
        baseUrl: 'https://mock.example/v1',
        apiKey: 'sk-canary',
        allowPrivateNetwork: false,
        quirks: ['no-stream-options'],
      });
      assert.equal(first.upstreamModel, 'up-1');
      const otherwise = { connect: 10_000, firstByte: 120_000, answer: 600_000, idle: 120_000, total: 1_800_000 };
      assert.deepEqual([first.timeoutMs, first.retriesTimeouts], [otherwise, false]);
      assert.equal(second?.upstream.baseUrl, 'unix:/run/mock-1-b.sock:/v1');
      assert.deepEqual([second.concurrency, second.priority, second.weight], [4, 1, 2]);
      assert.notEqual(first.slot, second.slot);
      assert.equal(slots.get(first.slot, 'ready'), 1);
      assert.ok(slots.get(second.slot, 'ready') < 0, 'an engine is not ready before it says so');
      const [engine] = catalog.engines();
      assert.deepEqual(engine, {
        deploymentId: 'mock-1-b',
        modelId: 'mock-1',
        slot: second.slot,
        file: '/m/b.gguf',
        sequences: 4,
      });
      assert.deepEqual(structuredClone(heard.at(-1)?.models.get('mock-1')), read);
      const again = await open(store, t);
      assert.deepEqual(again.catalog.snapshot().models.get('mock-1'), read);
      assert.deepEqual(await again.catalog.priceVersion(price?.version ?? ''), price);
    });

    test('time limits are the deployment’s, else the model’s, else the defaults', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      const { provider, model } = await open(store, t);
      await provider();
      const otherwise = { connect: 10_000, firstByte: 120_000, answer: 600_000, idle: 120_000, total: 1_800_000 };
      const [own, models] =
        (
          await model({
            id: 'mock-2',
            timeouts: { answerMs: 900_000, idleMs: 60_000, retry: true },
            deployments: [
              { id: 'mock-2-a', provider: 'mock', timeouts: { idleMs: 5_000, retry: false } },
              { id: 'mock-2-b', provider: 'mock' },
            ],
          })
        )?.deployments ?? [];
      const ofModel = { ...otherwise, answer: 900_000, idle: 60_000 };
      assert.deepEqual([own?.timeoutMs, own?.retriesTimeouts], [{ ...ofModel, idle: 5_000 }, false]);
      assert.deepEqual([models?.timeoutMs, models?.retriesTimeouts], [ofModel, true]);
    });

    test('a snapshot cannot be changed by who holds it', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      const { provider, model } = await open(store, t);
      await provider();
      const read = await model();
      const deployment = read?.deployments[0];
      assert.ok(deployment);
      for (const object of [read, read.prices, read.prices[0], deployment.upstream, deployment.timeoutMs])
        assert.ok(Object.isFrozen(object));
    });

    test('setting the same again changes nothing and tells no one', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      const { catalog, heard, provider, model } = await open(store, t);
      await provider();
      await model();
      const told = heard.length;
      const before = catalog.snapshot();
      await model();
      await model({
        deployments: MODEL.deployments.map(deployment => ({ ...deployment, weight: deployment.weight ?? 1 })),
      });
      assert.equal(heard.length, told);
      assert.equal(catalog.snapshot(), before);
      assert.equal((await store.db.selectFrom('price_history').selectAll().execute()).length, 2);
    });

    test('a price that changes is a new version; the old one stays, and the history says when', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      const { catalog, time, provider, model } = await open(store, t);
      await provider();
      const old = (await model())?.prices[0];
      time.nowMs += 1_000;
      const dearer = (await model({ prices: [{ ...PRICE, outputPerM: '20' }] }))?.prices;
      assert.equal(dearer?.length, 1);
      assert.notEqual(dearer[0]?.version, old?.version);
      assert.deepEqual(await catalog.priceVersion(old?.version ?? ''), old);
      time.nowMs += 1_000;
      const back = (await model())?.prices[0];
      assert.equal(back?.version, old?.version, 'the same content is the same version');
      const scheduled = await model({ prices: [{ ...PRICE, effectiveFrom: '2027-01-01T08:00:00+08:00' }, PRICE] });
      assert.deepEqual(
        scheduled?.prices.map(({ effectiveFromMs }) => effectiveFromMs),
        [Date.UTC(2026, 0, 1), Date.UTC(2027, 0, 1)],
      );
      const history = await store.db
        .selectFrom('price_history')
        .select(['at_us', 'versions'])
        .where('kind', '=', 'sell')
        .orderBy('revision')
        .execute();
      assert.deepEqual(
        history.map(row => [Number(row.at_us / 1000n) - START_MS, JSON.parse(row.versions).length]),
        [
          [0, 1],
          [1_000, 1],
          [2_000, 1],
          [2_000, 2],
        ],
      );
      const other = await model({ id: 'mock-2', deployments: [] });
      assert.notEqual(other?.prices[0]?.version, old?.version, 'a version is of one model');
    });

    test('a provider key is sealed, belongs to its address, and one that does not open stops only its provider', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      const { catalog, provider, model } = await open(store, t);
      await provider();
      await model();
      const keyOf = () => catalog.snapshot().models.get('mock-1')?.deployments[0]?.upstream.apiKey;
      const row = await store.db.selectFrom('providers').selectAll().executeTakeFirstOrThrow();
      assert.ok(!JSON.stringify(row.api_key_sealed).includes('canary'));
      assert.ok(catalog.holdsKey(row, 'sk-canary') && !catalog.holdsKey(row, 'sk-other'));
      await provider({ apiKey: undefined, quirks: ['drain-on-disconnect'] });
      assert.equal(keyOf(), 'sk-canary');
      const moved = { ...row, base_url: 'https://evil.example/v1' };
      assert.ok(!catalog.holdsKey(moved, 'sk-canary'), 'a row whose host was changed does not open');
      await store.db.updateTable('providers').set({ base_url: moved.base_url }).execute();
      const tampered = await open(store, t);
      assert.deepEqual(
        tampered.catalog
          .snapshot()
          .models.get('mock-1')
          ?.deployments.map(({ id }) => id),
        ['mock-1-b'],
      );
      const foreign = await open(store, t, 'another master');
      assert.equal(foreign.catalog.snapshot().models.get('mock-1')?.deployments.length, 1);
      await provider({ apiKey: undefined, baseUrl: 'https://new.example/v1' });
      assert.equal(keyOf(), undefined);
      assert.deepEqual(await catalog.providers(), [
        {
          id: 'mock',
          dialect: 'openai-chat',
          baseUrl: 'https://new.example/v1',
          hasKey: false,
          allowPrivateNetwork: false,
          quirks: [],
        },
      ]);
    });

    test('deployments are those given; a slot that is let go rests, and another target is another slot', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      const { slots, time, provider, model } = await open(store, t);
      await provider();
      await provider({ id: 'mock-b' });
      const at = async (target: string) =>
        (await model({ deployments: [{ id: 'one', provider: target }] }))?.deployments[0]?.slot ?? -1;
      const first = await at('mock');
      slots.set(first, 'closedUntilS', 77);
      slots.add(first, 'inFlight', 1);
      const second = await at('mock-b');
      assert.notEqual(second, first);
      assert.equal(
        (await model({ deployments: [{ id: 'one', provider: 'mock-b', weight: 9 }] }))?.deployments[0]?.slot,
        second,
      );
      time.nowMs += 2 * 3_600_000;
      assert.notEqual(await at('mock'), first, 'a request still counts there');
      slots.add(first, 'inFlight', -1);
      assert.equal(await at('mock-b'), first);
      assert.deepEqual([slots.get(first, 'closedUntilS'), slots.get(first, 'ready')], [0, 1]);
    });

    test('a model taken out of service is gone, and comes back with its day of creation', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      const { catalog, time, provider, model } = await open(store, t);
      await provider();
      const created = await model();
      assert.equal(await store.transaction(trx => catalog.removeModel(trx, 'mock-1')), true);
      await catalog.refresh();
      assert.equal(catalog.snapshot().models.size, 0);
      assert.deepEqual(catalog.engines(), []);
      assert.ok(await catalog.priceVersion(created?.prices[0]?.version ?? ''));
      assert.equal(await store.transaction(trx => catalog.removeModel(trx, 'mock-1')), false);
      time.nowMs += 5_000;
      assert.equal((await model())?.createdAtMs, START_MS);
    });

    test('what is wrong is refused with its place, and nothing is changed', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      const { catalog, provider, model } = await open(store, t);
      await provider();
      await model();
      const before = catalog.snapshot();
      const deployment = { id: 'd', provider: 'mock' };
      const models: readonly [Partial<ModelInput>, string][] = [
        [{ id: 'no spaces' }, 'models.no spaces'],
        [{ operations: [] }, 'models.mock-1.operations'],
        [{ maxOutputTokens: 0 }, 'models.mock-1.maxOutputTokens'],
        [{ contextTokens: 1.5 }, 'models.mock-1.contextTokens'],
        [{ prices: [{ ...PRICE, inputPerM: '1000000.000000001' }] }, 'models.mock-1.prices[0].inputPerM'],
        [{ prices: [{ ...PRICE, inputPerM: '1.0000000001' }] }, 'models.mock-1.prices[0].inputPerM'],
        [{ prices: [PRICE, { ...PRICE, outputPerM: '-1' }] }, 'models.mock-1.prices[1].outputPerM'],
        [{ prices: [{ ...PRICE, currency: 'cny' }] }, 'models.mock-1.prices[0].currency'],
        [{ prices: [{ ...PRICE, effectiveFrom: '2026-02-30' }] }, 'models.mock-1.prices[0].effectiveFrom'],
        [{ prices: [PRICE, { ...PRICE, outputPerM: '2' }] }, 'models.mock-1.prices[1]'],
        [{ deployments: [{ id: 'd' }] }, 'models.mock-1.deployments.d'],
        [{ deployments: [{ ...deployment, engine: { file: '/x' } }] }, 'models.mock-1.deployments.d'],
        [{ deployments: [deployment, deployment] }, 'models.mock-1.deployments.d'],
        [{ deployments: [{ id: 'd', provider: 'none' }] }, 'models.mock-1.deployments.d.provider'],
        [{ deployments: [{ ...deployment, weight: 0 }] }, 'models.mock-1.deployments.d.weight'],
        [{ timeouts: { idleMs: 0 } }, 'models.mock-1.timeouts.idleMs'],
        [
          { deployments: [{ ...deployment, timeouts: { totalMs: 1e9 } }] },
          'models.mock-1.deployments.d.timeouts.totalMs',
        ],
        [{ deployments: [{ ...deployment, priority: -1 }] }, 'models.mock-1.deployments.d.priority'],
        [{ deployments: [{ ...deployment, upstreamModel: 'a\nb' }] }, 'models.mock-1.deployments.d.upstreamModel'],
        [{ deployments: [{ id: 'd', engine: { file: '' } }] }, 'models.mock-1.deployments.d.engine.file'],
        [
          { deployments: [{ ...deployment, costs: [{ ...PRICE, outputPerM: 'x' }] }] },
          'models.mock-1.deployments.d.costs[0].outputPerM',
        ],
        [{ id: 'mock-2', deployments: [{ id: 'mock-1-a', provider: 'mock' }] }, 'models.mock-2.deployments.mock-1-a'],
      ];
      for (const [more, path] of models) await assert.rejects(model(more), bad(path), path);
      const providers: readonly [Partial<ProviderInput>, string][] = [
        [{ id: 'Mock' }, 'providers.Mock'],
        [{ apiKey: 'sk-x\n' }, 'providers.mock.apiKey'],
        ...['ftp://a/v1', 'https://u:p@a/v1', 'https://a/v1?x=1', 'https://a/v1#x', 'a/v1', ''].map(
          (baseUrl): [Partial<ProviderInput>, string] => [{ baseUrl }, 'providers.mock.baseUrl'],
        ),
      ];
      for (const [more, path] of providers) await assert.rejects(provider(more), bad(path), path);
      await catalog.refresh();
      assert.equal(catalog.snapshot(), before);
      assert.ok(await model({ prices: [{ ...PRICE, inputPerM: '0', outputPerM: '1000000' }] }));
    });
  });
}

test('what another process sets is in force within two seconds', async t => {
  const options = await stores.place('postgres', t);
  if (!options) return;
  const store = await openStore(options);
  t.after(() => store[Symbol.asyncDispose]());
  const other = await openStore({ ...options, writer: false });
  t.after(() => other[Symbol.asyncDispose]());
  const [server, elsewhere] = [await open(store, t), await open(other, t)];
  await elsewhere.provider();
  await elsewhere.model();
  const startMs = performance.now();
  while (server.heard.at(-1)?.models.size !== 1) {
    assert.ok(performance.now() - startMs < 2_500, 'not in force after two and a half seconds');
    await new Promise(resolve => setTimeout(resolve, 20));
  }
});
