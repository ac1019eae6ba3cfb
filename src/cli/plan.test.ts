import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { planCommand } from './plan.ts';

const folder = mkdtempSync(join(tmpdir(), 'millrace-plan-'));
after(() => rmSync(folder, { recursive: true }));

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function plan(...args: readonly string[]): Promise<Ran> {
  let out = '';
  let err = '';
  const code = await planCommand(args, {
    stdout: text => {
      out += text;
    },
    stderr: text => {
      err += text;
    },
    json: false,
    lang: 'en',
  });
  return { code, out, err };
}

test('a case as JSON is nothing but its fixed shape', async () => {
  const { code, out } = await plan('case', 'deepseek-day', '--json');
  const report = JSON.parse(out);
  assert.equal(code, 0);
  assert.deepEqual(Object.keys(report), ['case', 'ok', 'rows']);
  assert.deepEqual([report.case, report.ok], ['deepseek-day', true]);
  assert.deepEqual(Object.keys(report.rows[0]), [
    'name',
    'unit',
    'expected',
    'computed',
    'errorPct',
    'tolerancePct',
    'source',
    'status',
  ]);
});

test('all cases at once, in text and in Chinese', async () => {
  const { code, out } = await plan('case', 'all', '--lang', 'zh');
  assert.equal(code, 0);
  for (const words of ['成本利润率', '未核实', '已核实', '结论', '盈亏平衡']) assert.ok(out.includes(words), words);
});

test('a run answers in money as exact text', async () => {
  const { code, out } = await plan('run', 'r1-100b', '--json');
  const found = JSON.parse(out);
  assert.equal(code, 0);
  assert.match(found.costDay.amount, /^\d+(\.\d+)?$/);
  assert.equal(found.costDay.currency, 'CNY');
  assert.equal(found.hours.length, 24);
  assert.ok(found.breakEvens.length > 8 && found.curve.length > 8 && found.tornado.length > 5);
});

test('a scenario is changed, saved with its comments, and runs again the same', async () => {
  const file = join(folder, 'saved.yaml');
  const first = await plan('run', 'deepseek-day', '--set', 'demand.output=84 Gtok/day', '--save', file, '--json');
  assert.match(readFileSync(file, 'utf8'), /output: 84 Gtok\/day[\s\S]*# 342 of 608/);
  const again = await plan('run', file, '--json');
  assert.equal(again.out, first.out);
  const compared = await plan('compare', 'deepseek-day', file);
  assert.equal(compared.code, 0);
  assert.match(compared.out, /Nodes needed, mean +226\.9 +161\.2/);
});

test("a model's own config.json is read beside the scenario", async () => {
  const config = {
    hidden_size: 4096,
    intermediate_size: 12_288,
    num_attention_heads: 32,
    num_key_value_heads: 8,
    head_dim: 128,
    num_hidden_layers: 36,
    vocab_size: 151_936,
  };
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  writeFileSync(
    join(folder, 'own.yaml'),
    'model: { config: config.json, name: mine }\nhardware: h20\ndemand: { output: 1 Gtok/day }\nprice: { output: 2 CNY/Mtok }\ncost: { gpu: 9 CNY/h }\n',
  );
  const { code, out } = await plan('run', join(folder, 'own.yaml'));
  assert.equal(code, 0);
  assert.match(out, /Model +mine · FP8/);
});

test('reports and plots are whole files without scripts or addresses to fetch', async () => {
  for (const lang of ['en', 'zh']) {
    const report = join(folder, `report-${lang}.html`);
    const svg = join(folder, `curve-${lang}.svg`);
    const { code } = await plan('run', 'qwen3-32b-h20', '--report', report, '--svg', svg, '--lang', lang);
    assert.equal(code, 0);
    const html = readFileSync(report, 'utf8');
    assert.ok(html.startsWith('<!doctype html>') && html.endsWith('</html>\n'));
    assert.ok(html.includes(lang === 'zh' ? '每日利润' : 'Profit per day') && (html.match(/<svg/g) ?? []).length === 4);
    assert.doesNotMatch(html, /<script|<link|src=|NaN|undefined|Infinity/);
    assert.doesNotMatch(readFileSync(svg, 'utf8'), /NaN|undefined|Infinity/);
  }
});

test('a study says how often money is lost; lists are not empty', async () => {
  const { out } = await plan('study', 'qwen3-32b-h20', '--samples', '200', '--json');
  const found = JSON.parse(out);
  assert.ok(found.samples === 200 && found.lossShare > 0 && found.lossShare < 1);
  for (const what of ['models', 'hardware', 'prices', 'profiles', 'scenarios', 'cases'])
    assert.ok((await plan('list', what)).out.split('\n').length > 3, what);
});

const refused: readonly [args: readonly string[], message: RegExp][] = [
  [['case', 'nothing'], /^case: unknown case "nothing"; known are deepseek-day, r1-16-yuan.*\n$/],
  [['case'], /^case: is missing/],
  [['fly'], /unknown command "fly"; known are case, run/],
  [['run', 'nowhere.yaml'], /^nowhere\.yaml: is no file that can be read, and no shipped scenario/],
  [
    ['run', 'r1-100b', '--set', 'price.output=16 CNY/day'],
    /^price\.output: has no effect beside price\.book; leave it out/,
  ],
  [
    ['run', 'r1-100b', '--set', 'demand.output=-5 Gtok/day'],
    /^demand\.output: "-5 Gtok\/day" is negative; write tokens per time/,
  ],
  [['run', 'r1-100b', '--set', 'demand.output=.inf'], /^demand\.output: /],
  [['run', 'r1-100b', '--fast'], /^--fast: unknown option/],
  [['run', 'r1-100b', '--lang', 'fr'], /neither en nor zh/],
  [['study', 'r1-100b', '--samples', '0'], /not a whole number from 1/],
  [['compare', 'r1-100b'], /needs two scenarios/],
];
for (const [args, message] of refused) {
  test(`exit 2 and one sentence: ${args.join(' ')}`, async () => {
    const { code, out, err } = await plan(...args);
    assert.deepEqual([code, out], [2, '']);
    assert.match(err, message);
    assert.equal(err.trimEnd().split('\n').length, 1);
  });
}

test('errors speak the chosen language', async () => {
  const { code, err } = await plan('run', 'r1-100b', '--set', 'demand.output=5 CNY/h', '--lang', 'zh');
  assert.equal(code, 2);
  assert.equal(err, 'demand.output：“5 CNY/h”是按时间计的金额；请写单位时间词元数，例如“100 Gtok/day”\n');
});
