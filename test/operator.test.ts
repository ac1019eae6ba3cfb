import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { after, before, test } from 'node:test';
import {
  keyListSchema,
  keyStatusSchema,
  keyViewSchema,
  organizationListSchema,
  usageSchema,
  walletEntryListSchema,
} from '@millrace/contract';
import * as z from 'zod';
import { newHome, startServer, type TestServer } from './support/server.ts';

const CLI = resolve(import.meta.dirname, '../src/cli/main.ts');
const { home, remove } = newHome();
let server: TestServer;
let key = '';
let admin = '';
before(async () => {
  server = await startServer(home, { MILLRACE_LOG: 'error' });
  key = server.firstKey ?? '';
  admin = z.object({ key: z.string() }).parse((await server.cli('key', 'create', '--admin')).json).key;
  // On a busy machine the engine is not there at once, and nothing is settled until then.
  for (const content of ['What is 2 + 3?', 'What is 4 + 5?']) while ((await ask(content)) !== 200);
});
after(async () => {
  await server.signal('SIGTERM');
  remove();
});

const get = (path: string, bearer = key) =>
  fetch(server.url + path, { headers: { authorization: `Bearer ${bearer}`, 'accept-language': 'en' } });

async function ask(content: string, bearer = key): Promise<number> {
  const answer = await fetch(`${server.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'millrace-nano', messages: [{ role: 'user', content }], max_tokens: 8 }),
  });
  await answer.text();
  return answer.status;
}

/** What a command prints to a person. */
function said(...line: readonly string[]): Promise<{ readonly code: number | null; readonly out: string }> {
  return new Promise(done => {
    const child = spawn(process.execPath, [CLI, ...line], {
      env: { ...process.env, MILLRACE_HOME: home, MILLRACE_LANG: 'en' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let out = '';
    child.stdout.on('data', chunk => {
      out += chunk;
    });
    child.on('close', code => done({ code, out }));
  });
}

const json = async <S extends z.ZodType>(shape: S, ...line: readonly string[]) => {
  const { code, json: answer, err } = await server.cli(...line);
  assert.equal(code, 0, err);
  return shape.parse(answer);
};

test('usage of all organizations, by model, key and day, and for a spreadsheet', async () => {
  const all = await json(usageSchema, 'usage');
  assert.equal(all.lines.length, 2);
  const [total] = all.totals;
  assert.equal(total?.requests, 2);
  for (const [by, name] of [
    ['organization', 'default'],
    ['project', 'default/default'],
    ['model', 'millrace-nano'],
    ['deployment', 'millrace-nano'],
    ['provider', 'engine'],
    ['key', all.lines[0]?.keyId],
  ] as const) {
    const { groups, lines } = usageSchema.parse(await (await get(`/api/v1/usage?by=${by}`, admin)).json());
    assert.deepEqual([groups, lines], [[{ ...total, group: name }], []], by);
  }
  const ask = async (query: string) => usageSchema.parse(await (await get(`/api/v1/usage?${query}`, admin)).json());
  const { groups } = await ask('by=day&organization=default');
  assert.equal(
    groups.reduce((sum, { requests }) => sum + requests, 0),
    2,
  );
  const none = await ask('key=key_none&by=month');
  assert.deepEqual([none.totals, none.groups], [[], []]);

  const sheet = await said('usage', '--csv');
  const [head = '', ...rows] = sheet.out.trimEnd().split('\r\n');
  assert.deepEqual(head.split(',').slice(0, 3), ['at', 'requestId', 'organizationId']);
  assert.deepEqual(
    rows.map(row => row.split(',')[1]),
    all.lines.map(({ requestId }) => requestId),
  );
  assert.equal((await said('usage', '--csv', '--limit', '1')).out.trimEnd().split('\r\n').length, 2);
  assert.match((await said('usage', '--by', 'model', '--csv')).out, /^model,currency,.+\r\nmillrace-nano,CNY,2,0,/);
  assert.match((await said('usage', '--by', 'model')).out, /\n\nMODEL +CURRENCY .+\nmillrace-nano +CNY +2 /);
  // What costs nothing that is known is not said to cost nothing, nor to earn nothing.
  assert.match(
    (await said('usage', '--by', 'model', '--lang', 'zh')).out,
    /\n\n模型 +币种 .+\nmillrace-nano +CNY +2 .+ - +-\n$/,
  );
  assert.equal((await server.cli('usage', '--csv', '--json')).code, 2);
});

test('wallets: all of them, and what came and went with its notes', async () => {
  const note = 'invoice 12, paid';
  await server.cli(
    'wallet',
    'credit',
    '--org',
    'default',
    '--currency',
    'USD',
    '--amount',
    '7',
    '--note',
    note,
    '--key',
    'a1',
  );
  await server.cli('wallet', 'credit', '--org', 'default', '--currency', 'USD', '--amount', '-2', '--note', 'too much');
  const shown = await json(
    z.looseObject({ wallets: z.array(z.looseObject({ currency: z.string() })) }),
    'wallet',
    'show',
    '--org',
    'default',
  );
  assert.deepEqual(
    shown.wallets.map(({ currency }) => currency),
    ['CNY', 'USD'],
  );
  const { entries } = await json(walletEntryListSchema, 'wallet', 'entries', '--org', 'default');
  assert.deepEqual(
    entries.map(one => [one.kind, one.currency, one.amount, one.note]),
    [
      ['debit', 'USD', '-2', 'too much'],
      ['credit', 'USD', '7', note],
      ['config-credit', 'CNY', '100', 'configuration'],
    ],
  );
  assert.equal(entries[1]?.idempotencyKey, 'a1');
  const first = await json(walletEntryListSchema, 'wallet', 'entries', '--org', 'default', '--limit', '2');
  const second = await json(
    walletEntryListSchema,
    'wallet',
    'entries',
    '--org',
    'default',
    '--cursor',
    first.next ?? '',
  );
  assert.deepEqual([...first.entries, ...second.entries], entries);
  const cny = await json(walletEntryListSchema, 'wallet', 'entries', '--org', 'default', '--currency', 'CNY');
  assert.deepEqual([cny.entries.length, cny.next], [1, null]);
  assert.equal((await server.cli('wallet', 'show', '--org', 'default', '--currency', 'XYZ')).code, 2);
});

test('a key is changed while it is used, and a suspended organization is told of', async () => {
  const made = await json(
    z.object({ id: z.string(), key: z.string() }),
    'key',
    'create',
    '--org',
    'default',
    '--project',
    'default',
  );
  assert.equal(await ask('Hi', made.key), 200);
  const changed = await json(
    keyViewSchema,
    'key',
    'update',
    made.id,
    '--models',
    'other',
    '--name',
    'ci',
    '--budget',
    '1CNY/day',
  );
  assert.deepEqual(changed.scopes, { models: ['other'], budget: { currency: 'CNY', amount: '1', period: 'day' } });
  // Gateway threads hear of it at once, but not before the command ends.
  for (let tries = 0; tries < 50 && (await ask('Hi', made.key)) !== 404; tries++);
  assert.equal(await ask('Hi', made.key), 404, 'a model that it may not call is not there');
  await json(keyViewSchema, 'key', 'update', made.id, '--clear', 'models,budget');
  for (let tries = 0; tries < 50 && (await ask('Hi', made.key)) !== 200; tries++);
  assert.equal(await ask('Hi', made.key), 200);

  assert.equal((await server.cli('org', 'suspend', 'default')).code, 0);
  const { organizations } = await json(organizationListSchema, 'org', 'list');
  assert.deepEqual(organizations, [{ id: 'default', name: 'default', suspended: true }]);
  const { keys } = await json(keyListSchema, 'key', 'list');
  assert.ok(keys.every(({ kind, suspended }) => suspended === (kind === 'live')));
  assert.match((await said('org', 'list')).out, /default +default +suspended/);
  assert.equal((await get('/v1/key', made.key)).status, 401);
  assert.equal((await server.cli('org', 'resume', 'default')).code, 0);
  assert.equal((await server.cli('key', 'revoke', made.id)).code, 0);
  assert.equal((await server.cli('key', 'update', made.id, '--name', 'x')).code, 2);
});

test('who holds a key asks what it may, what it spent and what is left, and nothing else', async () => {
  const status = keyStatusSchema.parse(await (await get('/v1/key')).json());
  const [total] = status.usage.total;
  assert.deepEqual([status.organizationId, status.projectId, status.name], ['default', 'default', 'first']);
  assert.equal(total?.requests, 2);
  assert.deepEqual(status.usage.month, status.usage.total);
  assert.equal(status.budget, null);
  assert.doesNotMatch(JSON.stringify(status), /cost|margin|revenue/i);
  const amounts = z.object({ hard_limit_usd: z.number(), currency: z.string() });
  const subscription = amounts.parse(await (await get('/v1/dashboard/billing/subscription')).json());
  const usage = z.object({ total_usage: z.number(), daily_costs: z.array(z.object({ timestamp: z.number() })) });
  const { total_usage, daily_costs } = usage.parse(await (await get('/v1/dashboard/billing/usage')).json());
  const grants = z.object({ total_used: z.number(), total_available: z.number(), total_granted: z.number() });
  const credit = grants.parse(await (await get('/v1/dashboard/billing/credit_grants')).json());
  const spent = Number(total?.amount);
  assert.ok(Math.abs(total_usage / 100 - spent) < 1e-9 && daily_costs.length >= 1);
  assert.deepEqual([credit.total_used, credit.total_granted], [spent, subscription.hard_limit_usd]);
  const cny = status.wallets.find(({ currency }) => currency === 'CNY');
  assert.deepEqual([subscription.currency, credit.total_available], ['CNY', Number(cny?.available)]);
  const past = usage.parse(
    await (await get('/dashboard/billing/usage?start_date=2020-01-01&end_date=2020-02-01')).json(),
  );
  assert.equal(past.total_usage, 0);
  assert.equal((await get('/v1/dashboard/billing/usage?start_date=soon')).status, 400);
  for (const path of ['/v1/key', '/v1/dashboard/billing/subscription', '/dashboard/billing/credit_grants'])
    for (const bearer of ['', 'mr_live_x', `${key}x`]) assert.equal((await get(path, bearer)).status, 401, path);
  const away = await json(
    z.object({ key: z.string() }),
    'key',
    'create',
    '--org',
    'default',
    '--project',
    'default',
    '--ip',
    '10.0.0.0/8',
    '--budget',
    '5CNY/month',
  );
  assert.equal((await get('/v1/key', away.key)).status, 401, 'not from this address');
});

test('providers: the known by their id, others by their address, and none that is called is taken out', async () => {
  const add = (...line: readonly string[]) => server.cli('provider', 'add', ...line);
  assert.deepEqual((await add('deepseek')).json['baseUrl'], 'https://api.deepseek.com');
  assert.equal((await add('deepseek')).code, 2);
  assert.equal((await add('deepseek', '--replace')).code, 0);
  assert.match(
    (await add('deepsek')).err,
    /^--base-url: is missing, and "deepsek" is no vendor that is known; did you mean deepseek\?\n$/,
  );
  assert.match((await add('own', '--base-url', 'http://10.0.0.7/v1')).err, /set --allow-private-network to allow it/);
  assert.equal((await add('own', '--base-url', 'http://10.0.0.7/v1', '--allow-private-network')).code, 0);
  assert.match((await add('other', '--key-env', 'NOT_THERE')).err, /NOT_THERE is not set/);
  assert.match((await said('provider', 'known')).out, /\ndeepseek +DeepSeek +https:\/\/api\.deepseek\.com +✓\n/);
  assert.match((await said('provider', 'list')).out, /\nown +http:\/\/10\.0\.0\.7\/v1 +no /);
  assert.equal((await server.cli('provider', 'remove', 'own')).code, 0);
  assert.equal((await server.cli('provider', 'remove', 'own')).code, 1);
});
