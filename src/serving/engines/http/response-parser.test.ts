import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { HttpSyntaxError } from '../../../ground/std/index.ts';
import { createResponseParser } from './response-parser.ts';

interface Seen {
  heads: [number, ReadonlyMap<string, string>][];
  content: string;
  ends: boolean[];
  pieces: number;
}

/** Feeds an answer in the pieces that the cuts make of it, then closes where `close` says so. */
function parse(bytes: Buffer, cuts: readonly number[], { close = false } = {}): Seen {
  const seen: Seen = { heads: [], content: '', ends: [], pieces: 0 };
  const parser = createResponseParser({
    head: (status, headers) => seen.heads.push([status, headers]),
    body: content => {
      seen.content += content.toString('latin1');
      seen.pieces += 1;
    },
    end: reusable => seen.ends.push(reusable),
  });
  parser.begin();
  let from = 0;
  for (const cut of [...cuts, bytes.length]) {
    if (cut > from) parser.push(bytes.subarray(from, cut));
    from = Math.max(from, cut);
  }
  if (close) parser.close();
  return seen;
}

const answer = (...lines: string[]) => Buffer.from(lines.join('\r\n'), 'latin1');

const GOOD: readonly [name: string, bytes: Buffer, content: string, reusable: boolean, status: number][] = [
  ['length', answer('HTTP/1.1 200 OK', 'Content-Length: 5', '', 'hello'), 'hello', true, 200],
  ['no content', answer('HTTP/1.1 200 OK', 'content-length: 0', '', ''), '', true, 200],
  ['no reason', answer('HTTP/1.1 429', 'content-length:2', '', 'no'), 'no', true, 429],
  ['204', answer('HTTP/1.1 204 No Content', '', ''), '', true, 204],
  [
    'chunks',
    answer('HTTP/1.1 200 OK', 'Transfer-Encoding: Chunked', '', '5', 'hello', '0006', ' world', '0', '', ''),
    'hello world',
    true,
    200,
  ],
  [
    'chunk extensions and trailers',
    answer(
      'HTTP/1.1 200 OK',
      'transfer-encoding: chunked',
      '',
      'A;x="y;z"',
      '0123456789',
      '0;last',
      'x-t: 1',
      'y: 2',
      '',
      '',
    ),
    '0123456789',
    true,
    200,
  ],
  [
    'hints first',
    answer('HTTP/1.1 103 Early Hints', 'link: x', '', 'HTTP/1.1 200 OK', 'content-length: 2', '', 'ok'),
    'ok',
    true,
    200,
  ],
  [
    'connection: close',
    answer('HTTP/1.1 200 OK', 'connection: Close', 'content-length: 2', '', 'ok'),
    'ok',
    false,
    200,
  ],
  ['HTTP/1.0', answer('HTTP/1.0 200 OK', 'content-length: 2', '', 'ok'), 'ok', false, 200],
  ['more behind the end', answer('HTTP/1.1 200 OK', 'content-length: 2', '', 'okHTTP/1.1 200 OK'), 'ok', false, 200],
];

describe('good answers, cut anywhere', () => {
  for (const [name, bytes, content, reusable, status] of GOOD) {
    test(name, () => {
      const whole = parse(bytes, []);
      assert.deepEqual([whole.content, whole.ends, whole.heads[0]?.[0]], [content, [reusable], status]);
      assert.ok(whole.pieces <= 1, 'content of one network chunk comes at once');
      for (let cut = 1; cut < bytes.length; cut += 1) {
        const seen = parse(bytes, [cut]);
        // Cut right behind its end, what follows is the connection's to see, no longer the parser's.
        const ends = name === 'more behind the end' && cut === bytes.length - 15 ? [true] : [reusable];
        assert.deepEqual([seen.content, seen.ends, seen.heads], [content, ends, whole.heads], `cut at ${cut}`);
      }
    });
  }

  test('any chunks, extensions and cuts', () => {
    const chunk = fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 300 }), fc.constantFrom('', ';a=b', ' ;c'));
    fc.assert(
      fc.property(fc.array(chunk, { maxLength: 12 }), fc.array(fc.nat(4_000), { maxLength: 12 }), (chunks, cuts) => {
        const parts = chunks.flatMap(([data, extension]) => [
          Buffer.from(`${data.length.toString(16)}${extension}\r\n`),
          Buffer.from(data),
          Buffer.from('\r\n'),
        ]);
        const head = answer('HTTP/1.1 200 OK', 'transfer-encoding: chunked', '', '');
        const bytes = Buffer.concat([head, ...parts, Buffer.from('0\r\n\r\n')]);
        const sorted = cuts.map(cut => Math.min(cut, bytes.length)).toSorted((a, b) => a - b);
        const seen = parse(bytes, sorted);
        assert.equal(seen.content, Buffer.concat(chunks.map(([data]) => data)).toString('latin1'));
        assert.deepEqual(seen.ends, [true]);
      }),
    );
  });

  test('until the connection closes', () => {
    const bytes = answer('HTTP/1.1 200 OK', '', 'all there is');
    assert.deepEqual(parse(bytes, [30]).ends, []);
    assert.deepEqual(parse(bytes, [30], { close: true }).ends, [false]);
    const cut = parse(answer('HTTP/1.1 200 OK', 'content-length: 9', '', 'short'), [], { close: true });
    assert.deepEqual([cut.content, cut.ends], ['short', []]);
  });

  test('headers that come twice are joined, in lower case; no name means anything to JavaScript', () => {
    const named = Object.getOwnPropertyNames(Object.prototype);
    const [[, headers] = []] = parse(
      answer(
        'HTTP/1.1 200 OK',
        'X-A: 1',
        'x-a:\t2 \t',
        ...named.map(name => `${name}: z`),
        'content-length: 0',
        '',
        '',
      ),
      [],
    ).heads;
    assert.deepEqual(headers && [...headers], [
      ['x-a', '1, 2'],
      ...named.map(name => [name.toLowerCase(), 'z']),
      ['content-length', '0'],
    ]);
  });
});

describe('nothing comes after stop, from within as well', () => {
  for (const [name, bytes] of [
    ['more to come', answer('HTTP/1.1 200 OK', 'transfer-encoding: chunked', '', '2', 'ab', '')],
    ['all there', answer('HTTP/1.1 200 OK', 'transfer-encoding: chunked', '', '2', 'ab', '0', '', '')],
    ['all there, by length', answer('HTTP/1.1 200 OK', 'content-length: 2', '', 'ab')],
  ] as const)
    test(name, () => {
      const seen: string[] = [];
      const parser = createResponseParser({
        head: () => {},
        body: content => {
          seen.push(content.toString());
          parser.stop();
        },
        end: () => seen.push('end'),
      });
      parser.begin();
      parser.push(bytes);
      assert.deepEqual(seen, ['ab']);
    });
});

const LENGTH = 'content-length: 2';
const CHUNKS = 'transfer-encoding: chunked';
const BAD: readonly [name: string, ...lines: string[]][] = [
  ['another protocol', 'HTTP/2 200', LENGTH, '', 'ok'],
  ['a status of two digits', 'HTTP/1.1 20 OK', LENGTH, '', 'ok'],
  ['a blank before the colon', 'HTTP/1.1 200 OK', 'content-length : 2', '', 'ok'],
  ['a folded header', 'HTTP/1.1 200 OK', 'x: 1', ' 2', LENGTH, '', 'ok'],
  ['a header without a name', 'HTTP/1.1 200 OK', ': 1', LENGTH, '', 'ok'],
  ['NUL in a header', 'HTTP/1.1 200 OK', 'x: \0', LENGTH, '', 'ok'],
  ['a bare line feed', 'HTTP/1.1 200 OK', 'x: 1\ny: 2', LENGTH, '', 'ok'],
  ['a negative length', 'HTTP/1.1 200 OK', 'content-length: -2', '', 'ok'],
  ['a length with a sign', 'HTTP/1.1 200 OK', 'content-length: +2', '', 'ok'],
  ['a huge length', 'HTTP/1.1 200 OK', `content-length: ${'9'.repeat(30)}`, '', 'ok'],
  ['two lengths', 'HTTP/1.1 200 OK', LENGTH, 'content-length: 3', '', 'ok'],
  ['length and chunks', 'HTTP/1.1 200 OK', LENGTH, CHUNKS, '', '0', '', ''],
  ['another encoding', 'HTTP/1.1 200 OK', 'transfer-encoding: gzip, chunked', '', '0', '', ''],
  ['chunks in HTTP/1.0', 'HTTP/1.0 200 OK', CHUNKS, '', '0', '', ''],
  ['chunk size no number', 'HTTP/1.1 200 OK', CHUNKS, '', 'g', 'x', '0', '', ''],
  ['an empty chunk size', 'HTTP/1.1 200 OK', CHUNKS, '', '', 'x'],
  ['a chunk size of nine digits', 'HTTP/1.1 200 OK', CHUNKS, '', '100000000', 'x'],
  ['a chunk longer than said', 'HTTP/1.1 200 OK', CHUNKS, '', '2', 'abc', '0', '', ''],
  ['a chunk size ended by a bare line feed', 'HTTP/1.1 200 OK', CHUNKS, '', '2\nab', '0', '', ''],
  ['a bare line feed in the trailers', 'HTTP/1.1 200 OK', CHUNKS, '', '0', 'x: 1\n', ''],
  ['a chunk extension without end', 'HTTP/1.1 200 OK', CHUNKS, '', `1;${'x'.repeat(9_000)}`, 'a', '0', '', ''],
  ['trailers without end', 'HTTP/1.1 200 OK', CHUNKS, '', '0', `x: ${'y'.repeat(9_000)}`, '', ''],
  ['a head of 64 KiB', 'HTTP/1.1 200 OK', `x: ${'y'.repeat(65_536)}`, LENGTH, '', 'ok'],
  ['300 headers', 'HTTP/1.1 200 OK', ...Array.from({ length: 300 }, (_, n) => `x-${n}: 1`), LENGTH, '', 'ok'],
  ['switching protocols', 'HTTP/1.1 101 Switching', 'upgrade: x', '', ''],
  ['hints without end', ...Array.from({ length: 20 }, () => 'HTTP/1.1 100 Continue\r\n'), ''],
];

describe('refused, cut anywhere', () => {
  for (const [name, ...lines] of BAD) {
    test(name, () => {
      const bytes = answer(...lines);
      const cuts = bytes.length > 3_000 ? [1, 20, 1_000, bytes.length - 1] : bytes.keys();
      for (const cut of cuts) assert.throws(() => parse(bytes, [cut]), HttpSyntaxError, `cut at ${cut}`);
    });
  }
});
