import assert from 'node:assert/strict';
import { Agent, get, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { test } from 'node:test';
import { silentLog, systemClock } from '../../ground/std/index.ts';
import { createHttpServer, type HttpResponse } from '../server/index.ts';
import { createEventStream } from './event-stream.ts';

async function served(answer: (res: HttpResponse) => void) {
  const limits = { headMs: 15_000, requestMs: 300_000, keepAliveMs: 75_000, unwantedBytesMax: 65_536 };
  const server = createHttpServer({ clock: systemClock, limits, log: silentLog, serve: answer });
  const port = await server.listen({ host: '127.0.0.1', port: 0, reusePort: false });
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { port, close };
}

/** Bytes on the wire, until the other side closes. */
async function raw(port: number, request: string): Promise<string> {
  const socket = connect(port, '127.0.0.1', () => socket.write(request));
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  return text;
}

const events = ['data: 1\n\n', Buffer.from('data: 世界 🦙\n\n'), 'data: 再见\n\n', `data: ${'x'.repeat(70_000)}\n\n`];
const whole = events.map(String).join('');
const answer = (res: HttpResponse) => {
  const stream = createEventStream(res, { headers: ['x-request-id', 'r'], silenceMs: 10_000, contain: step => step() });
  for (const event of events) stream.write(event);
  stream.end('data: [DONE]\n\n');
};

test('what a client reads, over one connection', async () => {
  const { port, close } = await served(answer);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const sockets = new Set();
  for (let round = 0; round < 3; round += 1) {
    const response = await new Promise<IncomingMessage>(resolve => get({ port, agent, host: '127.0.0.1' }, resolve));
    sockets.add(response.socket);
    assert.equal(response.headers['x-request-id'], 'r');
    let text = '';
    for await (const chunk of response.setEncoding('utf8')) text += chunk;
    assert.equal(text, `${whole}data: [DONE]\n\n`);
  }
  assert.equal(sockets.size, 1);
  agent.destroy();
  close();
});

test('pipelined answers come one after the other, each in its chunks', async () => {
  const { port, close } = await served(answer);
  const text = await raw(
    port,
    'GET / HTTP/1.1\r\nhost: a\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n',
  );
  const answers = text.split(/(?=HTTP\/1\.1 200 OK)/);
  assert.equal(answers.length, 2);
  for (const each of answers) {
    assert.match(each, /\r\ntransfer-encoding: chunked\r\n/i);
    assert.ok(each.includes('\r\n\r\n9\r\ndata: 1\n\n\r\n13\r\ndata: 世界 🦙\n\n\r\ne\r\ndata: 再见\n\n\r\n'));
    assert.ok(each.endsWith('\r\ne\r\ndata: [DONE]\n\n\r\n0\r\n\r\n'));
  }
  close();
});

test('an HTTP/1.0 client gets the events as they are, and the end of the connection', async () => {
  const { port, close } = await served(answer);
  const text = await raw(port, 'GET / HTTP/1.0\r\n\r\n');
  assert.ok(text.endsWith(`\r\n\r\n${whole}data: [DONE]\n\n`));
  assert.doesNotMatch(text, /transfer-encoding/i);
  close();
});
