import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Fault } from '../std/index.ts';
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
  ];
  for (const [text, sentence] of cases) assert.equal(refusal(text), sentence, text);
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
  for (const [path, place] of cases) assert.equal(source.locate({ path, message }).replace(`${file}:`, ''), place);
});

test('a document that unfolds without end is refused', () => {
  const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
  for (let depth = 1; depth < 9; depth++)
    lines.push(`a${depth}: &a${depth} [${Array.from({ length: 10 }, () => `*a${depth - 1}`).join(', ')}]`);
  assert.equal(refusal(lines.join('\n')), ' its aliases unfold to too much');
});
