import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { modelListSchema, ROUTES, type Route } from '@millrace/contract';
import { callJson, openTestPlane, type TestPlane } from '../../test/support/control-plane.ts';
import { readMetrics } from '../../test/support/metrics.ts';

let plane: TestPlane;
let adminKey = '';
let liveKey = '';
before(async () => {
  plane = await openTestPlane();
  adminKey = (await plane.deps.identity.createAdminKey({ name: 'ops' })).key;
  await callJson(plane.owner, '/api/v1/organizations', { method: 'POST', body: { id: 'acme' } });
  await callJson(plane.owner, '/api/v1/organizations/acme/projects', { method: 'POST', body: { id: 'web' } });
  const { body } = await callJson(plane.owner, '/api/v1/keys', {
    method: 'POST',
    body: { organizationId: 'acme', projectId: 'web' },
  });
  liveKey = (body as { key: string }).key;
});
after(() => plane[Symbol.asyncDispose]());

const codeOf = ({ body }: { readonly body: unknown }) => (body as { error?: { code?: string } }).error?.code;

/** Every route, with what it answers an admin when called without anything. */
const TRIED: readonly [method: string, target: string, status: number][] = [
  ['GET', '/api/v1/status', 200],
  ['GET', '/api/v1/organizations', 200],
  ['POST', '/api/v1/organizations', 400],
  ['POST', '/api/v1/organizations/none/suspend', 404],
  ['POST', '/api/v1/organizations/acme/resume', 200],
  ['GET', '/api/v1/organizations/acme/projects', 200],
  ['POST', '/api/v1/organizations/acme/projects', 400],
  ['GET', '/api/v1/keys', 200],
  ['POST', '/api/v1/keys', 400],
  ['POST', '/api/v1/admin-keys', 400],
  ['DELETE', '/api/v1/keys/key_none', 404],
  ['PATCH', '/api/v1/keys/key_none', 404],
  ['GET', '/api/v1/organizations/acme/wallets', 200],
  ['GET', '/api/v1/organizations/acme/wallets/entries', 200],
  ['POST', '/api/v1/organizations/acme/wallets/credit', 400],
  ['GET', '/api/v1/models', 200],
  ['POST', '/api/v1/models', 400],
  ['GET', '/api/v1/models/none', 404],
  ['POST', '/api/v1/models/inspect', 400],
  ['DELETE', '/api/v1/models/none', 404],
  ['GET', '/api/v1/providers', 200],
  ['GET', '/api/v1/providers/known', 200],
  ['POST', '/api/v1/providers', 400],
  ['DELETE', '/api/v1/providers/none', 404],
  ['POST', '/api/v1/config/apply', 400],
  ['GET', '/api/v1/usage', 200],
  ['GET', '/api/v1/usage?by=model', 200],
  ['GET', '/api/v1/usage?by=colour', 400],
  ['GET', '/api/v1/usage?project=web', 400],
  ['GET', '/api/v1/usage?organization=acme', 200],
  ['POST', '/api/v1/ledger/verify', 200],
  ['GET', '/api/v1/ledger/suspense', 200],
  ['GET', '/api/v1/ledger/suspense/none', 404],
  ['POST', '/api/v1/ledger/suspense/none/book', 404],
  ['POST', '/api/v1/ledger/suspense/none/dismiss', 400],
  ['GET', '/api/v1/journal', 200],
  ['GET', '/api/v1/journal/requests/none', 404],
  ['GET', '/api/v1/jobs', 200],
  ['GET', '/api/v1/jobs/depth', 200],
  ['GET', '/api/v1/jobs/job_none', 404],
  ['POST', '/api/v1/jobs/job_none/cancel', 404],
  ['POST', '/api/v1/jobs/job_none/retry', 404],
  ['GET', '/api/v1/audit', 200],
  ['POST', '/api/v1/audit/verify', 200],
];

test('the network needs an admin key for every route, the owner none', async () => {
  for (const [method, target, status] of TRIED) {
    const at = `${method} ${target}`;
    assert.equal((await callJson(plane.public, target, { method })).status, 401, at);
    for (const key of ['', 'nonsense', liveKey, adminKey.slice(0, -1), adminKey.replace('admin', 'live')]) {
      const answer = await callJson(plane.public, target, { method, headers: { authorization: `Bearer ${key}` } });
      assert.equal(answer.status, 401, at);
      assert.equal(codeOf(answer), 'invalid_api_key');
    }
    const headers = { authorization: `Bearer ${adminKey}` };
    assert.equal((await callJson(plane.public, target, { method, headers })).status, status, at);
    assert.equal((await callJson(plane.owner, target, { method })).status, status, at);
  }
});

test('every route of the table is tried above', () => {
  const patterns = Object.values(ROUTES).flatMap(routes =>
    Object.values<Route>(routes).map(({ method, path }) => `${method} ${path.replace(/:\w+\+?/g, '*')}`),
  );
  const tried = new Set([
    ...TRIED.map(([method, target]) =>
      `${method} ${target.split('?')[0]}`.replace(/\/(acme|none|key_none|job_none)/, '/*'),
    ),
    'POST /api/v1/backup',
  ]);
  assert.deepEqual(new Set(patterns), tried);
});

test('files of the server are for its owner alone', async () => {
  const body = { folder: join(plane.home, 'copy') };
  const headers = { authorization: `Bearer ${adminKey}` };
  const answer = await callJson(plane.public, '/api/v1/backup', { method: 'POST', body, headers });
  assert.deepEqual([answer.status, codeOf(answer)], [403, 'forbidden']);
  assert.equal((await callJson(plane.owner, '/api/v1/backup', { method: 'POST', body })).status, 200);
});

test('page, health and readiness are open; metrics to this machine and to admins', async () => {
  for (const target of ['/healthz', '/readyz']) assert.equal((await callJson(plane.public, target)).status, 200);
  const metrics = (headers: Record<string, string>, app = plane.public) =>
    app.request('http://localhost/metrics', { headers: { host: 'localhost', ...headers } });
  for (const address of ['127.0.0.1', '::1', '::ffff:127.0.0.1'])
    assert.equal((await metrics({ 'x-millrace-client-ip': address })).status, 200, address);
  // Empty: a proxy that is not trusted passed it on.
  for (const address of ['', '10.0.0.1', '127.evil', '::ffff:10.0.0.1'])
    assert.equal((await metrics({ 'x-millrace-client-ip': address })).status, 401, address);
  assert.equal((await metrics({ authorization: `Bearer ${adminKey}` })).status, 200);
  assert.equal((await metrics({}, plane.owner)).status, 200);
});

test('tenants appear in the metrics of an admin only', async () => {
  const credit = { currency: 'CNY', amount: '12.5' };
  await callJson(plane.owner, '/api/v1/organizations/acme/wallets/credit', { method: 'POST', body: credit });
  const text = async (headers: Record<string, string>) =>
    (await plane.public.request('http://localhost/metrics', { headers: { host: 'localhost', ...headers } })).text();
  const admin = await text({ authorization: `Bearer ${adminKey}` });
  assert.match(admin, /^millrace_wallet_spendable\{organization="acme",currency="CNY"\} 12\.5$/m);
  const plain = await text({ 'x-millrace-client-ip': '127.0.0.1' });
  assert.doesNotMatch(plain, /acme/);
  for (const shown of [admin, plain]) assert.ok(readMetrics(shown).size > 20);
});

test('a node of this machine alone answers only to its own names', async () => {
  const status = async (host: string) =>
    (await plane.public.request('http://localhost/healthz', { headers: { host } })).status;
  for (const host of ['localhost', 'localhost:8080', '127.0.0.1:8080', '[::1]:8080', 'x.localhost:1', 'LOCALHOST'])
    assert.equal(await status(host), 200, host);
  for (const host of [
    'evil.example',
    'evil.example:8080',
    '127.0.0.1.evil.example',
    'localhost.evil.example',
    '10.0.0.1',
  ])
    assert.equal(await status(host), 403, host);
  await using open = await openTestPlane({ host: '0.0.0.0' });
  const answer = await open.public.request('http://localhost/healthz', { headers: { host: 'models.example' } });
  assert.equal(answer.status, 200);
});

test('what is wrong is said in the shape and the language of the reader', async () => {
  const cases: readonly [string, string, unknown, number, object][] = [
    [
      'POST',
      '/api/v1/organizations',
      '{',
      400,
      { code: 'malformed_request', message: '请求体不是 UTF-8 编码的 JSON', param: null },
    ],
    [
      'POST',
      '/api/v1/organizations',
      [],
      400,
      { code: 'invalid_parameter', message: '请求体必须是一组字段', param: '' },
    ],
    [
      'POST',
      '/api/v1/organizations',
      { id: 'a', nmae: 'x' },
      400,
      { code: 'invalid_parameter', message: 'nmae：不是已知字段，是否想写 name？', param: 'nmae' },
    ],
    [
      'POST',
      '/api/v1/organizations',
      { id: 'acme' },
      409,
      { code: 'conflict', message: '组织 acme 已存在', param: 'id' },
    ],
    [
      'POST',
      '/api/v1/organizations/nobody/projects',
      { id: 'x' },
      404,
      { code: 'not_found', message: '不存在组织 nobody', param: null },
    ],
    [
      'POST',
      '/api/v1/organizations/acme/projects',
      { id: 'web' },
      409,
      { code: 'conflict', message: 'acme 已有项目 web', param: 'id' },
    ],
    [
      'GET',
      '/api/v1/usage?organization=acme&limit=0',
      undefined,
      400,
      { code: 'invalid_parameter', message: 'limit：至少为 1', param: 'limit' },
    ],
    [
      'GET',
      '/api/v1/usage?organization=acme&organization=b',
      undefined,
      400,
      { code: 'invalid_parameter', message: 'organization：重复', param: 'organization' },
    ],
    ['GET', '/api/v1/nothing', undefined, 404, { code: 'not_found', message: '资源不存在', param: null }],
    [
      'POST',
      '/chat/completions',
      {},
      404,
      {
        code: 'not_found',
        message: '/chat/completions 没有服务：模型 API 的基础地址应以 /v1 结尾，例如 /v1/chat/completions',
        param: null,
      },
    ],
    [
      'PATCH',
      '/api/v1/organizations',
      undefined,
      405,
      { code: 'method_not_allowed', message: '此路径不支持该请求方法', param: null },
    ],
  ];
  for (const [method, target, body, status, error] of cases) {
    const headers = { 'accept-language': 'fr;q=0.9, zh-CN;q=0.8, en;q=0.5' };
    const answer = await callJson(plane.owner, target, { method, body, headers });
    assert.deepEqual([answer.status, answer.body], [status, { error }], `${method} ${target}`);
  }
  const wrong = await callJson(plane.owner, '/api/v1/organizations', { method: 'DELETE' });
  assert.equal(wrong.headers.get('allow'), 'GET, POST');
  const large = { method: 'POST', headers: { 'content-length': '9000000', host: 'localhost' } };
  assert.equal((await plane.owner.request('http://localhost/api/v1/organizations', large)).status, 413);
});

test('a document with mistakes is answered with all of them and their paths', async () => {
  const config = { organizations: [{ id: 'A' }], models: 1 };
  const answer = await callJson(plane.owner, '/api/v1/config/apply', { method: 'POST', body: { config } });
  assert.equal(answer.status, 400);
  const { error } = answer.body as { error: { code: string; param: string; issues: { path: unknown[] }[] } };
  assert.deepEqual([error.code, error.param], ['config_invalid', 'models']);
  assert.deepEqual(
    error.issues.map(({ path }) => path),
    [['models'], ['organizations', 0, 'id']],
  );
});

test('keys: shown once, listed by a hint, refused after they are revoked', async () => {
  const scopes = { models: ['a*'], requestsPerMinute: 5, budget: { currency: 'CNY', amount: '10', period: 'month' } };
  const body = { organizationId: 'acme', projectId: 'web', name: 'ci', scopes, expiresAt: '2099-01-01' };
  const made = await callJson(plane.owner, '/api/v1/keys', { method: 'POST', body });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  const { id, key } = made.body as { id: string; key: string };
  assert.match(key, /^mr_live_/);
  const listed = await callJson(plane.owner, '/api/v1/keys?organization=acme');
  assert.doesNotMatch(JSON.stringify(listed.body), new RegExp(key));
  const entry = (listed.body as { keys: { id: string }[] }).keys.find(one => one.id === id);
  assert.deepEqual(
    { ...entry, hint: '', createdAt: '' },
    {
      id,
      kind: 'live',
      organizationId: 'acme',
      projectId: 'web',
      name: 'ci',
      hint: '',
      scopes,
      createdAt: '',
      expiresAt: '2099-01-01T00:00:00.000Z',
      role: null,
      revokedAt: null,
      suspended: false,
    },
  );
  assert.equal((await callJson(plane.owner, `/api/v1/keys/${id}`, { method: 'DELETE' })).status, 200);
  assert.ok(!plane.deps.identity.callers().some(({ keyId }) => keyId === id));
});

test('a credit with the same idempotency key is booked once', async () => {
  await callJson(plane.owner, '/api/v1/organizations', { method: 'POST', body: { id: 'payer' } });
  const send = (amount: string) =>
    callJson(plane.owner, '/api/v1/organizations/payer/wallets/credit', {
      method: 'POST',
      body: { currency: 'USD', amount, idempotencyKey: 'order-1' },
    });
  const wallet = { currency: 'USD', balance: '3', held: '0', available: '3' };
  assert.deepEqual((await send('3')).body, { booked: true, ...wallet });
  const again = await send('3');
  assert.deepEqual([again.status, again.body], [200, { booked: false, ...wallet }]);
  assert.equal((await send('4')).status, 409);
});

test('why a deployment failed last stands in the list of models and in the metrics, and nowhere before', async () => {
  await using plane = await openTestPlane();
  const config = {
    providers: [{ id: 'mock', baseUrl: 'https://mock.example/v1' }],
    models: [
      {
        id: 'm',
        prices: [{ currency: 'CNY', inputPerM: '1', outputPerM: '1' }],
        deployments: [{ id: 'd', provider: 'mock' }],
      },
    ],
  };
  await callJson(plane.owner, '/api/v1/config/apply', { method: 'POST', body: { config } });
  const list = async () =>
    modelListSchema.parse((await callJson(plane.owner, '/api/v1/models')).body).models[0]?.deployments[0]?.lastFailure;
  const metric = async () =>
    /^millrace_deployment_last_failure_timestamp_seconds.*$/m.exec(
      await (await plane.owner.request('http://localhost/metrics', { headers: { host: 'localhost' } })).text(),
    )?.[0];
  assert.deepEqual([await list(), await metric()], [null, undefined]);
  const failure = { code: 'upstream_error', status: 401, reason: 'invalid_api_key: no such key' } as const;
  plane.failures.set('d', { ...failure, deploymentId: 'd', atMs: 1_800_000_000_500 });
  assert.deepEqual(await list(), { ...failure, at: '2027-01-15T08:00:00.500Z' });
  const labels = 'model="m",deployment="d",code="upstream_error"';
  assert.equal(await metric(), `millrace_deployment_last_failure_timestamp_seconds{${labels}} 1800000000.5`);
});
