import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Fault } from '../ground/std/index.ts';
import { readConfigFile } from './document.ts';

const folder = mkdtempSync(join(tmpdir(), 'mr-document-'));
const file = join(folder, 'millrace.yaml');
after(() => rmSync(folder, { recursive: true }));

function read(text: string, env: Readonly<Record<string, string>> = {}) {
  writeFileSync(file, text);
  return readConfigFile(file, env);
}
function refusal(text: string, env: Readonly<Record<string, string>> = {}): string {
  try {
    read(text, env);
  } catch (error) {
    assert.ok(error instanceof Fault && error.code === 'config_invalid', String(error));
    assert.match(error.messageIn('zh'), /\p{Script=Han}/u);
    return error.message.replace(`${file}:`, '');
  }
  throw new Error(`accepted: ${text}`);
}

test('variables of the shell are put in', () => {
  const env = { KEY: 'sk-1', EMPTY: '', COLON: 'a:b # c' };
  const cases: readonly [text: string, value: unknown][] = [
    ['a: "${KEY}"', { a: 'sk-1' }],
    ['a: ${KEY}', { a: 'sk-1' }],
    ['a: pre-${KEY}-${KEY}', { a: 'pre-sk-1-sk-1' }],
    ['a: ${NONE:-otherwise}', { a: 'otherwise' }],
    ['a: ${EMPTY:-otherwise}', { a: 'otherwise' }],
    ['a: "${NONE:-}"', { a: '' }],
    ['a: $${KEY}', { a: '${KEY}' }],
    ['a: $KEY', { a: '$KEY' }],
    // What a variable holds is text, never more YAML.
    ['a: ${COLON}', { a: 'a:b # c' }],
    ['{"a": ["${KEY}"]}', { a: ['sk-1'] }],
    ['', {}],
    ['# nothing', {}],
  ];
  for (const [text, value] of cases) assert.deepEqual(read(text, env).value, value, text);
});

test('engine files are meant from where the configuration stands', () => {
  const text =
    'models: [{ deployments: [{ engine: { file: ./x.gguf } }, { engine: { file: /y.gguf } }, { engine: { file: "builtin:z" } }] }]';
  const files = [join(folder, 'x.gguf'), '/y.gguf', 'builtin:z'];
  const deployments = files.map(name => ({ engine: { file: name } }));
  assert.deepEqual(read(text).value, { models: [{ deployments }] });
});

test('what cannot be read is told with its place', () => {
  const cases: readonly [text: string, sentence: string][] = [
    ['a: 1\nb: "${KEY}"', '2:4: the environment variable KEY is not set'],
    ['a: ${}', '1:4: ${} is not a variable: use ${NAME} or ${NAME:-default}, and $${ for a plain ${'],
    ['a: ${1X}', '1:4: ${1X} is not a variable: use ${NAME} or ${NAME:-default}, and $${ for a plain ${'],
    ['a: 1\na: 2', '2:1: Map keys must be unique'],
    ['a:\n\t- b', '2:1: Tabs are not allowed as indentation'],
    ['a: [1, 2', '1:9: Flow sequence in block collection must be sufficiently indented and end with a ]'],
    ['a: *x', '1:4: nothing before it is marked &x'],
    ['a: &x [*x]', '1:8: &x contains itself'],
    ['a: &x { b: { c: [1, *x] } }', '1:21: &x contains itself'],
    ['a: !mine [1]', '1:4: Unresolved tag: !mine'],
    ['a: !!js/function "x"', '1:4: Unresolved tag: tag:yaml.org,2002:js/function'],
    ['a: 1\n---\nb: 2', '2:1: a second document begins here: one is taken'],
    ['? [a, b]\n: 1', '1:3: a key must be plain text'],
    [`a: ${'['.repeat(20_000)}`, '1:PLACE: nested too deeply'],
    [`{"a":${'['.repeat(20_000)}${']'.repeat(20_000)}}`, '1:PLACE: nested too deeply'],
  ];
  for (const [text, sentence] of cases) {
    // Where the stack ends is the machine's affair.
    const told = sentence.includes('PLACE') ? refusal(text).replace(/^1:\d+/, '1:PLACE') : refusal(text);
    assert.equal(told, sentence, text.slice(0, 80));
  }
  assert.throws(() => readConfigFile('/nowhere.yaml', {}), /^Fault: \/nowhere\.yaml: there is no such file$/);
});

test('an issue is located where a person looks for it', () => {
  const source = read(`providers:
  - { id: mock, baseUrl: "http://x" }
models:
  - id: m
    prices:
      - currency: CNY
        inputPerM: "4x"
`);
  const message = 'is wrong';
  const cases: readonly [path: (string | number)[], place: string][] = [
    [['models', 0, 'prices', 0, 'inputPerM'], '7:20: models[0].prices[0].inputPerM: is wrong'],
    [['providers', 0, 'baseUrl'], '2:26: providers[0].baseUrl: is wrong'],
    [['providers', 0, 'id'], '2:11: providers[0].id: is wrong'],
    // Missing: where the object begins that lacks it.
    [['models', 0, 'prices', 0, 'outputPerM'], '6:9: models[0].prices[0].outputPerM: is wrong'],
    [['models', 0, 'deployments'], '4:5: models[0].deployments: is wrong'],
    [[], '1:1: is wrong'],
  ];
  for (const [path, place] of cases)
    assert.equal(source.locate([{ path, message }], 'en').replace(`${file}:`, ''), place);
  const several = [...cases].reverse().map(([path]) => ({ path, message }));
  const lines = source.locate(several, 'zh').split('\n');
  assert.deepEqual(
    lines.map(line => line.split(':')[1]),
    ['1', '2', '2', '4', '6', '7'],
  );
  assert.equal(lines.at(-1), `${file}:7:20：models[0].prices[0].inputPerM：is wrong`);
});

test('a document that unfolds without end is refused', () => {
  const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
  for (let depth = 1; depth < 9; depth++)
    lines.push(`a${depth}: &a${depth} [${Array.from({ length: 10 }, () => `*a${depth - 1}`).join(', ')}]`);
  assert.equal(refusal(lines.join('\n')), ' its aliases unfold to too much');
});

test('what is no text in UTF-8, or has no end, is refused', () => {
  const cases: readonly [bytes: Buffer, sentence: string][] = [
    [Buffer.from('a: 1\nb: caf\xe9 x', 'latin1'), '2:7: is not UTF-8'],
    [Buffer.from('\ufeffa: 1', 'utf16le'), '1:1: is not UTF-8'],
    [Buffer.from(`a: "${'x'.repeat(8 * 1_048_576)}"`), ' is larger than 8 MiB'],
  ];
  for (const [bytes, sentence] of cases) {
    writeFileSync(file, bytes);
    assert.throws(() => readConfigFile(file, {}), { code: 'config_invalid', message: `${file}:${sentence}` });
  }
  assert.throws(() => readConfigFile('/dev/zero', {}), /larger than 8 MiB/);
  assert.throws(() => readConfigFile(folder, {}), /cannot be read \(EISDIR\)/);
});

test('a mark at its beginning and line ends of Windows are no part of a text', () => {
  assert.deepEqual(read('\ufefforganizations:\r\n  - { id: a }\r\n').value, { organizations: [{ id: 'a' }] });
  assert.equal(refusal('\ufeffa: 1\r\nb: ${NONE}\r\n'), '2:4: the environment variable NONE is not set');
});
