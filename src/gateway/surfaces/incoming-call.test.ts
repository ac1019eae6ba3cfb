// What comes first: who asks, how often and how many at once, and only then the body. What it takes is given back however it ends.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { openDataPlane, type TestDataPlane } from '../../../test/support/data-plane.ts';
import { type FakeUpstream, startFakeUpstream } from '../../../test/support/fake-upstream.ts';
import { openWire, type Wire } from '../../../test/support/wire.ts';

let upstream: FakeUpstream;
before(async () => {
  upstream = await startFakeUpstream();
});
after(() => upstream.close());

const MIB = 1_048_576;
const BODY = JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'Say hi' }] });
const headOf = (key: string, ...more: string[]) =>
  ['POST /v1/chat/completions HTTP/1.1', 'host: a', `authorization: Bearer ${key}`, ...more, '', ''].join('\r\n');
const wireTo = ({ url }: TestDataPlane) => openWire(Number(new URL(url).port));

async function ask(plane: TestDataPlane): Promise<string> {
  const wire = await wireTo(plane);
  wire.send(headOf(plane.key, `content-length: ${BODY.length}`, 'connection: close') + BODY);
  return wire.closed;
}

const WAYS: readonly [name: string, leave: (wire: Wire) => void, status: RegExp | undefined][] = [
  ['leaves by fin', wire => wire.socket.end(), /^HTTP\/1\.1 400 /],
  ['leaves by rst', wire => wire.socket.resetAndDestroy(), undefined],
  ['breaks the framing', wire => wire.send('zz\r\n'), /^HTTP\/1\.1 400 /],
  [
    'sends what is no request of the API',
    wire => wire.send('2\r\n[]\r\n0\r\n\r\n'),
    /^HTTP\/1\.1 400 [\s\S]*malformed/,
  ],
  ['asks for a model that there is not', wire => wire.send('c\r\n{"model":"x"}\r\n'.replace('c', 'd')), undefined],
];

for (const [name, leave, status] of WAYS) {
  test(`a place is taken before the body, and free again when its client ${name}`, async () => {
    await using plane = await openDataPlane(upstream.baseUrl, [{ id: 'm' }], { scopes: { concurrency: 1 } });
    const first = await wireTo(plane);
    first.send(headOf(plane.key, 'transfer-encoding: chunked'));
    while (plane.slots.keys.inFlight(1) === 0) await nextTurn();
    const second = await wireTo(plane);
    // Not a byte of its body is waited for.
    second.send(headOf(plane.key, 'content-length: 10000000'));
    assert.match(await second.until(/at once/), /^HTTP\/1\.1 429 [\s\S]*"rate_limited"/);
    second.socket.destroy();
    leave(first);
    if (status) await first.until(status);
    else first.socket.destroy();
    while (plane.slots.keys.inFlight(1) > 0) await nextTurn();
    assert.match(await ask(plane), /^HTTP\/1\.1 200 /);
    assert.equal(plane.slots.keys.inFlight(1), 0);
    first.socket.destroy();
  });
}

test('a request beyond the rate is refused before its body, and counts as one whatever its body is', async () => {
  await using plane = await openDataPlane(upstream.baseUrl, [{ id: 'm' }], { scopes: { requestsPerMinute: 1 } });
  const broken = await wireTo(plane);
  broken.send(`${headOf(plane.key, 'content-length: 2')}[]`);
  await broken.until(/^HTTP\/1\.1 400 /);
  broken.send(headOf(plane.key, 'content-length: 10000000'));
  assert.match(await broken.until(/429/), /x-ratelimit-remaining-requests: 0/);
  broken.socket.destroy();
});

test('bodies that come and do not end: so much in the name of one key, so much in all, and all of it given back', async () => {
  const bodyLimits = { nodeBytes: 4 * MIB, keyBytes: 3 * MIB };
  await using plane = await openDataPlane(upstream.baseUrl, [{ id: 'm' }], { bodyLimits });
  const wires = await Promise.all(Array.from({ length: 8 }, () => wireTo(plane)));
  const refused = wires.map(wire => wire.until(/^HTTP\/1\.1 429 [\s\S]*retry-after: 1\r\n[\s\S]*MiB/).then(() => wire));
  for (const wire of wires) wire.send(`${headOf(plane.key, 'content-length: 10000000')}${'x'.repeat(MIB)}`);
  await Promise.any(refused);
  assert.ok(plane.slots.bodies.add(0) <= bodyLimits.keyBytes);
  for (const wire of wires) wire.socket.destroy();
  await Promise.allSettled(refused);
  while (plane.slots.bodies.add(0) > 0) await nextTurn();
  assert.equal(plane.slots.keys.addBody(1, 0), 0);
  assert.match(await ask(plane), /^HTTP\/1\.1 200 /);
});
