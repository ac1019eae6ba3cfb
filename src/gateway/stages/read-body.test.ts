import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { openWire } from '../../../test/support/wire.ts';
import { createSlots, Fault, openSlots, silentLog, systemClock, toFault } from '../../ground/std/index.ts';
import { createHttpServer, type HttpExchange } from '../server/index.ts';
import { createBodyRoom } from './body-room.ts';
import { BODY_BYTES_MAX, readBody } from './read-body.ts';

const closers: (() => void)[] = [];
after(() => {
  for (const close of closers) close();
});

/** Answers with the body, or with the fault's code. */
async function open(): Promise<number> {
  const serve = (http: HttpExchange) => {
    const refuse = (error: unknown) => {
      const { status, code } = toFault(error);
      http.send(status, [], code);
    };
    try {
      const room = createBodyRoom(openSlots(createSlots()).bodies, { nodeBytes: 2 * BODY_BYTES_MAX });
      const done = (body: Buffer) => http.send(200, [], body);
      readBody(http, { bytesMax: BODY_BYTES_MAX, room, slot: undefined, done, refuse });
    } catch (error) {
      refuse(error);
    }
  };
  const limits = { headMs: 15_000, requestMs: 300_000, keepAliveMs: 75_000, unwantedBytesMax: 8 * BODY_BYTES_MAX };
  const server = createHttpServer({ clock: systemClock, limits, log: silentLog, serve });
  closers.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return server.listen({ host: '127.0.0.1', port: 0, reusePort: false });
}

const head = (...fields: string[]) =>
  ['POST / HTTP/1.1', 'host: a', 'connection: close', ...fields, '', ''].join('\r\n');
const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;

test('a body in any number of pieces is put together as it was', async () => {
  const port = await open();
  const text = Array.from({ length: 5_000 }, (_, index) => String.fromCharCode(33 + (index % 90))).join('');
  for (const size of [1, 7, 1_024, 5_000]) {
    const wire = await openWire(port);
    const pieces = Array.from({ length: Math.ceil(text.length / size) }, (_, at) =>
      text.slice(at * size, (at + 1) * size),
    );
    wire.send(`${head('transfer-encoding: chunked')}${pieces.map(chunk).join('')}0\r\n\r\n`);
    assert.ok((await wire.closed).endsWith(`\r\n\r\n${text}`), `pieces of ${size}`);
  }
  const wire = await openWire(port);
  wire.send(head());
  assert.match(await wire.closed, /^HTTP\/1\.1 200 [\s\S]*\r\n\r\n$/);
});

test('a body of the largest size is taken, one byte more is not, however it is framed', async () => {
  const port = await open();
  const large = 'x'.repeat(1_048_576);
  const pieces = Array.from({ length: BODY_BYTES_MAX / large.length }, () => chunk(large)).join('');
  for (const [more, status] of [
    ['', 200],
    [chunk('x'), 413],
  ] as const) {
    const wire = await openWire(port);
    wire.send(`${head('transfer-encoding: chunked')}${pieces}${more}0\r\n\r\n`);
    assert.match(await wire.closed, new RegExp(`^HTTP/1\\.1 ${status} `));
  }
  const wire = await openWire(port);
  wire.send(head(`content-length: ${BODY_BYTES_MAX + 1}`));
  assert.match(await wire.until(/_large$/), /^HTTP\/1\.1 413 [\s\S]*payload_too_large$/);
  wire.socket.destroy();
});

test('a body that is packed is refused', async () => {
  const wire = await openWire(await open());
  wire.send(head('content-encoding: gzip', 'content-length: 0'));
  assert.match(await wire.closed, new RegExp(`^HTTP/1\\.1 400 [\\s\\S]*${new Fault('malformed_request').code}$`));
});
