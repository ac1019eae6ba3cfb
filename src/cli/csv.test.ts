import assert from 'node:assert/strict';
import { test } from 'node:test';
import { csv } from './csv.ts';

test('cells are quoted where they must be, and never a formula', () => {
  const cases: readonly [cell: string | number | boolean | null, text: string][] = [
    ['plain', 'plain'],
    ['中文', '中文'],
    [null, ''],
    [true, 'true'],
    [12, '12'],
    ['-0.5', '-0.5'],
    ['a,b', '"a,b"'],
    ['say "hi"', '"say ""hi"""'],
    ['two\nlines', '"two\nlines"'],
    ['=1+1', "'=1+1"],
    ['@SUM(A1)', "'@SUM(A1)"],
    ['+1', "'+1"],
    ['-1+cmd', "'-1+cmd"],
    ['=HYPERLINK("x")', '"\'=HYPERLINK(""x"")"'],
  ];
  for (const [cell, text] of cases) assert.equal(csv([[cell, 'x']]), `${text},x\r\n`);
});
