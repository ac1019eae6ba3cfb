import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ChunkedBody } from './chunked-body.ts';
import { HttpSyntaxError } from './http-syntax-error.ts';

/** The content, and how many bytes were taken; in one piece, or in pieces of one byte. */
function read(text: string, size: number): [content: string, taken: number, isOver: boolean] {
  const bytes = Buffer.from(text, 'latin1');
  let content = '';
  const body = new ChunkedBody(part => {
    content += part.toString('latin1');
  });
  body.begin();
  let taken = 0;
  for (let from = 0; from < bytes.length && !body.isOver(); from += size)
    taken += body.push(bytes.subarray(from, from + size), 0);
  return [content, taken, body.isOver()];
}

const GOOD: readonly string[] = [
  '5\r\nhello\r\n0\r\n\r\n',
  '0005\r\nhello\r\n000\r\n\r\n',
  '5;a\r\nhello\r\n0;b\r\n\r\n',
  '5;a=b;c\r\nhello\r\n0\r\n\r\n',
  '5 ; a = b ;\tc\r\nhello\r\n0\r\n\r\n',
  '5;a="x;y\\"";b\r\nhello\r\n0\r\n\r\n',
  '5;a=""\r\nhello\r\n0\r\n\r\n',
  '5;a="\x80\xff\t "\r\nhello\r\n0\r\n\r\n',
  '5\r\nhello\r\n0\r\na: b\r\n\r\n',
  "5\r\nhello\r\n0\r\na:\r\nc!#$%&'*+-.^_`|~:\x80 \t d\r\n\r\n",
];

/** RFC 9112 §7.1 has no word for any of these. */
const BAD: readonly [name: string, text: string][] = [
  ['a lone line feed at the end', '5\r\nhello\r\n0\r\n\n'],
  ['a lone line feed behind the size', '5\nhello\r\n0\r\n\r\n'],
  ['a lone return at the end', '5\r\nhello\r\n0\r\n\rx'],
  ['blanks behind the size', '5 \r\nhello\r\n0\r\n\r\n'],
  ['a tab behind the size', '5\t\r\nhello\r\n0\r\n\r\n'],
  ['junk behind the size', '5 junk\r\nhello\r\n0\r\n\r\n'],
  ['a number behind the size', '5 5\r\nhello\r\n0\r\n\r\n'],
  ['an extension without a name', '5;\r\nhello\r\n0\r\n\r\n'],
  ['a second extension without a name', '5;a;\r\nhello\r\n0\r\n\r\n'],
  ['an extension with a value without a name', '5;=b\r\nhello\r\n0\r\n\r\n'],
  ['an extension with a sign for a value', '5;a=\r\nhello\r\n0\r\n\r\n'],
  ['an extension with two values', '5;a=b=c\r\nhello\r\n0\r\n\r\n'],
  ['an extension that ends in a blank', '5;a \r\nhello\r\n0\r\n\r\n'],
  ['a value that ends in a blank', '5;a=b \r\nhello\r\n0\r\n\r\n'],
  ['text behind a quoted value', '5;a="b"c\r\nhello\r\n0\r\n\r\n'],
  ['a quoted value without end', '5;a="b\r\nhello\r\n0\r\n\r\n'],
  ['a NUL in a quoted value', '5;a="\0"\r\nhello\r\n0\r\n\r\n'],
  ['a NUL in an extension', '5;a\0\r\nhello\r\n0\r\n\r\n'],
  ['a return in an extension', '5;a\rb\r\nhello\r\n0\r\n\r\n'],
  ['a trailer without a colon', '5\r\nhello\r\n0\r\ntrailer\r\n\r\n'],
  ['a trailer without a name', '5\r\nhello\r\n0\r\n: x\r\n\r\n'],
  ['a trailer with a blank before its colon', '5\r\nhello\r\n0\r\na : x\r\n\r\n'],
  ['a folded trailer', '5\r\nhello\r\n0\r\na: x\r\n y\r\n\r\n'],
  ['a NUL in a trailer', '5\r\nhello\r\n0\r\na: \0\r\n\r\n'],
  ['a NUL in the name of a trailer', '5\r\nhello\r\n0\r\na\0: x\r\n\r\n'],
  ['a lone line feed in a trailer', '5\r\nhello\r\n0\r\na: x\n\r\n'],
  ['a lone return in a trailer', '5\r\nhello\r\n0\r\na: x\ry\r\n\r\n'],
  ['no size', '\r\nhello\r\n0\r\n\r\n'],
  ['a size of eight digits', '00000005\r\nhello\r\n0\r\n\r\n'],
  ['more than it says', '4\r\nhello\r\n0\r\n\r\n'],
];

describe('by the grammar', () => {
  for (const text of GOOD)
    test(JSON.stringify(text), () => {
      for (const size of [text.length, 1]) {
        assert.deepEqual(read(text, size), ['hello', text.length, true]);
        assert.deepEqual(read(`${text}GET`, size), ['hello', text.length, true]);
      }
    });
});

describe('beside the grammar', () => {
  for (const [name, text] of BAD)
    test(name, () => {
      for (const size of [text.length, 1]) assert.throws(() => read(text, size), HttpSyntaxError);
    });
});

test('extensions and trailers have an end', () => {
  assert.throws(() => read(`5;${'a'.repeat(9_000)}\r\nhello\r\n0\r\n\r\n`, 9_100), HttpSyntaxError);
  assert.throws(() => read(`0\r\n${'a: b\r\n'.repeat(2_000)}\r\n`, 20_000), HttpSyntaxError);
});
