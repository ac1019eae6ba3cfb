import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { createServer } from 'node:tls';
import { createEgress, type Fault, systemClock } from '../../std/index.ts';
import { createUpstreams } from './index.ts';

/** Made for this test, for engine.test and 127.0.0.1, with `openssl req -x509 -newkey ec …`; it guards nothing. */
const CERT = `-----BEGIN CERTIFICATE-----
MIIBojCCAUegAwIBAgIUVVEPmfstTV4V92LRsZ9P7ovRUVAwCgYIKoZIzj0EAwIw
FjEUMBIGA1UEAwwLZW5naW5lLnRlc3QwIBcNMjYxMTI0MTExMzQ1WhgPMjEyNjEw
MzExMTEzNDVaMBYxFDASBgNVBAMMC2VuZ2luZS50ZXN0MFkwEwYHKoZIzj0CAQYI
KoZIzj0DAQcDQgAEAd+Q5MF/SjHmtIB+5s1OHhpccOgJJnFAsJxXk6CVKFzWBK9A
cswowS/D6WEdrtDOlOp0z1squBs5eicyHwuelqNxMG8wHQYDVR0OBBYEFDvNLMuY
j0ANTsbYo9s+YQ5SFYEZMB8GA1UdIwQYMBaAFDvNLMuYj0ANTsbYo9s+YQ5SFYEZ
MA8GA1UdEwEB/wQFMAMBAf8wHAYDVR0RBBUwE4ILZW5naW5lLnRlc3SHBH8AAAEw
CgYIKoZIzj0EAwIDSQAwRgIhAP87052C8V480gka/K45rvHj9qaLylhN3F6oiAcH
1zEzAiEAu+2sUCM0w97r4himpImbySWBnco1W8HLjx5bhH/I9qQ=
-----END CERTIFICATE-----`;
const KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgH8Y3+awF08MnhhuV
+FDREpJpLn0TH7yTJ6szXFgcGx+hRANCAAQB35DkwX9KMea0gH7mzU4eGlxw6Akm
cUCwnFeToJUoXNYEr0ByzCjBL8PpYR2u0M6U6nTPWyq4Gzl6JzIfC56W
-----END PRIVATE KEY-----`;

let sessions = 0;
let requests = 0;
const server = createServer({ cert: CERT, key: KEY }, socket => {
  if (socket.isSessionReused()) sessions += 1;
  socket.on('error', () => {});
  socket.on('data', () => {
    requests += 1;
    socket.end('HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok');
  });
});
server.on('tlsClientError', () => {});
await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
const address = server.address();
const port = typeof address === 'object' && address ? address.port : 0;
after(() => server.close());

function open(ca?: string) {
  const resolve = async () => [{ address: '127.0.0.1', family: 4 as const }];
  const egress = createEgress({ clock: systemClock, resolve, ...(ca === undefined ? {} : { ca }) });
  const upstreams = createUpstreams({ egress, clock: systemClock });
  const ask = (host: string) =>
    new Promise<string | [Fault, boolean]>(answered => {
      let body = '';
      upstreams.send(
        {
          upstream: {
            providerId: 'p',
            dialect: 'openai-chat',
            baseUrl: `https://${host}:${port}/v1`,
            apiKey: 'sk-canary',
            allowPrivateNetwork: true,
            quirks: [],
          },
          path: '/chat/completions',
          body: '{}',
          timeoutMs: { connect: 5_000, firstByte: 5_000, idle: 5_000, total: 5_000 },
        },
        {
          onHeaders: () => {},
          onData: chunk => {
            body += chunk.toString();
          },
          onEnd: () => answered(body),
          onError: (...fault) => answered(fault),
        },
      );
    });
  return { ask, close: () => upstreams.close() };
}

test('a certificate that is trusted and names the host, by name and by address; sessions are resumed', async () => {
  const { ask, close } = open(CERT);
  for (const host of ['engine.test', 'engine.test', '127.0.0.1']) assert.equal(await ask(host), 'ok', host);
  assert.equal(sessions, 1);
  await close();
});

test('one that is not trusted, or names another: refused before the key is sent', async () => {
  const before = requests;
  for (const [ca, host] of [
    [undefined, 'engine.test'],
    [CERT, 'other.test'],
  ] as const) {
    const { ask, close } = open(ca);
    const failed = await ask(host);
    assert.ok(typeof failed !== 'string');
    assert.deepEqual([failed[0].code, failed[1]], ['upstream_error', false]);
    assert.match(failed[0].message, /secure connection/);
    assert.doesNotMatch(String(failed[0].details.internal), /sk-canary/);
    await close();
  }
  assert.equal(requests, before);
});
