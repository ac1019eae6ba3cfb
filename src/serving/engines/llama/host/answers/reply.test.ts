import assert from 'node:assert/strict';
import { createServer, get, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { Fault } from '../../../../../ground/std/index.ts';
import { openEventStream, openWholeAnswer, sendFault } from './reply.ts';

async function served(answer: (response: ServerResponse) => void) {
  const server = createServer((_, response) => answer(response));
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const response = await new Promise<IncomingMessage>(resolve => get({ port, host: '127.0.0.1' }, resolve));
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk;
  server.close();
  return { status: response.statusCode, headers: response.headers, text };
}

/** A token each second, for so long. */
function making(seconds: number, then: (answer: ReturnType<typeof openWholeAnswer>, response: ServerResponse) => void) {
  return served(response => {
    let ms = 0;
    const answer = openWholeAnswer(response, () => ms);
    for (let second = 0; second < seconds; second += 1) {
      ms += 1_000;
      answer.alive();
    }
    then(answer, response);
  });
}

test('a short answer has its length, a long one shows that it goes on', async () => {
  const short = await making(4, answer => answer.send({ a: 1 }));
  assert.deepEqual([short.text, short.headers['content-length']], ['{"a":1}', '7']);
  const long = await making(23, answer => answer.send({ a: 1 }));
  assert.deepEqual([long.text, long.headers['content-type']], ['\n\n\n\n{"a":1}', 'application/json']);
  assert.deepEqual(JSON.parse(long.text), { a: 1 });
});

test('what fails has its status as long as nothing was said, and then is the answer itself', async () => {
  const early = await making(4, (_, response) => sendFault(response, new Fault('capacity')));
  assert.deepEqual([early.status, JSON.parse(early.text).error.code], [503, 'capacity']);
  const late = await making(6, (_, response) => sendFault(response, new Fault('capacity')));
  assert.deepEqual([late.status, JSON.parse(late.text).error.code], [200, 'capacity']);
});

test('a stream that fails says so in an event', async () => {
  const { text, headers } = await served(response => {
    openEventStream(response).send({ a: 1 });
    sendFault(response, new Fault('capacity'));
  });
  assert.equal(headers['content-type'], 'text/event-stream');
  assert.match(text, /^data: \{"a":1\}\n\ndata: \{"error"/);
});
