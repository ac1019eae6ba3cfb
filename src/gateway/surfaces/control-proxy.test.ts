import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { openWire, type Wire } from '../../../test/support/wire.ts';
import { createSlots, openSlots, silentLog, systemClock } from '../../ground/std/index.ts';
import { createHttpServer } from '../server/index.ts';
import { createBodyRoom } from '../stages/body-room.ts';
import { createClientAddress } from './client-address.ts';
import { createControlProxy } from './control-proxy.ts';

const dir = mkdtempSync(join(tmpdir(), 'edge-'));
const closers: (() => void)[] = [() => rmSync(dir, { recursive: true })];
after(() => {
  for (const close of closers.reverse()) close();
});
let sockets = 0;
/** Three of the largest. */
const ROOM_BYTES = 24 * 1_048_576;

/** A control plane behind the proxy, which answers as it is told. */
async function open(answer: (req: IncomingMessage, res: ServerResponse) => void) {
  sockets += 1;
  const path = join(dir, `${sockets}.sock`);
  const seen: IncomingMessage[] = [];
  const edge = createServer((req, res) => {
    seen.push(req);
    answer(req, res);
  }).listen(path);
  await once(edge, 'listening');
  const logged: string[] = [];
  const log = { ...silentLog, warn: (event: string) => void logged.push(event) };
  const { controlBodies } = openSlots(createSlots());
  const room = createBodyRoom(controlBodies, { nodeBytes: ROOM_BYTES });
  const control = createControlProxy(path, { log, room, clientAddress: createClientAddress([]) });
  const limits = { headMs: 15_000, requestMs: 300_000, keepAliveMs: 75_000, unwantedBytesMax: 16_777_216 };
  const server = createHttpServer({ clock: systemClock, limits, log: silentLog, serve: http => control.forward(http) });
  const port = await server.listen({ host: '127.0.0.1', port: 0, reusePort: false });
  closers.push(() => {
    server.close();
    server.closeAllConnections();
    control.close();
    edge.close();
    edge.closeAllConnections();
  });
  const asked = async (count: number) => {
    while (seen.length < count) await nextTurn();
  };
  return { port, edge, seen, asked, logged, held: () => controlBodies.add(0) };
}

const echo = async (req: IncomingMessage, res: ServerResponse) => {
  let body = '';
  for await (const chunk of req.setEncoding('latin1')) body += chunk;
  res
    .writeHead(201, { 'set-cookie': ['a=1', 'b=2'], 'x-answer': 'é' })
    .end(`${req.method} ${req.url} ${body}.`, 'latin1');
};
const head = (line: string, ...fields: string[]) => [line, 'host: a.test', ...fields, '', ''].join('\r\n');

test('what is asked arrives as it was understood; what only we may say is said by us', async () => {
  const { port, seen } = await open(echo);
  const wire = await openWire(port);
  wire.send(
    head(
      'POST /api/x?y=%20z HTTP/1.1',
      'Cookie: a=1',
      'cookie: b=2',
      'X-Twice: 1',
      'x-twice: 2',
      'x-millrace-client-ip: 10.0.0.1',
      'Connection: keep-alive, X-Hop, Content-Length',
      'x-hop: secret',
      'te: trailers',
      'upgrade: h2c',
      'expect: 100-continue',
      'content-length: 5',
    ),
  );
  await wire.until(/100 Continue\r\n\r\n$/);
  wire.send('hello');
  const text = await wire.until(/hello\.\r\n0\r\n\r\n$/);
  assert.match(text, /HTTP\/1\.1 201 Created\r\n/);
  assert.match(text, /set-cookie: a=1\r\nset-cookie: b=2\r\nx-answer: é\r\n/i);
  assert.equal(text.match(/\r\ndate: /gi)?.length, 1);
  assert.match(text, /\r\nPOST \/api\/x\?y=%20z hello\.\r\n/);
  const { host, cookie, connection, 'x-twice': twice, ...headers } = seen[0]?.headers ?? {};
  assert.deepEqual([host, cookie, twice], ['a.test', 'a=1; b=2', '1, 2']);
  assert.deepEqual(headers, { 'content-length': '5', 'x-millrace-client-ip': '127.0.0.1' });
  wire.socket.destroy();
});

test('a body in chunks goes on with its length, whatever the method: its content is never taken for a request', async () => {
  const { port, seen } = await open(echo);
  const wire = await openWire(port);
  const hidden = 'GET /hidden HTTP/1.1\r\nhost: a\r\n\r\n';
  for (const method of ['GET', 'DELETE', 'POST', 'PUT']) {
    wire.send(head(`${method} /${method} HTTP/1.1`, 'transfer-encoding: chunked'));
    wire.send(`${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`);
    await wire.until(new RegExp(`${method} /${method} GET /hidden HTTP/1\\.1\r\nhost: a\r\n\r\n\\.`));
  }
  wire.send(head('GET /plain HTTP/1.1'));
  await wire.until(/GET \/plain \./);
  assert.deepEqual(
    seen.map(({ url }) => url),
    ['/GET', '/DELETE', '/POST', '/PUT', '/plain'],
  );
  wire.socket.destroy();
});

test('answers without a body, and to HEAD', async () => {
  const { port } = await open((req, res) => {
    if (req.url === '/204') res.writeHead(204).end();
    else if (req.url === '/304') res.writeHead(304, { etag: '"x"' }).end();
    else res.writeHead(200, { 'content-length': 5 }).end('hello');
  });
  const wire = await openWire(port);
  wire.send(head('GET /204 HTTP/1.1') + head('GET /304 HTTP/1.1') + head('HEAD / HTTP/1.1'));
  wire.send(head('GET / HTTP/1.1', 'connection: close'));
  const text = await wire.closed;
  assert.deepEqual(text.match(/ \d{3} (?=[A-Z])/g), [' 204 ', ' 304 ', ' 200 ', ' 200 ']);
  assert.equal(text.match(/hello/g)?.length, 1);
  assert.equal(text.match(/content-length: 5/g)?.length, 2);
});

/** Turns of the loop in which nothing moved. */
const STILL_TURNS = 100;

async function still(measure: () => number): Promise<number> {
  let before = -1;
  for (let turns = 0; turns < STILL_TURNS; turns = before === measure() ? turns + 1 : 0) {
    before = measure();
    await nextTurn();
  }
  return before;
}

test('a large answer is held back by who reads it slowly', async () => {
  // More than all the buffers on the way take.
  const big = Buffer.alloc(60_000_000, 'x');
  let answered = 0;
  const { port } = await open((_req, res) => {
    res.writeHead(200, { 'content-length': big.length });
    const more = () => {
      while (answered < big.length) {
        const part = big.subarray(answered, answered + 100_000);
        answered += part.length;
        if (!res.write(part)) return res.once('drain', more);
      }
      return res.end();
    };
    more();
  });
  const { socket } = await openWire(port);
  socket.removeAllListeners('data');
  socket.pause();
  let read = 0;
  socket.write(head('GET / HTTP/1.1', 'connection: close'));
  while (answered === 0) await nextTurn();
  assert.ok((await still(() => answered)) < 40_000_000, 'the answer was not held back');
  socket.on('data', chunk => {
    read += chunk.length;
  });
  socket.resume();
  while (!socket.readableEnded) await nextTurn();
  assert.ok(read > big.length && read < big.length + 500, `${read} bytes`);
  socket.destroy();
});

describe('what is not whole never reaches the control plane, and what it took is given back', () => {
  /** Each is a request with a body that never becomes whole; `leave` is what its client does then. */
  const UNFINISHED: readonly [name: string, request: string, leave: (wire: Wire) => void][] = [
    ['a length, one byte, left by fin', `${head('GET /healthz HTTP/1.1', 'content-length: 9')}x`, w => w.socket.end()],
    [
      'a length, one byte, left by rst',
      `${head('POST /api/x HTTP/1.1', 'content-length: 9')}x`,
      w => w.socket.resetAndDestroy(),
    ],
    ['a length, one byte, not left', `${head('GET /healthz HTTP/1.1', 'content-length: 9')}x`, () => {}],
    ['chunks without an end, not left', `${head('POST / HTTP/1.1', 'transfer-encoding: chunked')}1\r\nx\r\n`, () => {}],
    [
      'several pieces, left',
      `${head('POST / HTTP/1.1', 'transfer-encoding: chunked')}1\r\nx\r\n1\r\ny\r\n`,
      w => w.socket.destroy(),
    ],
    [
      'expected to be asked for, not sent',
      head('POST / HTTP/1.1', 'expect: 100-continue', 'content-length: 9'),
      () => {},
    ],
  ];
  for (const [name, request, leave] of UNFINISHED) {
    test(name, async () => {
      const { port, seen, held } = await open((_req, res) => res.end('here'));
      const wires = await Promise.all(Array.from({ length: 130 }, () => openWire(port)));
      for (const wire of wires) wire.send(request);
      for (const wire of wires) leave(wire);
      const wire = await openWire(port);
      for (const path of ['/healthz', '/metrics', '/api/v1/status']) {
        const before = seen.length;
        wire.send(head(`GET ${path} HTTP/1.1`));
        await wire.until(new RegExp(`(here[\\s\\S]*){${before + 1}}`));
      }
      assert.deepEqual(
        seen.map(({ url }) => url),
        ['/healthz', '/metrics', '/api/v1/status'],
      );
      wire.socket.destroy();
      for (const each of wires) each.socket.destroy();
      while (held() > 0) await nextTurn();
    });
  }

  test('who watches the node does not stand behind others whose answers take long', async () => {
    const { port, asked } = await open((req, res) => {
      if (req.url === '/readyz') res.end('ready');
    });
    const wires = await Promise.all(Array.from({ length: 200 }, () => openWire(port)));
    for (const wire of wires) wire.send(head('GET /slow HTTP/1.1'));
    await asked(64);
    const wire = await openWire(port);
    wire.send(head('GET /readyz HTTP/1.1'));
    await wire.until(/ready/);
    for (const each of [wire, ...wires]) each.socket.destroy();
  });
});

test('a body beyond 8 MiB is refused however it is framed, and so are more than there is room for', async () => {
  const { port, seen, held } = await open((_req, res) => res.end('taken'));
  const piece = `100000\r\n${'x'.repeat(1_048_576)}\r\n`;
  for (const [request, answer] of [
    [
      head('POST / HTTP/1.1', 'content-length: 8388609', 'connection: close'),
      /^HTTP\/1\.1 413 [\s\S]*payload_too_large/,
    ],
    [`${head('POST / HTTP/1.1', 'transfer-encoding: chunked')}${piece.repeat(8)}1\r\nx\r\n`, /^HTTP\/1\.1 413 /],
    [`${head('POST / HTTP/1.1', 'transfer-encoding: chunked')}${piece.repeat(8)}0\r\n\r\n`, /taken/],
  ] as const) {
    const wire = await openWire(port);
    wire.send(request);
    assert.match(await wire.until(answer), answer);
    wire.socket.destroy();
    while (held() > 0) await nextTurn();
  }
  assert.equal(seen.length, 1);
  const wires = await Promise.all(Array.from({ length: 5 }, () => openWire(port)));
  let refused = 0;
  for (const wire of wires) {
    wire.send(`${head('POST / HTTP/1.1', 'transfer-encoding: chunked', 'accept-language: zh')}${piece.repeat(6)}`);
    void wire.until(/^HTTP\/1\.1 503 [\s\S]*retry-after: 1\r\n[\s\S]*"capacity"/).then(
      () => {
        refused += 1;
      },
      () => {},
    );
  }
  while (refused < 2) await nextTurn();
  assert.ok(held() <= ROOM_BYTES);
  for (const each of wires) each.socket.destroy();
  while (held() > 0) await nextTurn();
});

test('a client that leaves is gone for the control plane as well', async () => {
  let gone = 0;
  const { port, asked, logged } = await open((_req, res) => {
    res.on('close', () => {
      gone += 1;
    });
  });
  for (const how of ['fin', 'rst']) {
    const before = gone;
    const wire = await openWire(port);
    wire.send(head('GET / HTTP/1.1'));
    await asked(before + 1);
    if (how === 'fin') wire.socket.end();
    else wire.socket.resetAndDestroy();
    while (gone === before) await nextTurn();
  }
  assert.deepEqual(logged, []);
});

test('a control plane that is not there, or that breaks off', async () => {
  const { port, edge } = await open((_req, res) => {
    res.writeHead(200, { 'content-length': 10 });
    res.write('half', () => res.destroy());
  });
  const wire = await openWire(port);
  wire.send(head('GET / HTTP/1.1'));
  assert.match(await wire.closed, /content-length: 10\r\n[\s\S]*half$/);
  await new Promise(resolve => {
    edge.close(resolve);
    edge.closeAllConnections();
  });
  const late = await openWire(port);
  late.send(head('GET / HTTP/1.1'));
  assert.match(await late.until(/\}$/), /^HTTP\/1\.1 503 [\s\S]*retry-after: 2\r\n[\s\S]*"code":"unavailable"/);
  late.socket.destroy();
});

test('header names that mean something to JavaScript are names', async () => {
  const names = [...Object.getOwnPropertyNames(Object.prototype), 'constructor', 'prototype', 'then', 'hasOwnProperty'];
  const { port, seen } = await open((_req, res) => res.end('here'));
  const wire = await openWire(port);
  wire.send(head('GET / HTTP/1.1', ...names.map(name => `${name}: x`)));
  await wire.until(/here/);
  const got = seen[0]?.rawHeaders.filter((_, at) => at % 2 === 0) ?? [];
  assert.deepEqual(
    got.slice(1, names.length + 1),
    names.map(name => name.toLowerCase()),
  );
  wire.socket.destroy();
});
