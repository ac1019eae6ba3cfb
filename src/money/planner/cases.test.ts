import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { type CaseRow, caseHolds, caseReport, row, withinTolerance } from './case-result.ts';
import { CASE_NAMES, runCase } from './cases/index.ts';
import { MOONCAKE } from './data/case-facts.ts';
import { summarizeTrace } from './trace.ts';

for (const name of CASE_NAMES) {
  test(`case ${name}: every row within its tolerance, the report in its fixed shape`, () => {
    const result = runCase(name);
    for (const one of result.rows)
      assert.ok(withinTolerance(one), `${one.name}: expected ${one.expected}, computed ${one.computed}`);
    const report = caseReport(result);
    assert.deepEqual(Object.keys(report), ['case', 'ok', 'rows']);
    assert.deepEqual([report.case, report.ok], [name, true]);
    for (const one of report.rows)
      assert.deepEqual(Object.keys(one), [
        'name',
        'unit',
        'expected',
        'computed',
        'errorPct',
        'tolerancePct',
        'source',
        'status',
      ]);
    assert.equal(new Set(report.rows.map(one => one.name)).size, report.rows.length);
    for (const { label, source } of result.rows) assert.ok(label.en && label.zh && source);
    for (const finding of result.findings) assert.ok(/[a-z]/.test(finding.en) && /\p{Script=Han}/u.test(finding.zh));
  });
}

const find = (name: string, rowName: string): CaseRow => {
  const found = runCase(name).rows.find(one => one.name === rowName);
  assert.ok(found, rowName);
  return found;
};

test("DeepSeek's day: cost exact, revenue, ratio and nodes", () => {
  assert.equal(find('deepseek-day', 'cost').computed, 87_072);
  assert.equal(find('deepseek-day', 'revenue').computed, 562_100);
  assert.equal(find('deepseek-day', 'cost_profit_ratio').status, 'verified');
});

test('nothing that rests on the 4,000 machines is called verified', () => {
  for (const name of ['machine_month', 'throughput_claimed', 'utilisation_break_even', 'factor_speed'])
    assert.equal(find('r1-16-yuan', name).status, 'unverified');
});

test('the dispute multiplies out', () => {
  const factor = (name: string) => find('r1-16-yuan', name).computed;
  assert.ok(
    Math.abs(factor('factor_rent') * factor('factor_head_room') * factor('factor_speed') - factor('factor_total')) <
      1e-9,
  );
});

test('a verified row out of tolerance fails the case, a derived or unverified one does not', () => {
  const base = runCase('infersim');
  const off = {
    name: 'x',
    label: { en: 'x', zh: 'x' },
    unit: '',
    expected: 100,
    computed: 120,
    tolerancePct: 10,
    source: 's',
  } as const;
  assert.equal(caseHolds({ ...base, rows: [row({ ...off, status: 'verified' })] }), false);
  assert.equal(
    caseHolds({ ...base, rows: [row({ ...off, status: 'derived' }), row({ ...off, status: 'unverified' })] }),
    true,
  );
});

test('an unknown case names the known ones', () =>
  assert.throws(() => runCase('constructor'), /unknown case "constructor"; known are deepseek-day/));

const trace = new URL('../../../../shared/fixtures/traces/mooncake-conversation.jsonl', import.meta.url);
test('the summary of the conversation trace is what the trace says', {
  skip: existsSync(trace) ? false : 'the recorded trace is not here',
}, () => {
  const summary = summarizeTrace(readFileSync(trace, 'utf8'));
  const { inputTokensMean, lengthVariation, outputTokensMean, requests, reusableShare, seconds } = MOONCAKE;
  assert.deepEqual(summary, { requests, seconds, inputTokensMean, outputTokensMean, reusableShare, lengthVariation });
});

test('a trace line without lengths is refused', () =>
  assert.throws(() => summarizeTrace('{"timestamp":1}'), /trace line 1: has no timestamp/));
