import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { exactNumber, parseExact, parseExactValues, stringifyExact, unmarked } from './exact-json.ts';

const NUMBERS = [
  '1234567890123456789',
  '9007199254740993',
  '-9007199254740993',
  '1.0',
  '1e400',
  '-0.10',
  '0.1000000000000000055',
  '1E5',
  '-0',
];

test('numbers that JavaScript would write otherwise keep their text, wherever they stand', () => {
  for (const number of NUMBERS)
    for (const around of [
      (value: string) => value,
      (value: string) => `[${value}]`,
      (value: string) => `{"a":${value},"b":"${value}"}`,
    ]) {
      const text = around(number);
      assert.equal(stringifyExact(parseExact(text)), text);
      assert.equal(unmarked(JSON.stringify(parseExact(text))), text);
    }
  assert.equal(exactNumber(parseExact('1e400')), '1e400');
  for (const value of [1, '1', null, 'x', {}]) assert.equal(exactNumber(value), undefined);
});

test('settings stay numbers, values that would change do not', () => {
  assert.deepEqual(
    parseExactValues('[1.0,0.30000000000000004,100,-1.50,9007199254740991]'),
    [1, 0.30000000000000004, 100, -1.5, 9007199254740991],
  );
  for (const number of ['1234567890123456789', '9007199254740993', '1e400'])
    assert.equal(exactNumber(parseExactValues(number)), number);
});

test('all else is as JSON.parse has it', () => {
  fc.assert(
    fc.property(fc.json(), text => {
      assert.deepEqual(parseExactValues(stringifyExact(parseExact(text))), parseExactValues(text));
      assert.equal(JSON.stringify(JSON.parse(stringifyExact(parseExact(text)))), JSON.stringify(JSON.parse(text)));
    }),
  );
  for (const bad of ['', '01', '[1.]', '{"a":+1}', '"', '"\\"', '[1 2]', '1e', '-', '{"a" 1}', '.5'])
    assert.throws(() => parseExact(bad), SyntaxError, bad);
  for (const text of ['"\\\\"', '["\\"1.0", 1]', '"a\\\\\\"1.0"']) assert.deepEqual(parseExact(text), JSON.parse(text));
});

test('megabytes of each shape take time in proportion', () => {
  const startMs = performance.now();
  for (const piece of ['1.0,', '"",', '12345678901234567890,', '"\\\\",'])
    parseExactValues(`[${piece.repeat(1_000_000 / piece.length)}1]`);
  for (const bad of [
    '1'.repeat(1_000_000),
    '-'.repeat(1_000_000),
    '"'.repeat(1_000_000),
    '\\'.repeat(1_000_000),
    `"${'\\'.repeat(1_000_000)}`,
  ])
    try {
      parseExact(bad);
    } catch {}
  assert.ok(performance.now() - startMs < 10_000);
});
