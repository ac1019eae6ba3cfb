import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answer } from '../answer.ts';
import { CASE_NAMES, runCase } from '../cases/index.ts';
import { shippedScenario } from '../cases/load.ts';
import { SCENARIOS } from '../data/scenarios.ts';
import { study } from '../sensitivity.ts';
import { VARIABLES } from '../variables.ts';
import { curveChart, errorsChart, hoursChart, waterfallChart } from './charts.ts';
import { caseHtml, fleetHtml } from './html.ts';
import { formatExact, formatNumber, formatSeconds } from './language.ts';
import { escapeText, linearScale, logScale } from './svg.ts';
import { bar } from './text-plot.ts';
import { fleetText } from './text-report.ts';
import { displayWidth, textTable } from './text-table.ts';
import { VARIABLE_WORDS, WORDS } from './words.ts';

const NUMBERS: readonly [value: number, en: string, zh: string][] = [
  [0, '0', '0'],
  [0.0603, '0.0603', '0.0603'],
  [9.1238, '9.124', '9.124'],
  [9999, '9,999', '9,999'],
  [87_072, '87.07 k', '8.707 万'],
  [912_384, '912.4 k', '91.24 万'],
  [-402e6, '−402 M', '−4.02 亿'],
  [45e6, '45 M', '4,500 万'],
  [1e11, '100 G', '1,000 亿'],
  [Number.POSITIVE_INFINITY, '∞', '∞'],
];
for (const [value, en, zh] of NUMBERS)
  test(`${value} reads ${en} and ${zh}`, () =>
    assert.deepEqual([formatNumber(value, 'en'), formatNumber(value, 'zh')], [en, zh]));

test('published figures are not abbreviated', () =>
  assert.deepEqual([87_072, 226.75, -2, 562_027, 0.0603].map(formatExact), [
    '87,072',
    '226.75',
    '−2',
    '562,027',
    '0.0603',
  ]));
test('times', () =>
  assert.deepEqual(
    [formatSeconds(0.2789, 'en'), formatSeconds(2.5, 'en'), formatSeconds(Number.POSITIVE_INFINITY, 'zh')],
    ['278.9 ms', '2.5 s', '无上限（排队无限增长）'],
  ));

test('Chinese takes two columns and tables stay straight', () => {
  assert.equal(displayWidth('成本 ab'), 7);
  const lines = textTable(
    ['指标', 'n'],
    [
      ['成本', '1'],
      ['ab', '10'],
    ],
    ['left', 'right'],
  )
    .trimEnd()
    .split('\n');
  assert.equal(new Set(lines.map(displayWidth)).size, 1);
});

test('bars are to scale', () =>
  assert.deepEqual([bar(1, 2, 8), bar(0, 2, 8), bar(2, 2, 4), bar(1, 16, 2)], ['████', '', '████', '▏']));

test('scales tick at round figures inside their range', () => {
  assert.deepEqual(linearScale([0, 100], [0, 500], 5).ticks, [0, 20, 40, 60, 80, 100]);
  assert.deepEqual(logScale([0.5, 20], [0, 1]).ticks, [0.5, 1, 2, 5, 10, 20]);
  assert.equal(linearScale([0, 10], [100, 0]).place(10), 0);
});

test('text from a scenario cannot become markup', () => {
  assert.equal(escapeText('<b a="1">&'), '&lt;b a=&quot;1&quot;&gt;&amp;');
  const scenario = { ...shippedScenario('r1-100b'), name: '<script>alert(1)</script>' };
  assert.ok(!fleetHtml(answer(scenario), study(scenario, 20, 1), 'en').includes('<script'));
});

test('every label has both languages, every variable a name', () => {
  for (const [key, words] of Object.entries(WORDS)) assert.ok(words.en && /\p{Script=Han}/u.test(words.zh), key);
  for (const variable of VARIABLES) assert.ok(VARIABLE_WORDS[variable.id], variable.id);
});

for (const lang of ['en', 'zh'] as const) {
  test(`plots and reports of all scenarios and cases are whole (${lang})`, () => {
    for (const { id } of SCENARIOS) {
      const found = answer(shippedScenario(id));
      const all = [
        fleetText(found, lang),
        fleetHtml(found, study(found.scenario, 50, 1), lang),
        hoursChart(found.scenario, found.plan, lang),
        curveChart(found.scenario, found.curve, lang),
      ];
      for (const text of all) assert.doesNotMatch(text, /NaN|undefined|\[object/, id);
    }
    for (const name of CASE_NAMES) {
      const result = runCase(name);
      for (const text of [
        caseHtml(result, lang),
        errorsChart(result, lang),
        result.waterfall ? waterfallChart(result.waterfall, lang) : '',
      ])
        assert.doesNotMatch(text, /NaN|undefined|Infinity/, name);
    }
  });
}
