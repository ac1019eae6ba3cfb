import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { PERMISSION_NAMES, ROLE_NAMES, ROUTES, type Role, type Route, roleMay, routeTarget } from '@millrace/contract';
import { callJson, openTestPlane, type TestPlane } from '../../../test/support/control-plane.ts';

let plane: TestPlane;
before(async () => {
  plane = await openTestPlane();
  for (const id of ['acme', 'other']) {
    await callJson(plane.owner, '/api/v1/organizations', { method: 'POST', body: { id } });
    await callJson(plane.owner, `/api/v1/organizations/${id}/projects`, { method: 'POST', body: { id: 'web' } });
  }
});
after(() => plane[Symbol.asyncDispose]());

const all: readonly (readonly [string, Route])[] = Object.entries(ROUTES).flatMap(([noun, routes]) =>
  Object.entries<Route>(routes).map(([verb, route]) => [`${noun}.${verb}`, route] as const),
);
const codeOf = ({ body }: { readonly body: unknown }) => (body as { error?: { code?: string } }).error?.code;
const field = (body: unknown, name: string) => (body as Record<string, unknown>)[name];

async function keyOf(role: Role, organizationId?: string): Promise<Record<string, string>> {
  const { key } = await plane.deps.identity.createAdminKey({ name: role, role, organizationId });
  return { authorization: `Bearer ${key}` };
}

/** Asks a route of one organization, with nothing in its body. */
function ask([, route]: (typeof all)[number], organization: string, headers: Record<string, string>) {
  const params = Object.fromEntries(
    [...route.path.matchAll(/:(\w+)/g)].map(([, name = '']) => [name, name === 'organization' ? organization : 'none']),
  );
  const query =
    typeof route.tenant === 'object' && 'query' in route.tenant ? { [route.tenant.query]: organization } : {};
  const { method } = route;
  return callJson(plane.public, routeTarget(route, { params, query }), { method, headers });
}

test('a route needs a permission, whatever it changes is audited, and every permission is needed somewhere', () => {
  const seen = new Set<string>();
  for (const [name, route] of all) {
    assert.ok(route.permission, name);
    seen.add(route.permission);
    // What only reads, though it is sent: a proof, a look into a file.
    const reads = route.method === 'GET' || ['ledger.verify', 'audit.verify', 'models.inspect'].includes(name);
    assert.equal(route.audit === undefined, reads, name);
    if (route.method !== 'GET' && route.method !== 'POST') assert.equal(route.idempotency, 'natural', name);
  }
  // Has no route yet: what could not be booked is resolved by a command that is still to come.
  seen.add('ledger.write');
  assert.deepEqual(seen, new Set(PERMISSION_NAMES));
});

test('every route with every role: what the table says, and nothing else', async () => {
  for (const role of ROLE_NAMES) {
    const headers = await keyOf(role);
    for (const each of all) {
      const [name, { permission = 'node.read' }] = each;
      const answer = await ask(each, 'acme', headers);
      if (roleMay(role, permission))
        assert.ok(![401, 403].includes(answer.status), `${role} ${name}: ${answer.status}`);
      else assert.deepEqual([answer.status, codeOf(answer)], [403, 'forbidden'], `${role} ${name}`);
    }
  }
});

test('every route with another tenant’s identity: nothing of it is there', async () => {
  for (const role of ROLE_NAMES) {
    const headers = await keyOf(role, 'other');
    for (const each of all) {
      const [name, route] = each;
      const answer = await ask(each, 'acme', headers);
      const may = roleMay(role, route.permission ?? 'node.read');
      if (!may || route.tenant === 'platform') assert.equal(answer.status, 403, `${role} ${name}`);
      else if (route.tenant !== 'open' && !(route.tenant === 'object' && codeOf(answer) === 'invalid_parameter'))
        assert.deepEqual([answer.status, codeOf(answer)], [404, 'not_found'], `${role} ${name}`);
    }
  }
});

test('who is bound to an organization sees its things alone, and nothing of what they cost us', async () => {
  const headers = await keyOf('admin', 'acme');
  const { body } = await callJson(plane.public, '/api/v1/organizations', { headers });
  assert.deepEqual(
    (field(body, 'organizations') as { id: string }[]).map(({ id }) => id),
    ['acme'],
  );
  const made = await callJson(plane.owner, '/api/v1/keys', {
    method: 'POST',
    body: { organizationId: 'other', projectId: 'web' },
  });
  const id = String(field(made.body, 'id'));
  const keys = await callJson(plane.public, '/api/v1/keys', { headers });
  assert.ok(!JSON.stringify(keys.body).includes(id));
  for (const [method, body] of [
    ['DELETE', undefined],
    ['PATCH', { name: 'mine' }],
  ] as const)
    assert.equal((await callJson(plane.public, `/api/v1/keys/${id}`, { method, headers, body })).status, 404);
  const foreign = await callJson(plane.public, '/api/v1/keys', {
    ...{ method: 'POST', headers, body: { organizationId: 'other', projectId: 'web' } },
  });
  assert.equal(foreign.status, 404);
  const usage = await callJson(plane.public, '/api/v1/usage', { headers });
  assert.equal(usage.status, 200);
  const models = await callJson(plane.public, '/api/v1/models', { headers });
  assert.ok(!JSON.stringify(models.body).includes('"costs"'));
});

test('an Idempotency-Key makes a request one: the same answer again, another body is a conflict', async () => {
  const headers = { 'idempotency-key': 'once' };
  const send = (id: string, more = headers) =>
    callJson(plane.owner, '/api/v1/organizations', { method: 'POST', body: { id }, headers: more });
  const [first, ...rest] = await Promise.all([send('once'), send('once'), send('once')]);
  const answers = [first, ...rest].map(({ status }) => status);
  assert.ok(answers.includes(201) && answers.every(status => status === 201 || status === 409), answers.join());
  assert.deepEqual(await send('once').then(({ status, body }) => [status, field(body, 'id')]), [201, 'once']);
  assert.equal((await send('twice')).status, 409);
  // What failed changed nothing and is not kept.
  assert.equal((await send('Not a slug', { 'idempotency-key': 'bad' })).status, 400);
  assert.equal((await send('a-slug', { 'idempotency-key': 'bad' })).status, 201);
  assert.equal((await send('x', { 'idempotency-key': 'k'.repeat(256) })).status, 400);
});

test('an answer that did not change is not sent again', async () => {
  const first = await callJson(plane.owner, '/api/v1/providers');
  const etag = first.headers.get('etag') ?? '';
  const again = await plane.owner.request('http://localhost/api/v1/providers', {
    headers: { host: 'localhost', 'if-none-match': `"x", ${etag}` },
  });
  assert.deepEqual([again.status, await again.text()], [304, '']);
});

test('what was changed, tried and refused is in the audit log, without secrets', async () => {
  const body = { provider: { id: 'mine', baseUrl: 'https://api.example.com/v1', apiKey: 'sk-very-secret' } };
  assert.equal((await callJson(plane.owner, '/api/v1/providers', { method: 'POST', body })).status, 201);
  const headers = await keyOf('auditor');
  assert.equal((await callJson(plane.public, '/api/v1/providers/mine', { method: 'DELETE', headers })).status, 403);
  const log = await callJson(plane.owner, '/api/v1/audit?limit=2');
  const entries = field(log.body, 'entries') as { action: string; object: string; outcome: string; role: string }[];
  assert.deepEqual(
    entries.map(({ action, object, outcome, role }) => [action, object, outcome, role]),
    [
      ['provider.remove', 'mine', 'forbidden', 'auditor'],
      ['provider.add', 'mine', 'ok', 'owner'],
    ],
  );
  assert.ok(!JSON.stringify(log.body).includes('sk-very-secret'));
  // Whose things they are, and which: also where neither stands in the path.
  const made = await callJson(plane.owner, '/api/v1/keys', {
    method: 'POST',
    body: { organizationId: 'acme', projectId: 'web' },
  });
  await callJson(plane.owner, '/api/v1/organizations/acme/resume', { method: 'POST' });
  const ours = await callJson(plane.owner, '/api/v1/audit?organization=acme&limit=2');
  assert.deepEqual(
    (field(ours.body, 'entries') as { action: string; object: string }[]).map(({ action, object }) => [action, object]),
    [
      ['organization.resume', 'acme'],
      ['key.create', String(field(made.body, 'id'))],
    ],
  );
  const proof = await callJson(plane.owner, '/api/v1/audit/verify', { method: 'POST' });
  assert.equal(field(proof.body, 'ok'), true);
});

test('OpenAPI names every route, with its parameters and schemas', async () => {
  const { body } = await callJson(plane.public, '/api/v1/openapi.json');
  const paths = field(body, 'paths') as Record<string, Record<string, { operationId: string; parameters: unknown[] }>>;
  for (const [name, route] of all) {
    const found = paths[route.path.replace(/:(\w+)\+?/g, '{$1}')]?.[route.method.toLowerCase()];
    assert.equal(found?.operationId, name);
  }
  assert.equal(field(body, 'openapi'), '3.1.0');
});
