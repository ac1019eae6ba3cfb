import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { test } from 'node:test';
import { VARIABLES } from '../src/config.ts';
import { METRICS } from '../src/control/metrics/metric-table.ts';
import { referencePages } from './docs.ts';

const root = resolve(import.meta.dirname, '..');

test('generated pages are what the code says', () => {
  for (const [path, text] of referencePages())
    assert.equal(readFileSync(join(root, path), 'utf8'), text, `${path}: run tools/docs.ts`);
});

test('every variable that is read is in the list that the pages are made from', () => {
  const source = readFileSync(join(root, 'src/config.ts'), 'utf8');
  const read = [...source.matchAll(/(?:env\['|integer\(env, ')([A-Z_]+)'/g)].map(([, name = '']) => name);
  const listed = new Set(VARIABLES.map(({ name }) => name));
  const system = /^(LC_ALL|LC_MESSAGES|LANG)$/;
  assert.ok(read.length >= listed.size);
  assert.deepEqual(
    read.filter(name => !listed.has(name) && !system.test(name)),
    [],
  );
  assert.deepEqual(
    [...listed].filter(name => !read.includes(name)),
    [],
  );
});

test('pages name no metric that is not there', () => {
  for (const lang of ['en', 'zh']) {
    const page = readFileSync(join(root, `docs/${lang}/reference/metrics.md`), 'utf8');
    for (const [, name = ''] of page.matchAll(/millrace_([a-z_]+)/g))
      assert.ok(Object.hasOwn(METRICS, name.replace(/_(sum|count|bucket)$/, '')), `${lang}: ${name}`);
  }
});

test('links between pages lead somewhere', () => {
  const pages = [
    'README.md',
    'README.zh.md',
    ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
      .filter(name => name.endsWith('.md'))
      .map(name => join('docs', name)),
  ];
  const broken = pages.flatMap(page =>
    [...readFileSync(join(root, page), 'utf8').matchAll(/\]\((?!https?:|#)([^)#]+)/g)].flatMap(([, target = '']) =>
      existsSync(join(root, dirname(page), target)) ? [] : [`${page} → ${target}`],
    ),
  );
  assert.deepEqual(broken, []);
});
