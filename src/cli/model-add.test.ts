import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { modelAddedSchema, modelListSchema } from '@millrace/contract';
import { runCli } from './run.ts';

const NANO = resolve(import.meta.dirname, '../../models/nano/millrace-nano.gguf');
const folder = mkdtempSync(join(tmpdir(), 'mr-add-'));
after(() => rmSync(folder, { recursive: true }));

/** Runs a command line in this process, on a home where no server runs: its engine is started to see whether it loads. */
async function cli(...line: readonly string[]) {
  let [stdout, stderr] = ['', ''];
  const code = await runCli(line, {
    env: { MILLRACE_HOME: join(folder, 'home'), MILLRACE_LOG: 'silent' },
    stdout: text => {
      stdout += text;
    },
    stderr: text => {
      stderr += text;
    },
  });
  return { code, stdout, stderr };
}

const models = async () => modelListSchema.parse(JSON.parse((await cli('model', 'list', '--json')).stdout)).models;

/** The name that the file says of itself is `Millrace Nano`: many files say the same. */
const weights = join(folder, 'deepseek-flash.gguf');
copyFileSync(NANO, weights);

test('a price is given whole, or said to be none', async () => {
  const price = 'model add: it has no price: give --input-price and --output-price, or --free\n';
  const cases: readonly [flags: readonly string[], sentence: string][] = [
    [[], price],
    [['--currency', 'USD'], price],
    [['--id', 'x'], price],
    [['--input-price', '1'], 'model add: --output-price is missing: a price needs both (millrace model add --help)\n'],
    [['--output-price', '1'], 'model add: --input-price is missing: a price needs both (millrace model add --help)\n'],
    [
      ['--cached-input-price', '1'],
      'model add: --input-price is missing: a price needs both (millrace model add --help)\n',
    ],
    [['--free', '--input-price', '1'], '--input-price does not go with --free\n'],
    [['--free', '--cached-input-price', '1'], '--cached-input-price does not go with --free\n'],
  ];
  for (const [flags, sentence] of cases) {
    const { code, stderr } = await cli('model', 'add', weights, ...flags);
    assert.deepEqual([code, stderr], [2, sentence], flags.join(' '));
    const zh = await cli('model', 'add', weights, ...flags, '--lang', 'zh');
    assert.match(zh.stderr, /\p{Script=Han}/u);
  }
  const wrong = await cli('model', 'add', weights, '--input-price', '1', '--output-price', 'two');
  assert.match(wrong.stderr, /^--output-price: "two" is not a price/);
  assert.deepEqual(await models(), []);
});

test('it is called by its file, says its price and that it is loaded, and never takes the place of another unasked', async () => {
  const priced = ['--input-price', '1', '--output-price', '2'];
  const { code, stdout, stderr } = await cli('model', 'add', weights, ...priced);
  assert.deepEqual([code, stderr], [0, '']);
  assert.match(stdout, /^model +deepseek-flash\nfile +\/.+\ncontext +1024\nprice +1\/1\/2 CNY\nstate +ready\n$/);
  const taken = 'There is a model deepseek-flash already: choose another id (--id), or set it anew (--replace)\n';
  for (const flags of [['--free'], priced, ['--id', 'deepseek-flash', '--free']]) {
    const again = await cli('model', 'add', weights, ...flags);
    assert.deepEqual([again.code, again.stderr], [2, taken]);
  }
  const [{ prices } = assert.fail()] = await models();
  assert.deepEqual(
    prices.map(({ currency, outputPerM }) => [currency, outputPerM]),
    [['CNY', '2']],
  );
  const replaced = await cli('model', 'add', weights, '--free', '--replace', '--json');
  const answer = modelAddedSchema.pick({ id: true, replaced: true, prices: true }).parse(JSON.parse(replaced.stdout));
  assert.deepEqual([answer.id, answer.replaced], ['deepseek-flash', true]);
  assert.deepEqual(
    answer.prices.map(({ currency, inputPerM, outputPerM }) => [currency, inputPerM, outputPerM]),
    [
      ['CNY', '0', '0'],
      ['USD', '0', '0'],
    ],
  );
  // What was taken out of service holds its id for nobody.
  assert.equal((await cli('model', 'remove', 'deepseek-flash')).code, 0);
  assert.equal((await cli('model', 'add', weights, '--free', '--no-wait')).code, 0);
});

test('weights that cannot be loaded are told of, with the reason, and leave nothing', async () => {
  // Whole, by its head, of an architecture that no engine knows.
  const odd = join(folder, 'odd-00001-of-00001.gguf');
  const text = readFileSync(NANO).toString('latin1');
  writeFileSync(
    odd,
    text.replaceAll('llama.', 'llamz.').replace('\x05\0\0\0\0\0\0\0llama', '\x05\0\0\0\0\0\0\0llamz'),
    'latin1',
  );
  const before = (await models()).length;
  const { code, stdout, stderr } = await cli('model', 'add', odd, '--free');
  assert.deepEqual([code, stdout], [1, '']);
  assert.match(stderr, /^odd cannot be loaded: .+\. It was taken out again\n$/);
  assert.equal((await models()).length, before);
  const zh = await cli('model', 'add', odd, '--free', '--lang', 'zh');
  assert.match(zh.stderr, /^odd 无法加载：.+。已将其下线\n$/);
});
