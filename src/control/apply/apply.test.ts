import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { pathText } from '@millrace/contract';
import { callJson, openTestPlane, type TestPlane } from '../../../test/support/control-plane.ts';
import { applyDocument } from './apply.ts';

let plane: TestPlane;
before(async () => {
  plane = await openTestPlane();
});
after(() => plane[Symbol.asyncDispose]());

/** The document of the README, as YAML gives it. */
const document = () => ({
  providers: [
    {
      id: 'mock',
      dialect: 'openai-chat',
      baseUrl: 'http://127.0.0.1:9000/v1',
      apiKey: 'sk-canary',
      allowPrivateNetwork: true,
    },
  ],
  models: [
    {
      id: 'mock-1',
      prices: [
        { currency: 'CNY', inputPerM: '4', cachedInputPerM: '1', outputPerM: '16', effectiveFrom: '2026-01-01' },
      ],
      deployments: [
        {
          id: 'mock-1-a',
          provider: 'mock',
          upstreamModel: 'mock-1',
          costs: [{ currency: 'CNY', inputPerM: '2', outputPerM: '8' }],
        },
      ],
    },
  ],
  organizations: [{ id: 'acme', wallet: { currency: 'CNY', credit: '100' }, projects: [{ id: 'web' }] }],
});
type Document = ReturnType<typeof document>;

const apply = (value: unknown, dryRun = false) => applyDocument(plane.deps, value, { dryRun });

async function changes(value: unknown, dryRun = false): Promise<readonly string[]> {
  const outcome = await apply(value, dryRun);
  assert.ok(outcome.ok, JSON.stringify(outcome));
  return outcome.value.changes.map(
    ({ kind, id, action, fields }) =>
      `${action} ${kind} ${id}${action === 'created' ? '' : fields.map(({ field, from, to }) => ` ${field}: ${from} → ${to}`).join(';')}`,
  );
}

const balance = async () => (await plane.deps.ledger.balances('acme'))[0]?.balanceNano;

const CREATED = [
  'created provider mock',
  'created model mock-1',
  'created deployment mock-1-a',
  'created organization acme',
  'created wallet acme/CNY',
  'created project acme/web',
];

test('a dry run reports what would happen and changes nothing', async () => {
  assert.deepEqual(await changes(document(), true), CREATED);
  assert.equal(plane.deps.catalog.snapshot().models.size, 0);
  assert.deepEqual(await plane.deps.identity.organizations(), []);
  assert.equal(await balance(), undefined);
});

test('applied twice, the second time nothing changes', async () => {
  assert.deepEqual(await changes(document()), CREATED);
  assert.equal(await balance(), 100_000_000_000n);
  const [wallet] = plane.deps.ledger.walletsOf('acme');
  assert.ok(wallet);
  assert.equal(plane.deps.slots.wallets.spendable(wallet.slot), 100_000_000_000n);
  const revision = plane.deps.catalog.snapshot().revision;
  assert.deepEqual(
    await changes(document()),
    CREATED.map(line => line.replace('created', 'unchanged')),
  );
  assert.equal(await balance(), 100_000_000_000n);
  assert.equal(plane.deps.catalog.snapshot().revision, revision, 'the data plane is not told of nothing');
});

test('each change is named with what was and what is', async () => {
  const cases: readonly [string, (value: Document) => unknown, readonly string[]][] = [
    [
      'price',
      ({ models: [model] }) => Object.assign(model?.prices[0] ?? {}, { outputPerM: '20' }),
      ['changed model mock-1 prices: 4/1/16 CNY from 2026-01-01 → 4/1/20 CNY from 2026-01-01'],
    ],
    [
      'key, not shown',
      ({ providers: [provider] }) => Object.assign(provider ?? {}, { apiKey: 'sk-other' }),
      ['changed provider mock apiKey: *** → ***'],
    ],
    [
      'address without a key: the key belongs to the old one',
      value => {
        const { apiKey: _apiKey, ...keyless } = value.providers[0] ?? {};
        Object.assign(value, { providers: [{ ...keyless, baseUrl: 'http://127.0.0.1:9001/v1' }] });
      },
      ['changed provider mock baseUrl: http://127.0.0.1:9000/v1 → http://127.0.0.1:9001/v1; apiKey: *** → null'],
    ],
    [
      'deployment limits',
      ({ models: [model] }) => Object.assign(model?.deployments[0] ?? {}, { concurrency: 4, weight: 2 }),
      ['changed deployment mock-1-a concurrency: null → 4; weight: 1 → 2'],
    ],
    [
      'deployment replaced',
      ({ models: [model] }) => Object.assign(model?.deployments[0] ?? {}, { id: 'mock-1-b' }),
      [
        'changed model mock-1 deployments: mock-1-a → mock-1-b',
        'created deployment mock-1-b',
        'removed deployment mock-1-a model: mock-1 → null; provider: mock → null; upstreamModel: mock-1 → null; priority: 0 → null; weight: 1 → null; costs: 2/8 CNY → null',
      ],
    ],
    [
      'an engine beside it',
      ({ models: [model] }) =>
        Object.assign(model ?? {}, { deployments: [{ id: 'own', engine: { file: '/m/good.gguf' } }] }),
      [
        'changed model mock-1 deployments: mock-1-a → own',
        'created deployment own',
        'removed deployment mock-1-a model: mock-1 → null; provider: mock → null; upstreamModel: mock-1 → null; priority: 0 → null; weight: 1 → null; costs: 2/8 CNY → null',
      ],
    ],
    [
      'names',
      ({ organizations: [organization] }) => Object.assign(organization ?? {}, { name: 'Acme Inc.' }),
      ['changed organization acme name: acme → Acme Inc.'],
    ],
  ];
  for (const [name, edit, expected] of cases) {
    const value = document();
    edit(value);
    const lines = (await changes(value)).filter(line => !line.startsWith('unchanged'));
    assert.deepEqual(lines, expected, name);
    assert.deepEqual(
      (await changes(value)).filter(line => !line.startsWith('unchanged')),
      [],
      `${name}, again`,
    );
    await changes(document());
  }
});

test('wallet.credit is a total: raised it credits the rest, lowered it is refused', async () => {
  const credit = (amount: string) => {
    const value = document();
    Object.assign(value.organizations[0]?.wallet ?? {}, { credit: amount });
    return value;
  };
  assert.deepEqual(
    (await changes(credit('150'))).filter(line => !line.startsWith('unchanged')),
    ['changed wallet acme/CNY credit: 100 → 150'],
  );
  assert.equal(await balance(), 150_000_000_000n);
  const outcome = await apply(credit('100'));
  assert.ok(!outcome.ok);
  assert.deepEqual(outcome.issues[0]?.path, ['organizations', 0, 'wallet', 'credit']);
  assert.match(outcome.issues[0]?.words.en ?? '', /less than the 150 CNY .* --amount -50$/);
  assert.equal(await balance(), 150_000_000_000n);
});

test('two documents applied at once credit once', async () => {
  const value = { organizations: [{ id: 'twin', wallet: { currency: 'USD', credit: '7' } }] };
  await Promise.all([apply(value), apply(value), apply(value)]);
  assert.equal((await plane.deps.ledger.balances('twin'))[0]?.balanceNano, 7_000_000_000n);
});

test('what the document does not name is left alone', async () => {
  await changes({ organizations: [{ id: 'other' }] });
  assert.ok(plane.deps.catalog.snapshot().models.has('mock-1'));
  assert.deepEqual(
    (await plane.deps.identity.projects('acme')).map(({ id }) => id),
    ['web'],
  );
});

test('one thing wrong, and nothing is changed', async () => {
  const before = await plane.deps.identity.organizations();
  const outcome = await apply({
    organizations: [{ id: 'fresh' }],
    models: [{ id: 'm', prices: [price], deployments: [{ id: 'm-a', provider: 'nobody' }] }],
  });
  assert.ok(!outcome.ok);
  assert.deepEqual(await plane.deps.identity.organizations(), before);
});

const price = { currency: 'CNY', inputPerM: '1', outputPerM: '1' };
const model = (more: object) => ({
  models: [{ id: 'm', prices: [price], deployments: [{ id: 'm-a', provider: 'mock' }], ...more }],
});
const provider = (more: object) => ({ providers: [{ id: 'p', baseUrl: 'https://example.com/v1', ...more }] });

const BAD: readonly [value: unknown, ...issues: string[]][] = [
  [[], ' must be a group of fields'],
  ['text', ' must be a group of fields'],
  [{ model: [] }, 'model is not a known field; did you mean models?'],
  [{ models: {} }, 'models must be a list'],
  [{ models: [null] }, 'models[0] is empty'],
  [
    model({ id: 'has space' }),
    'models[0].id "has space" is not a model id: use up to 128 of letters, digits, "." "_" ":" "/" "@" "-", starting and ending with a letter or digit',
  ],
  [model({ prices: [] }), 'models[0].prices needs at least 1 entry'],
  [
    model({ prices: [{ ...price, inputPerM: '4x' }] }),
    'models[0].prices[0].inputPerM "4x" is not a price: use a decimal number such as 0.5, from 0 to 1000000, with at most nine decimals',
  ],
  [model({ prices: [{ ...price, inputPerM: 4 }] }), 'models[0].prices[0].inputPerM must be text: put it in quotes'],
  [
    model({ prices: [{ ...price, inputPerM: '-1' }] }),
    'models[0].prices[0].inputPerM "-1" is not a price: use a decimal number such as 0.5, from 0 to 1000000, with at most nine decimals',
  ],
  [
    model({ prices: [{ ...price, inputPerM: '1e3' }] }),
    'models[0].prices[0].inputPerM "1e3" is not a price: use a decimal number such as 0.5, from 0 to 1000000, with at most nine decimals',
  ],
  [
    model({ prices: [{ ...price, currency: 'yuan' }] }),
    'models[0].prices[0].currency "yuan" is not a currency code of ISO 4217, such as CNY or USD',
  ],
  [
    model({ prices: [{ ...price, effectiveFrom: '2026-02-30' }] }),
    'models[0].prices[0].effectiveFrom "2026-02-30" is not a date: use 2026-01-31 (midnight UTC) or 2026-01-31T08:00:00+08:00',
  ],
  [
    model({ prices: [{ ...price, effectiveFrom: '2026-01-01T00:00:00' }] }),
    'models[0].prices[0].effectiveFrom "2026-01-01T00:00:00" is not a date: use 2026-01-31 (midnight UTC) or 2026-01-31T08:00:00+08:00',
  ],
  [
    model({ prices: [price, price] }),
    'models[0].prices[1] is a second price in CNY from the beginning on: give it another effectiveFrom',
  ],
  [
    model({
      prices: [
        { ...price, effectiveFrom: '2026-01-01' },
        { ...price, effectiveFrom: '2026-01-01T08:00:00+08:00' },
      ],
    }),
    'models[0].prices[1] is a second price in CNY from 2026-01-01T08:00:00+08:00 on: give it another effectiveFrom',
  ],
  [model({ maxOutputTokens: 0 }), 'models[0].maxOutputTokens must be at least 1'],
  [model({ maxOutputTokens: 1.5 }), 'models[0].maxOutputTokens must be a whole number'],
  [model({ operations: ['chat', 'paint'] }), 'models[0].operations[1] must be one of chat, completions, embeddings'],
  [model({ deployments: [{ id: 'm-a' }] }), 'models[0].deployments[0] needs either provider or engine'],
  [
    model({ deployments: [{ id: 'm-a', provider: 'mock', engine: { file: '/m/good.gguf' } }] }),
    'models[0].deployments[0] needs either provider or engine',
  ],
  [
    model({ deployments: [{ id: 'm-a', provider: 'nobody' }] }),
    'models[0].deployments[0].provider there is no provider "nobody", neither here nor on the server',
  ],
  [
    model({
      deployments: [
        { id: 'm-a', provider: 'mock' },
        { id: 'm-a', provider: 'mock' },
      ],
    }),
    'models[0].deployments[1].id "m-a" is a deployment of m already',
  ],
  [
    model({ deployments: [{ id: 'mock-1-a', provider: 'mock' }] }),
    'models[0].deployments[0].id "mock-1-a" is a deployment of mock-1 already',
  ],
  [
    model({ deployments: [{ id: 'm-a', engine: { file: '/m/bad.gguf' } }] }),
    'models[0].deployments[0].engine.file /m/bad.gguf: cannot be opened (ENOENT)',
  ],
  [
    { models: [...model({}).models, ...model({}).models] },
    'models[1].id "m" stands twice, first as entry 1',
    'models[1].deployments[0].id "m-a" is a deployment of m already',
  ],
  [provider({ baseURL: 'x' }), 'providers[0].baseURL is not a known field; did you mean baseUrl?'],
  [provider({ apikey: 'sk-canary' }), 'providers[0].apikey is not a known field; did you mean apiKey?'],
  [provider({ apiKey: '' }), 'providers[0].apiKey is empty'],
  ...['sk-canary\n', 'sk-canary…', 'sk\0canary', 'sk-canary '].map((apiKey): [unknown, string] => [
    provider({ apiKey }),
    'providers[0].apiKey holds a blank or another character that no key in an HTTP header can hold, such as a line break',
  ]),
  [provider({ apiKey: 123 }), 'providers[0].apiKey must be text: put it in quotes'],
  [provider({ dialect: 'anthropic' }), 'providers[0].dialect must be openai-chat'],
  [provider({ allowPrivateNetwork: 'yes' }), 'providers[0].allowPrivateNetwork must be true or false'],
  [
    provider({ baseUrl: 'ftp://x' }),
    'providers[0].baseUrl "ftp://x" is not a base URL: use http:// or https://, without user, query or fragment',
  ],
  [
    provider({ baseUrl: 'https://me:pw@x.com' }),
    'providers[0].baseUrl "https://***@x.com" is not a base URL: use http:// or https://, without user, query or fragment',
  ],
  ...[
    'file:///etc/passwd',
    'https://x.com/v1#a',
    'https://x.com/v1?k=1',
    '//x.com',
    'x.com',
    'https://',
    'unix:/x.sock',
  ].map((baseUrl): [unknown, string] => [
    provider({ baseUrl }),
    `providers[0].baseUrl "${baseUrl}" is not a base URL: use http:// or https://, without user, query or fragment`,
  ]),
  ...[
    '127.0.0.1',
    '2130706433',
    '0x7f.1',
    '[::1]',
    '[::ffff:10.0.0.8]',
    '192.168.1.1',
    'localhost.',
    'a.localhost',
  ].map((host): [unknown, string] => [
    provider({ baseUrl: `http://${host}/v1` }),
    `providers[0].baseUrl ${new URL(`http://${host}`).hostname.replace(/^\[|\]$|\.$/g, '')} is on a private network: set allowPrivateNetwork: true to allow it`,
  ]),
  ...['169.254.169.254', '0.0.0.0', '255.255.255.255'].map((host): [unknown, string] => [
    provider({ baseUrl: `http://${host}/v1`, allowPrivateNetwork: true }),
    `providers[0].baseUrl ${host.replace(/^\[|\]$/g, '')} is an address that is never called`,
  ]),
  [
    { organizations: Array.from({ length: 10_001 }, (_, n) => ({ id: `o${n}` })) },
    'organizations takes at most 10000 entries',
  ],
  [
    provider({ baseUrl: 'http://10.0.0.8/v1' }),
    'providers[0].baseUrl 10.0.0.8 is on a private network: set allowPrivateNetwork: true to allow it',
  ],
  [
    provider({ baseUrl: 'http://localhost/v1' }),
    'providers[0].baseUrl localhost is on a private network: set allowPrivateNetwork: true to allow it',
  ],
  [
    { organizations: [{ id: 'Acme' }] },
    'organizations[0].id "Acme" is not an id: use up to 64 of a-z, 0-9, "." "_" "-", starting and ending with a letter or digit',
  ],
  [
    { organizations: [{ id: 'x', projects: [{ id: 'a' }, { id: 'a' }] }] },
    'organizations[0].projects[1].id "a" stands twice, first as entry 1',
  ],
  [
    { organizations: [{ id: 'x', wallet: { currency: 'CNY' }, wallets: [{ currency: 'USD' }] }] },
    'organizations[0].wallets stands beside wallet: name one wallet with wallet, several with wallets',
  ],
  [
    { organizations: [{ id: 'x', wallets: [{ currency: 'USD' }, { currency: 'USD' }] }] },
    'organizations[0].wallets[1].currency is a second wallet in USD',
  ],
  [
    { organizations: [{}], providers: [{ id: 'p', baseUrl: 1 }] },
    'providers[0].baseUrl must be text: put it in quotes',
    'organizations[0].id is missing',
  ],
];

test('every mistake is one clause with its path, in both languages', async () => {
  for (const [value, ...expected] of BAD) {
    const outcome = await apply(value);
    assert.ok(!outcome.ok, JSON.stringify(value));
    assert.deepEqual(
      outcome.issues.map(({ path, words }) => `${pathText(path)} ${words.en}`),
      expected,
    );
    for (const { words } of outcome.issues) assert.match(words.zh, /\p{Script=Han}/u, words.zh);
    assert.doesNotMatch(JSON.stringify(outcome), /sk-canary/, 'a secret is not repeated');
  }
});

test('a removed model is out of service, and comes back when it is applied again', async () => {
  const remove = (id: string) =>
    callJson(plane.owner, `/api/v1/models/${encodeURIComponent(id)}`, { method: 'DELETE' });
  const value = { ...document(), organizations: [] };
  Object.assign(value.models[0] ?? {}, { id: 'vendor/mock:1' });
  Object.assign(value.models[0]?.deployments[0] ?? {}, { id: 'vendor-mock' });
  await changes(value);
  assert.deepEqual([(await remove('vendor/mock:1')).status, (await remove('vendor/mock:1')).status], [200, 404]);
  assert.ok(!plane.deps.catalog.snapshot().models.has('vendor/mock:1'));
  assert.ok((await changes(value)).some(line => /^(created|changed) model vendor\/mock:1/.test(line)));
  assert.ok(plane.deps.catalog.snapshot().models.has('vendor/mock:1'));
});
