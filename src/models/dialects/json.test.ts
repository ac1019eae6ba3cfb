import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Fault } from '../../ground/std/index.ts';
import { DEPTH_MAX, isObject, KEYS_MAX, LONG_NUMBERS_MAX, parseRequestObject, VALUES_MAX } from './json.ts';

const parse = (text: string) => parseRequestObject(Buffer.from(text));
/** Of this process: a busy machine does not count. */
const cpuMs = () => process.cpuUsage().user / 1000;
const refused = (bytes: Buffer | string) =>
  assert.throws(
    () => parseRequestObject(Buffer.from(bytes)),
    (error: unknown) => error instanceof Fault && error.code === 'malformed_request' && !!error.details.messageZh,
  );

test('what is no JSON object is refused', () => {
  for (const text of [
    '',
    ' ',
    'x',
    '[]',
    'null',
    '1',
    '"a"',
    '{',
    '{"a":}',
    "{'a':1}",
    '{"a":1}x',
    '{"a":NaN}',
    '{"a":01}',
  ]) {
    refused(text);
  }
  refused('\uFEFF{"a":1}');
  refused('{"a":"\u0000"}');
  refused(Buffer.from('{"a":"\xff"}', 'latin1'));
  refused(Buffer.from('{"a":1}', 'utf16le'));
});

test('faults repeat nothing of the body', () => {
  assert.throws(
    () => parse('{"messages":"secret words'),
    (error: unknown) => error instanceof Fault && !JSON.stringify([error.message, error.details]).includes('secret'),
  );
});

test('depth, keys and values are bounded before the parser runs', () => {
  const nested = (depth: number) => `{"a":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}`;
  assert.ok(parse(nested(DEPTH_MAX)));
  refused(nested(DEPTH_MAX + 1));
  refused(`{"a":${'[{"b":'.repeat(50_000)}`);
  refused(`{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`);
  const keys = (count: number) => `{${Array.from({ length: count }, (_, index) => `"k${index}":1`).join(',')}}`;
  assert.equal(Object.keys(parse(keys(KEYS_MAX))).length, KEYS_MAX);
  refused(keys(KEYS_MAX + 1));
  const started = cpuMs();
  refused(keys(1_000_000));
  refused(`{"a":[${'1,'.repeat(VALUES_MAX)}1,1]}`);
  assert.ok(cpuMs() - started < 2_000);
});

test('brackets, colons and digits inside strings do not count', () => {
  const text = '[{:,'.repeat(KEYS_MAX);
  assert.equal(parse(JSON.stringify({ a: text }))['a'], text);
  for (const value of ['\\', '"', '\\"[[', 'x'.repeat(100), `${'x'.repeat(60)}\\`, `${'\\"'.repeat(100)}[`]) {
    assert.deepEqual(parse(JSON.stringify({ [value]: [value, { a: value }] })), { [value]: [value, { a: value }] });
  }
});

test('strings full of escapes take linear work', () => {
  const started = cpuMs();
  for (const piece of ['\\"', '\\\\', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\\"']) {
    assert.ok(parse(`{"a":"${piece.repeat(200_000)}"}`));
  }
  assert.ok(cpuMs() - started < 3_000);
});

test('numbers beyond a double go through as written', () => {
  const text =
    '{"a":9007199254740993,"b":-9223372036854775808,"c":[1e400,-1e999],"d":"9007199254740993","e":12345678901234567890123,"f":9007199254740991,"g":0.1,"h":1E2}';
  assert.equal(JSON.stringify(parse(text)), text.replace('1E2', '100'));
  assert.equal(isObject(parse('{"max_tokens":1e400}')['max_tokens']), false);
  assert.notEqual(typeof parse('{"max_tokens":9007199254740993}')['max_tokens'], 'number');
});

test('what stands in place of such a number is no number that is none, and no key', () => {
  const long = '12345678901234567890';
  for (const text of [
    `{"a":0${long}}`,
    `{"a":-}`,
    `{"a":+${long}}`,
    `{"a":${long}.}`,
    `{"a":1.5.${long}}`,
    `{"a":${long}e}`,
    `{"a":1 ${long}}`,
    `{"a":tru${long}}`,
    `{"a":${long}x}`,
    `{"a":"x"${long}}`,
    `{${long}:1}`,
    `{"a":{${long}:1}}`,
    `{"a":[1,${long}`,
  ]) {
    refused(text);
  }
  const whole = `{"__proto__":${long},"a":[[{"b":-${long}}],${long},"${long}"],"c":1e309,"d":1e-400,"e":${'1'.repeat(309)}}`;
  assert.equal(JSON.stringify(parse(whole)), whole.replace('1e-400', '0'));
});

test('hundreds of thousands of numbers of any kind take no more than a few times what plain ones take', () => {
  const parseMs = (text: string) => {
    const body = Buffer.from(text);
    const started = cpuMs();
    try {
      parseRequestObject(body);
    } catch (error) {
      assert.ok(error instanceof Fault);
    }
    return cpuMs() - started;
  };
  const many = (number: string, count = 300_000) => `{"input":[${`${number},`.repeat(count)}1e5]}`;
  const plain = parseMs(many('12'));
  for (const number of [
    '1e2',
    '1e300',
    '1e308',
    '1e309',
    '0.1234567890123456789',
    '9'.repeat(16),
    '9'.repeat(20),
    '-',
    '1e',
  ])
    assert.ok(parseMs(many(number)) < 10 * plain + 500, number);
  assert.ok(parseMs(many('9'.repeat(20), LONG_NUMBERS_MAX)) < 10 * plain + 500);
  assert.ok(parseMs(`${many('1').slice(0, -2)},${'9'.repeat(20)}]}`) < 10 * plain + 500);
});

test('keys that stand twice, and keys with a meaning to JavaScript', () => {
  assert.deepEqual(parse('{"a":1,"a":2}'), { a: 2 });
  const body = parse('{"__proto__":{"model":"x"},"constructor":{"prototype":{"y":1}},"a":{"__proto__":1}}');
  assert.equal(body['model'], undefined);
  assert.equal(({} as { model?: string }).model, undefined);
  assert.equal(
    JSON.stringify({ ...body }),
    '{"__proto__":{"model":"x"},"constructor":{"prototype":{"y":1}},"a":{"__proto__":1}}',
  );
});

test('any object within bounds is read as JSON.parse reads it', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue({ depthSize: 'small' })), object => {
      const text = JSON.stringify(object);
      assert.equal(JSON.stringify(parse(text)), JSON.stringify(JSON.parse(text)));
    }),
  );
});
