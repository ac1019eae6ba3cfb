// A megabyte of the worst that each pattern over text from outside may meet: the work grows with the text, or the text is bounded before.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRequestHead } from '../src/gateway/server/request-head.ts';
import { RequestParser } from '../src/gateway/server/request-parser.ts';
import { createClientAddress } from '../src/gateway/surfaces/client-address.ts';
import { nothingAt } from '../src/gateway/surfaces/unknown-path.ts';
import { fieldValue, hasConnectionOption } from '../src/ground/std/index.ts';
import { codecs } from '../src/models/dialects/index.ts';
import { retryAfterMs } from '../src/models/dialects/retry-after.ts';
import { scrub, withoutKey } from '../src/models/dialects/scrub.ts';
import { keyKindOf, parseCidr } from '../src/people/callers/index.ts';
import { createResponseParser } from '../src/serving/engines/http/response-parser.ts';

const LENGTH = 1_000_000;
const fill = (piece: string) => piece.repeat(Math.ceil(LENGTH / piece.length)).slice(0, LENGTH);
/** Runs of what patterns repeat, and of what ends them almost. */
const HOSTILE: readonly string[] = [
  ...[
    'a',
    'A',
    '_',
    '0',
    '9',
    ' ',
    '\t',
    '-',
    '.',
    ':',
    '/',
    '%',
    '"',
    '\\',
    '{',
    '[',
    ',',
    ';',
    '=',
    '*',
    '@',
    '中',
  ].map(fill),
  ...[
    'a_',
    'sk-',
    'rate_limit',
    'credit_balance',
    'a@a.',
    '1.1.1.1.',
    'bearer  ',
    'eyJ',
    'a://',
    '\r\n',
    '\r',
    'e9',
    '1e',
    '[]:1',
  ].map(fill),
  ...[
    `${fill('a')}_credit_balanc`,
    `model ${fill('x')}`,
    `bearer ${fill(' ')}`,
    `${fill('a_spend_limit_')}!`,
    `${fill(' ')}x`,
  ],
];

const codec = codecs['openai-chat'];
const json = (value: unknown) => Buffer.from(JSON.stringify(value));
const head = (text: string) => `GET / HTTP/1.1\r\nhost: a\r\nx: ${text}`;
const from = (fields: string) => ({
  head: { ...parseRequestHead('GET / HTTP/1.1\r\nhost: a'), text: `GET / HTTP/1.1\r\n${fields}` },
  isWhole: true,
  remoteAddress: () => '127.0.0.1',
  receive: () => {},
  ignoreBody: () => {},
  pauseBody: () => {},
  resumeBody: () => {},
});

/** Each takes text from outside; what it makes of it, or throws, is not looked at here. */
const READERS: readonly [name: string, read: (text: string) => unknown][] = [
  ['a code of an error', text => codec.decodeFault(400, new Map(), json({ error: { code: text, message: 'x' } }))],
  ['a type of an error', text => codec.decodeFault(429, new Map(), json({ error: { type: text } }))],
  ['the words of an error', text => codec.decodeFault(400, new Map(), json({ error: { message: text, param: text } }))],
  ['details of an error', text => codec.decodeFault(422, new Map(), json({ detail: [{ msg: text }] }))],
  ['an error that is no JSON', text => codec.decodeFault(500, new Map(), Buffer.from(text))],
  ['a code within a good answer', text => codec.decodeResponse('chat', json({ code: text, message: text }))],
  ['an event of a stream', text => codec.decoder('chat', { model: 'm' }).push(Buffer.from(`data: ${text}\n\n`))],
  [
    'an error in a stream',
    text =>
      codec.decoder('chat', { model: 'm' }).push(Buffer.from(`data: ${JSON.stringify({ error: { code: text } })}\n\n`)),
  ],
  ['a body', text => codec.decodeRequest('chat', Buffer.from(text))],
  [
    'a model and a message',
    text => codec.decodeRequest('chat', json({ model: text, messages: [{ role: text, content: text }] })),
  ],
  [
    'when to come again',
    text =>
      retryAfterMs(
        new Map([
          ['retry-after', text],
          ['x-ratelimit-reset', text],
          ['date', text],
        ]),
        0,
      ),
  ],
  ['words that are made fit', scrub],
  ['words that hold a key', text => withoutKey(`${text}…`, text.slice(0, 40))],
  ['a head', text => parseRequestHead(head(text))],
  ['a method', text => parseRequestHead(`${text} / HTTP/1.1\r\nhost: a`)],
  ['a target', text => parseRequestHead(`GET http://${text} HTTP/1.1\r\nhost: a`)],
  ['a host', text => parseRequestHead(`GET / HTTP/1.1\r\nhost: ${text}`)],
  ['bytes of a client', text => new RequestParser({ onHead() {}, onBody() {}, onEnd() {} }).push(Buffer.from(text), 0)],
  [
    'chunks of a client',
    text =>
      new RequestParser({ onHead() {}, onBody() {}, onEnd() {} }).push(
        Buffer.from(`POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1;${text}`),
        0,
      ),
  ],
  [
    'bytes of an upstream',
    text => {
      const parser = createResponseParser({ head() {}, body() {}, end() {} });
      parser.begin();
      parser.push(Buffer.from(`HTTP/1.1 200 OK\r\nkeep-alive: ${text}\r\n\r\n`));
    },
  ],
  ['a value of a field', text => fieldValue(text, 0, text.length)],
  ['options of a connection', text => hasConnectionOption(text, 'close')],
  ['addresses of clients', text => createClientAddress(['127.0.0.1'])(from(`x-forwarded-for: ${text}`))],
  ['a key', keyKindOf],
  ['a range of addresses', parseCidr],
  ['a path', nothingAt],
];

for (const [name, read] of READERS) {
  test(name, () => {
    for (const text of HOSTILE) {
      // Of this process: a busy machine does not count. Quadratic work over a megabyte would be minutes.
      const before = process.cpuUsage();
      try {
        read(text);
      } catch {
        // A refusal is an answer.
      }
      const { user, system } = process.cpuUsage(before);
      assert.ok(user + system < 1_500_000, `${(user + system) / 1000} ms for ${JSON.stringify(text.slice(0, 30))}…`);
    }
  });
}
