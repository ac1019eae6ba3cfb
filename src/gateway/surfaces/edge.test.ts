// What the data plane says before anyone is served: which pages may ask, from where, and at which paths.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openDataPlane, type TestDataPlane } from '../../../test/support/data-plane.ts';
import { openWire } from '../../../test/support/wire.ts';

const NOWHERE = 'http://127.0.0.1:9/v1';
const PAGE = 'https://app.example.com';

async function ask({ url }: TestDataPlane, line: string, ...fields: string[]): Promise<string> {
  const wire = await openWire(Number(new URL(url).port));
  wire.send([line, 'host: a', 'connection: close', ...fields, '', ''].join('\r\n'));
  return wire.closed;
}

test('pages of the origins that are named may ask, errors included, and of no other', async () => {
  await using plane = await openDataPlane(NOWHERE, [{ id: 'm' }], { corsOrigins: [PAGE] });
  const key = `authorization: Bearer ${plane.key}`;
  const preflight = [
    'access-control-request-method: POST',
    'access-control-request-headers: authorization,x-stainless-os',
  ];
  const allowed = await ask(plane, 'OPTIONS /v1/chat/completions HTTP/1.1', `origin: ${PAGE}`, ...preflight);
  assert.match(allowed, /^HTTP\/1\.1 204 /);
  assert.match(allowed, /\r\naccess-control-allow-headers: authorization,x-stainless-os\r\n/);
  for (const [line, status, ...fields] of [
    ['GET /v1/models HTTP/1.1', 200, key],
    ['GET /v1/models HTTP/1.1', 401],
    ['GET /v1/nothing HTTP/1.1', 404],
    ['OPTIONS /v1/models HTTP/1.1', 204],
  ] as const) {
    const answer = await ask(plane, line, `Origin: ${PAGE}`, ...fields);
    assert.match(
      answer,
      new RegExp(`^HTTP/1\\.1 ${status} [\\s\\S]*\r\naccess-control-allow-origin: ${PAGE}\r\n`),
      line,
    );
    assert.match(answer, /\r\nvary: origin\r\n/);
  }
  for (const origin of ['https://app.example.com.evil', 'http://app.example.com', `${PAGE}:8443`, `${PAGE}/`, 'null'])
    assert.doesNotMatch(
      await ask(plane, 'GET /v1/models HTTP/1.1', `origin: ${origin}`, key),
      /access-control/,
      origin,
    );
  await using closed = await openDataPlane(NOWHERE, [{ id: 'm' }]);
  assert.doesNotMatch(await ask(closed, 'OPTIONS /v1/models HTTP/1.1', `origin: ${PAGE}`), /access-control/);
});

test('the ranges of a key are those of the client, whom a trusted proxy names', async () => {
  const scopes = { ipRanges: ['203.0.113.0/24'] };
  await using plane = await openDataPlane(NOWHERE, [{ id: 'm' }], { scopes, trustedProxies: ['127.0.0.1'] });
  const key = `authorization: Bearer ${plane.key}`;
  const line = 'GET /v1/models HTTP/1.1';
  assert.match(await ask(plane, line, key, 'x-forwarded-for: 203.0.113.7'), /^HTTP\/1\.1 200 /);
  assert.match(await ask(plane, line, key, 'x-forwarded-for: 203.0.113.7, 198.51.100.1'), /^HTTP\/1\.1 403 /);
  assert.match(await ask(plane, line, key), /^HTTP\/1\.1 403 /);
  await using bare = await openDataPlane(NOWHERE, [{ id: 'm' }], { scopes: { ipRanges: ['127.0.0.1'] } });
  const own = `authorization: Bearer ${bare.key}`;
  assert.match(await ask(bare, line, own), /^HTTP\/1\.1 200 /);
  assert.match(await ask(bare, line, own, 'cf-connecting-ip: 198.51.100.1'), /^HTTP\/1\.1 403 /);
});

test('an absolute target is served as its path', async () => {
  await using plane = await openDataPlane(NOWHERE, [{ id: 'm' }]);
  const key = `authorization: Bearer ${plane.key}`;
  assert.match(await ask(plane, 'GET http://a/v1/models HTTP/1.1', key), /^HTTP\/1\.1 200 /);
  assert.match(await ask(plane, 'GET https://b:1/v1/models?x HTTP/1.1', key), /^HTTP\/1\.1 200 /);
});

test('a path that is not served names the one that is meant', async () => {
  await using plane = await openDataPlane(NOWHERE, [{ id: 'm' }]);
  for (const [path, named] of [
    ['/v1/v1/chat/completions', /the path is \/v1\/chat\/completions,/],
    ['/v1/chat/completions/', /the path is \/v1\/chat\/completions,/],
    ['/v1//chat/completions', /the path is \/v1\/chat\/completions,/],
    ['/v1/Chat/Completions', /the path is \/v1\/chat\/completions,/],
    ['/v1/chat/completion', /the path is \/v1\/chat\/completions,/],
    ['/v1/v1/models', /the path is \/v1\/models,/],
    ['/v1/models/', /the path is \/v1\/models,/],
    ['/v1/v1/models/m', /the path is \/v1\/models\/\{model\},/],
    ['/v1/key/', /the path is \/v1\/key,/],
    ['/v1/responses', /\/v1\/responses is not served here: use \/v1\/chat\/completions/],
    ['/v1/responses/resp_1', /\/v1\/responses is not served here: use/],
    ['/v1/audio/speech', /\/v1\/audio is not served here; served are/],
    ['/v1/whatever', /Nothing is served at \/v1\/whatever; served are \/v1\/chat\/completions, /],
    [`/v1/${'x'.repeat(4_000)}`, /; served are/],
  ] as const) {
    const answer = await ask(plane, `POST ${path} HTTP/1.1`, 'content-length: 0');
    assert.match(answer, /^HTTP\/1\.1 404 /, path);
    assert.match(answer, named, path);
  }
});
