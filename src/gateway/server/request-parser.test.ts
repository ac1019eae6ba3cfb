import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { HttpSyntaxError } from '../../ground/std/index.ts';
import { type RequestHead, RequestRefused } from './request-head.ts';
import { RequestParser } from './request-parser.ts';

interface Seen {
  readonly head: RequestHead;
  body: string;
  isWhole: boolean;
}

/** Feeds bytes in the pieces that the cuts make of them, each as a buffer of its own. */
function parse(bytes: Buffer, cuts: readonly number[]): readonly Seen[] {
  const seen: Seen[] = [];
  const parser = new RequestParser({
    onHead: head => void seen.push({ head, body: '', isWhole: false }),
    onBody(content) {
      const last = seen.at(-1);
      if (last) last.body += content.toString('latin1');
    },
    onEnd() {
      const last = seen.at(-1);
      if (last) last.isWhole = true;
    },
  });
  let from = 0;
  for (const cut of [...cuts, bytes.length]) {
    const piece = Buffer.from(bytes.subarray(from, cut));
    for (let at = 0; at < piece.length; ) at = parser.push(piece, at);
    from = cut;
  }
  return seen;
}

/** Whole, byte by byte, and in two parts at each place. */
function* waysToCut(bytes: Buffer): Generator<readonly number[]> {
  yield [];
  yield Array.from({ length: bytes.length - 1 }, (_, at) => at + 1);
  for (let cut = 1; cut < bytes.length; cut += bytes.length > 2_000 ? 97 : 1) yield [cut];
}

const request = (...lines: string[]) => Buffer.from(lines.join('\r\n'), 'latin1');
/** Of hosts and origins only those are told that a test is about. */
const summary = ({ head: { text: _text, host: _host, origin: _origin, ...head }, body, isWhole }: Seen) => ({
  ...head,
  body,
  isWhole,
});
const PLAIN = {
  ...({ method: 'GET', target: '/', minor: 1, length: 0, keepAlive: true, expectsContinue: false } as const),
  ...{
    authorization: undefined,
    acceptLanguage: undefined,
    contentEncoding: undefined,
    timeoutMs: undefined,
    body: '',
    isWhole: true,
  },
};

const GOOD: readonly [name: string, bytes: Buffer, seen: readonly object[]][] = [
  ['the least of HTTP/1.1', request('GET / HTTP/1.1', 'host: a', '', ''), [PLAIN]],
  [
    'the least of HTTP/1.0',
    request('GET /x?y HTTP/1.0', '', ''),
    [{ ...PLAIN, target: '/x?y', minor: 0, keepAlive: false }],
  ],
  [
    'HTTP/1.0 that would stay',
    request('GET / HTTP/1.0', 'Connection: Keep-Alive', '', ''),
    [{ ...PLAIN, minor: 0, keepAlive: true }],
  ],
  [
    'all fields that are looked at, in any case',
    request(
      'POST /v1/chat/completions HTTP/1.1',
      'HOST:localhost:8080',
      'Authorization: \t Bearer  x \t',
      'ACCEPT-LANGUAGE: zh',
      'accept-language: en',
      'Content-Encoding: gzip',
      'Expect: 100-Continue',
      'Connection: foo',
      'connection: bar ,\tClose',
      'content-length: 5',
      'X-Millrace-Timeout-Ms: 5000',
      'x-unknown:',
      'x-high: \xe9\xff',
      '',
      'hello',
    ),
    [
      {
        ...{ ...PLAIN, method: 'POST', target: '/v1/chat/completions', length: 5, keepAlive: false, body: 'hello' },
        ...{ authorization: 'Bearer  x', acceptLanguage: 'zh, en', contentEncoding: 'gzip', expectsContinue: true },
        timeoutMs: '5000',
      },
    ],
  ],
  [
    'chunks, with extensions and trailers',
    request(
      'POST / HTTP/1.1',
      'host: a',
      'Transfer-Encoding: Chunked',
      '',
      '5;x="y"',
      'hello',
      '0',
      'content-length: 9',
      '',
      '',
    ),
    [{ ...PLAIN, method: 'POST', length: 'chunked', body: 'hello' }],
  ],
  [
    'one behind the other',
    request(
      'POST /a HTTP/1.1',
      'host: a',
      'content-length: 2',
      '',
      'abGET /b HTTP/1.1',
      'host: b',
      '',
      '',
      '',
      'GET /c HTTP/1.1',
      'host: c',
      '',
      '',
    ),
    [
      { ...PLAIN, method: 'POST', target: '/a', length: 2, body: 'ab' },
      { ...PLAIN, target: '/b' },
      { ...PLAIN, target: '/c' },
    ],
  ],
  ['empty lines before it', request('', '', '', '', 'GET / HTTP/1.1', 'host: a', '', ''), [PLAIN]],
  ['absolute', request('GET http://b/v1 HTTP/1.1', 'host: a', '', ''), [{ ...PLAIN, target: '/v1' }]],
  [
    'absolute, with a port and a query',
    request('GET HTTPS://b:8080?x=1 HTTP/1.1', 'host: a', '', ''),
    [{ ...PLAIN, target: '/?x=1' }],
  ],
  ['absolute, of the root', request('GET http://[::1] HTTP/1.1', 'host: a', '', ''), [{ ...PLAIN, target: '/' }]],
  ['of the server', request('OPTIONS * HTTP/1.1', 'host: a', '', ''), [{ ...PLAIN, method: 'OPTIONS', target: '*' }]],
  ['no host, but its field', request('GET / HTTP/1.1', 'host:', '', ''), [PLAIN]],
  ['host of IPv6', request('GET / HTTP/1.1', 'host: [::1]:80', '', ''), [PLAIN]],
  [
    'names that begin like ours',
    request('GET / HTTP/1.1', 'host: a', 'hosts: b', 'content-lengthy: x', '', ''),
    [PLAIN],
  ],
  [
    'as many fields as may be',
    request('GET / HTTP/1.1', 'host: a', ...Array.from({ length: 127 }, () => 'x: y'), '', ''),
    [PLAIN],
  ],
  ['a head as large as may be', request('GET / HTTP/1.1', 'host: a', `x: ${'y'.repeat(16_384 - 28)}`, '', ''), [PLAIN]],
];

describe('taken, cut anywhere', () => {
  for (const [name, bytes, expected] of GOOD)
    test(name, () => {
      for (const cuts of waysToCut(bytes))
        assert.deepEqual(parse(bytes, cuts).map(summary), expected, `cut at ${cuts.length === 1 ? cuts : 'each'}`);
    });
});

const fields = (...lines: string[]) => request('POST / HTTP/1.1', 'host: a', ...lines, '', '');
const body = (...lines: string[]) => request('POST / HTTP/1.1', 'host: a', 'transfer-encoding: chunked', '', ...lines);

const BAD: readonly [name: string, bytes: Buffer, status: number][] = [
  ['no request', Buffer.from('\0\0\0\0\r\n\r\n'), 400],
  ['TLS', Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]), 400],
  ['HTTP/2', request('PRI * HTTP/2.0', '', 'SM', '', ''), 505],
  ['HTTP/2 on a path', request('GET / HTTP/2.0', 'host: a', '', ''), 505],
  ['HTTP/1.2', request('GET / HTTP/1.2', 'host: a', '', ''), 505],
  ['HTTP/0.9', request('GET /', '', ''), 400],
  ['version of two digits', request('GET / HTTP/1.10', 'host: a', '', ''), 400],
  ['another protocol', request('GET / ICE/1.0', 'host: a', '', ''), 400],
  ['two blanks', request('GET  / HTTP/1.1', 'host: a', '', ''), 400],
  ['a blank in the target', request('GET /a b HTTP/1.1', 'host: a', '', ''), 400],
  ['a tab for a blank', request('GET\t/ HTTP/1.1', 'host: a', '', ''), 400],
  ['a blank before it', request(' GET / HTTP/1.1', 'host: a', '', ''), 400],
  ['a blank behind it', request('GET / HTTP/1.1 ', 'host: a', '', ''), 400],
  ['a method in lower case', request('get / HTTP/1.1', 'host: a', '', ''), 400],
  ['a method that is none', request('G@T / HTTP/1.1', 'host: a', '', ''), 400],
  ['a target without a slash', request('GET v1/models HTTP/1.1', 'host: a', '', ''), 400],
  ['a target of another scheme', request('GET file:///etc HTTP/1.1', 'host: a', '', ''), 400],
  ['a tunnel', request('CONNECT a:443 HTTP/1.1', 'host: a', '', ''), 400],
  ['a tunnel to a path', request('CONNECT / HTTP/1.1', 'host: a', '', ''), 501],
  ['bare line feeds', Buffer.from('GET / HTTP/1.1\nhost: a\n\n'), 400],
  ['one bare line feed', Buffer.from('GET / HTTP/1.1\r\nhost: a\nx: y\r\n\r\n'), 400],
  ['a bare carriage return', Buffer.from('GET / HTTP/1.1\r\nhost: a\rx: y\r\n\r\n'), 400],
  ['a carriage return too many', Buffer.from('GET / HTTP/1.1\r\nhost: a\r\r\n\r\n'), 400],
  ['a zero byte', fields('x: a\0b'), 400],
  ['a control character', fields('x: a\x7fb'), 400],
  ['a vertical tab for a blank', fields('transfer-encoding:\x0bchunked'), 400],
  ['a folded line', fields('x: a', ' b'), 400],
  ['a field before all others that is folded', request('GET / HTTP/1.1', ' host: a', '', ''), 400],
  ['a blank before the colon', fields('content-length : 5'), 400],
  ['a line without a colon', fields('content-length'), 400],
  ['a field without a name', fields(': x'), 400],
  ['a name that is none', fields('content length: 5'), 400],
  ['no host', request('GET / HTTP/1.1', '', ''), 400],
  ['two hosts', fields('host: b'), 400],
  ['the same host twice', fields('Host: a'), 400],
  ['two hosts in HTTP/1.0', request('GET / HTTP/1.0', 'host: a', 'host: b', '', ''), 400],
  ['a host with a path', request('GET / HTTP/1.1', 'host: a/b', '', ''), 400],
  ['a host with a user', request('GET / HTTP/1.1', 'host: u@a', '', ''), 400],
  ['two hosts in one', request('GET / HTTP/1.1', 'host: a b', '', ''), 400],
  ['two keys', fields('authorization: Bearer a', 'Authorization: Bearer b'), 400],
  ['two lengths', fields('content-length: 5', 'content-length: 6'), 400],
  ['the same length twice', fields('content-length: 5', 'Content-Length: 5'), 400],
  ['two lengths in one', fields('content-length: 5, 5'), 400],
  ['a length with a sign', fields('content-length: +5'), 400],
  ['a negative length', fields('content-length: -5'), 400],
  ['a length in hexadecimal', fields('content-length: 0x5'), 400],
  ['a length of two words', fields('content-length: 5 5'), 400],
  ['an empty length', fields('content-length:'), 400],
  ['a length beyond all', fields('content-length: 9999999999999999'), 400],
  ['a length behind a no-break space', fields('content-length: \xa05'), 400],
  ['length and chunks', fields('content-length: 5', 'transfer-encoding: chunked'), 400],
  ['chunks and length', fields('Transfer-Encoding: chunked', 'Content-Length: 5'), 400],
  ['chunks in HTTP/1.0', request('POST / HTTP/1.0', 'transfer-encoding: chunked', '', ''), 400],
  ['another coding', fields('transfer-encoding: gzip'), 501],
  ['another coding before chunks', fields('transfer-encoding: gzip, chunked'), 501],
  ['another coding behind chunks', fields('transfer-encoding: chunked', 'transfer-encoding: identity'), 501],
  ['chunks in chunks', fields('transfer-encoding: chunked, chunked'), 501],
  ['an empty coding', fields('transfer-encoding:'), 501],
  ['chunks in quotes', fields('transfer-encoding: "chunked"'), 501],
  ['chunks with a no-break space', fields('transfer-encoding: chunked\xa0'), 501],
  ['an expectation of another kind', fields('expect: 200-ok'), 417],
  ['a line beyond all', request(`GET /${'a'.repeat(20_000)} HTTP/1.1`, 'host: a', '', ''), 431],
  ['a field beyond all', fields(`x: ${'y'.repeat(20_000)}`), 431],
  ['one byte more than may be', request('GET / HTTP/1.1', 'host: a', `x: ${'y'.repeat(16_384 - 27)}`, '', ''), 431],
  ['a head without end', request('GET / HTTP/1.1', ...Array.from({ length: 4_000 }, () => 'x: y')), 431],
  ['too many fields', request('GET / HTTP/1.1', 'host: a', ...Array.from({ length: 128 }, () => 'x: y'), '', ''), 431],
  [
    'empty lines without end',
    request(...Array.from({ length: 6 }, () => ''), 'GET / HTTP/1.1', 'host: a', '', ''),
    400,
  ],
  ['half an empty line', Buffer.from('\rGET / HTTP/1.1\r\nhost: a\r\n\r\n'), 400],
  ['chunk size in words', body('five', 'hello', '0', '', ''), 400],
  ['chunk size with a sign', body('-5', 'hello', '0', '', ''), 400],
  ['chunk size with a prefix', body('0x5', 'hello', '0', '', ''), 400],
  ['chunk size with a blank before', body(' 5', 'hello', '0', '', ''), 400],
  ['chunk size beyond all', body('fffffffff', 'hello', '0', '', ''), 400],
  ['no chunk size', body('', 'hello', '0', '', ''), 400],
  ['a chunk longer than it says', body('4', 'hello', '0', '', ''), 400],
  ['a chunk size with a bare line feed', Buffer.concat([body(''), Buffer.from('5\nhello\r\n0\r\n\r\n')]), 400],
  ['a chunk that ends with a bare line feed', Buffer.concat([body(''), Buffer.from('5\r\nhello\n0\r\n\r\n')]), 400],
  ['a line feed in an extension', body('5;a\nb', 'hello', '0', '', ''), 400],
  ['an extension without end', body(`5;${'x'.repeat(10_000)}`, 'hello', '0', '', ''), 400],
  ['trailers without end', body('0', `x: ${'y'.repeat(10_000)}`, '', ''), 400],
  ['a trailer with a bare line feed', body('0', 'x: y\nz: w', '', ''), 400],
];

describe('refused, cut anywhere', () => {
  for (const [name, bytes, status] of BAD)
    test(name, () => {
      for (const cuts of waysToCut(bytes)) {
        const at = cuts.length === 1 ? `cut at ${cuts}` : `${cuts.length} cuts`;
        assert.throws(
          () => parse(bytes, cuts),
          error => {
            if (error instanceof RequestRefused) assert.equal(error.status, status, at);
            else assert.ok(error instanceof HttpSyntaxError && status === 400, `${at}: ${error}`);
            return true;
          },
          at,
        );
      }
    });
});

test('any row of requests, cut at random, is read as it was written', () => {
  const token = fc
    .stringMatching(/^[a-z][a-z0-9-]{0,12}$/)
    .filter(name => !/^(host|expect|connection|content-|transfer-|authorization|accept-)/.test(name));
  const value = fc.stringMatching(/^[!-~]([ -~]{0,30}[!-~])?$/);
  const one = fc.record({
    method: fc.constantFrom('GET', 'POST', 'DELETE', 'PATCH', 'HEAD'),
    target: fc.stringMatching(/^\/[a-z0-9/?=&%._~-]{0,30}$/),
    fields: fc.array(fc.tuple(token, value), { maxLength: 8 }),
    chunks: fc.option(fc.array(fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 60 }), { maxLength: 4 }), {
      nil: undefined,
    }),
    body: fc.string({ unit: 'binary-ascii', maxLength: 80 }),
  });
  const written = ({
    method,
    target,
    fields: more,
    chunks,
    body: content,
  }: typeof one extends fc.Arbitrary<infer T> ? T : never) =>
    [
      `${method} ${target} HTTP/1.1`,
      'host: a',
      ...more.map(([name, text]) => `${name}: ${text}`),
      chunks ? 'transfer-encoding: chunked' : `content-length: ${content.length}`,
      '',
      chunks ? `${chunks.map(chunk => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join('')}0\r\n\r\n` : content,
    ].join('\r\n');
  fc.assert(
    fc.property(
      fc.array(one, { minLength: 1, maxLength: 4 }),
      fc.array(fc.nat(), { maxLength: 12 }),
      (requests, marks) => {
        const bytes = Buffer.from(requests.map(written).join(''), 'latin1');
        const cuts = [...new Set(marks.map(mark => mark % bytes.length))].filter(cut => cut > 0).sort((a, b) => a - b);
        const seen = parse(bytes, cuts);
        assert.deepEqual(
          seen.map(({ head, body: content, isWhole }) => [head.method, head.target, content, isWhole]),
          requests.map(({ method, target, chunks, body: content }) => [
            method,
            target,
            chunks?.join('') ?? content,
            true,
          ]),
        );
      },
    ),
    { numRuns: 300 },
  );
});

test('the host is that of the target where it has one, and the origin is whose page asks', () => {
  const headOf = (...lines: string[]) => parse(request(...lines, '', ''), [])[0]?.head;
  assert.equal(headOf('GET / HTTP/1.1', 'host: a:1')?.host, 'a:1');
  assert.equal(headOf('GET http://b:2/x HTTP/1.1', 'host: a:1')?.host, 'b:2');
  assert.equal(headOf('GET / HTTP/1.0')?.host, undefined);
  assert.equal(headOf('GET / HTTP/1.1', 'host: a', 'Origin: https://p')?.origin, 'https://p');
  for (const target of ['http://', 'http:///x', 'http://u@b/', 'ftp://b/', 'http://b\\x'])
    assert.throws(() => headOf(`GET ${target} HTTP/1.1`, 'host: a'));
});
