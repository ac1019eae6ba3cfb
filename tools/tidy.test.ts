import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { codeOnly } from './tidy/code-only.ts';
import { readSources, sourceOf } from './tidy/source.ts';
import { findingText, tidy } from './tidy.ts';

const root = resolve(import.meta.dirname, '..');

test('the repository keeps the rules of the house', () => {
  assert.deepEqual(tidy(readSources(root)).map(findingText), []);
});

test('the lock names no place to download from', () => {
  const lock = readFileSync(join(root, 'package-lock.json'), 'utf8');
  assert.deepEqual(
    [...lock.matchAll(/"resolved": "(\w+:\/\/[^"]*)"/g)].map(([, address]) => address),
    [],
  );
});

const HEAD = '// What this folder is for, and what it must not know.\n';
const lines = (count: number, line = 'f();') => `${Array.from({ length: count }, () => line).join('\n')}\n`;
const plant = (files: Readonly<Record<string, string>>) =>
  tidy(
    Object.entries(files).map(([path, text]) => sourceOf(path, text)),
    {},
  ).map(({ rule, line }) => (line === undefined ? rule : `${rule}:${line}`));

/** Planted violations of each rule, beside what looks like one and is none. */
const PLANTED: readonly [found: readonly string[], files: Readonly<Record<string, string>>][] = [
  [['floors'], { 'src/ground/std/x.ts': "import { y } from '../../money/ledger/index.ts';\n" }],
  [['floors'], { 'src/ground/journal/x.ts': "import { y } from '../store/index.ts';\n" }],
  [['floors'], { 'src/gateway/x.ts': "const y = await import('../control/index.ts');\n" }],
  [['floors'], { 'src/nowhere/x.ts': '' }],
  [[], { 'src/money/ledger/x.ts': "import { y } from '../../ground/store/index.ts';\n" }],
  [[], { 'src/ground/std/x.test.ts': "import { y } from '../../money/ledger/index.ts';\n" }],
  [[], { 'src/main.ts': "import { y } from './config.ts';\n" }],
  [['entrances'], { 'src/money/ledger/x.ts': "import { y } from '../../ground/store/rows.ts';\n" }],
  [[], { 'src/money/ledger/x.ts': "import { y } from './proof/rows.ts';\n" }],
  [
    ['circles'],
    {
      'src/ground/std/a.ts': "import './b.ts';\n",
      'src/ground/std/b.ts': "import './c.ts';\n",
      'src/ground/std/c.ts': "import './a.ts';\n",
    },
  ],
  [
    [],
    {
      'src/ground/std/a.ts': "import './b.ts';\nimport './c.ts';\n",
      'src/ground/std/b.ts': "import './c.ts';\n",
      'src/ground/std/c.ts': '',
    },
  ],
  [['heads'], { 'src/ground/std/index.ts': "export * from './a.ts';\n" }],
  [['heads'], { 'src/ground/std/index.ts': '// Too short.\n' }],
  [[], { 'src/ground/std/index.ts': HEAD }],
  [
    ['reach'],
    {
      'src/gateway/threads/thread.ts': "import {\n  a,\n} from '../../people/callers/index.ts';\n",
      'src/people/callers/index.ts': `${HEAD}export * from './caller.ts';\n`,
      'src/people/callers/caller.ts': "import { z } from '@millrace/contract';\n",
      'contract/src/index.ts': `${HEAD}import * as z from 'zod';\n`,
    },
  ],
  [
    [],
    {
      'src/gateway/threads/thread.ts':
        "import type { Pool } from 'pg';\nimport { a } from '@millrace/contract/words';\nconst b = () => import('zod');\n",
      'contract/src/words.ts': "import type { A } from './index.ts';\n",
      'contract/src/index.ts': `${HEAD}import * as z from 'zod';\n`,
    },
  ],
  [['names'], { 'src/ground/std/utils.ts': '' }],
  [['floors', 'names'], { 'src/helpers/index.ts': HEAD }],
  [['names'], { 'src/ground/std/camelCase.ts': '' }],
  [['file size'], { 'src/ground/std/x.ts': lines(401) }],
  [[], { 'src/ground/std/x.ts': lines(400), 'src/ground/std/x.test.ts': lines(600) }],
  [['file size'], { 'src/ground/std/x.test.ts': lines(601) }],
  [['function size:2'], { 'src/ground/std/x.ts': `\nfunction f() {\n${lines(69, '  g();')}}\n` }],
  [
    ['function size:1'],
    { 'src/ground/std/x.ts': `export async function f(\n  a: A,\n): Promise<B> {\n${lines(67, '  g();')}}\n` },
  ],
  [['function size:1'], { 'src/ground/std/x.ts': `export const f = (a: A): B => {\n${lines(69, '  g();')}};\n` }],
  [[], { 'src/ground/std/x.ts': `function f() {\n${lines(68, '  g();')}}\nfunction g() {\n${lines(60, '  f();')}}\n` }],
  [['environment:1'], { 'src/ground/std/x.ts': 'const x = process.env.HOME;\n' }],
  [
    [],
    {
      'src/config.ts': 'const x = process.env;\n',
      'src/ground/std/x.ts': "// process.env\nconst y = 'process.env';\n",
    },
  ],
  [['outbound:1'], { 'src/control/x.ts': 'const x = await fetch(url);\n' }],
  [['outbound:1'], { 'src/money/ledger/x.ts': 'http.request({ host });\n' }],
  [['outbound:1'], { 'src/gateway/x.ts': 'const out = request({ socketPath });\n' }],
  [
    [],
    {
      'src/serving/engines/http/x.ts': 'fetch(url);\n',
      'src/control/x.ts': 'app.fetch(request);\n',
      'test/x.ts': 'fetch(url);\n',
    },
  ],
  [['clock:1', 'clock:2', 'clock:3'], { 'src/money/ledger/x.ts': 'Date.now();\nperformance.now();\nnew Date();\n' }],
  [[], { 'src/ground/std/clock.ts': 'Date.now();\n', 'src/money/ledger/x.ts': 'new Date(ms);\nDate.parse(text);\n' }],
  [['timers:1'], { 'src/money/metering/x.ts': 'setTimeout(done, 5);\n' }],
  [[], { 'src/gateway/x.ts': 'setTimeout(done, 5);\n' }],
  [['random:1'], { 'src/ground/std/x.ts': 'const random = Math.random;\n' }],
  [['console:1'], { 'src/ground/std/x.ts': "console.info('x');\n" }],
  [
    [],
    {
      'tools/x.ts': "console.info('x');\n",
      'src/ground/std/x.ts': '/* console.log(1) */ const x = `console.log(2)`;\n',
    },
  ],
  [['code from text:1'], { 'test/x.ts': "eval('1');\n" }],
  [
    ['any:1', 'any:2', 'any:3', 'any:4'],
    {
      'src/ground/std/x.ts':
        'let_(a as any);\nfunction f(a: any) {}\ntype T = Map<string, any>;\n// @ts-ignore because\n',
    },
  ],
  [['any:1'], { 'test/x.ts': 'const f = (a: any) => a;\n' }],
  [[], { 'src/ground/std/x.ts': "const a = some.any(x); // any of them\nconst b = 'any';\nconst any_ = 1;\n" }],
  [
    ['cast:1', 'cast:2', 'cast:3'],
    { 'src/ground/std/x.ts': 'f(a as Foo);\ng(b as unknown as string);\nh([] as number[]);\n' },
  ],
  [
    [],
    {
      'src/ground/std/x.ts':
        "import * as Zod from 'zod';\nimport {\n  A as B,\n  type C as D,\n} from './y.ts';\nexport { A as F } from './y.ts';\nconst x = ['a'] as const;\n// as Foo\n",
      'src/ground/std/x.test.ts': 'f(a as Foo);\n',
    },
  ],
  [['non-null:1', 'non-null:2'], { 'test/x.ts': 'a.b!.c();\nf(x!);\n' }],
  [[], { 'test/x.ts': "if (a !== b && !c) f(!d);\nconst e = 'x!';\n" }],
  [['default export:1'], { 'bench/x.ts': 'export default f;\n' }],
  [
    ['state:1', 'state:2', 'state:3', 'state:4'],
    {
      'src/ground/std/x.ts':
        'let a = 0;\nexport let b = 1;\nconst c = new Map<string, number>();\nconst d: string[] = [];\n',
    },
  ],
  [
    [],
    {
      'src/ground/std/x.ts':
        'const a: ReadonlySet<string> = new Set();\nconst b: readonly string[] = [];\nfunction f() {\n  let c = 0;\n  const d = new Map();\n}\n',
      'src/ground/std/x.test.ts': 'let plane = 0;\n',
    },
  ],
  [
    ['money:1', 'money:2', 'money:3'],
    {
      'contract/src/x.ts': '  readonly priceNano: number;\n  balance: number;\nconst f = (unitPrice?: number) => 0;\n',
    },
  ],
  [
    [],
    {
      'src/ground/std/x.ts': '  readonly priceNano: bigint;\n  count: number;\n',
      'src/money/planner/x.ts': '  readonly revenue: number;\n',
    },
  ],
];

test('each rule finds what breaks it, in its line, and nothing else', () => {
  for (const [found, files] of PLANTED) assert.deepEqual(plant(files), found, JSON.stringify(files).slice(0, 200));
});

test('a known debt may shrink and must leave the list, never grow', () => {
  const sources = [sourceOf('src/ground/std/x.ts', 'f(a as Foo);\nf(b as Foo);\n')];
  const rules = (debts: Readonly<Record<string, Readonly<Record<string, number>>>>) =>
    tidy(sources, debts).map(finding => findingText(finding));
  const found = [1, 2].map(line => `src/ground/std/x.ts:${line}: cast: parse at the edge, no casts`);
  assert.deepEqual(rules({}), found);
  assert.deepEqual(rules({ cast: { 'src/ground/std/x.ts': 1 } }), found);
  for (const owed of [2, 3]) assert.deepEqual(rules({ cast: { 'src/ground/std/x.ts': owed } }), []);
  assert.deepEqual(rules({ cast: { 'src/ground/std/x.ts': 2, 'src/ground/std/gone.ts': 1 } }), [
    'src/ground/std/gone.ts: cast: a debt that is paid: take it off tools/tidy/debts.ts',
  ]);
  const long = [sourceOf('src/ground/std/y.ts', `function f() {\n${lines(80, '  g();')}}\n`)];
  assert.deepEqual(tidy(long, { 'function size': { 'src/ground/std/y.ts#f': 82 } }), []);
  assert.equal(tidy(long, { 'function size': { 'src/ground/std/y.ts#f': 81 } }).length, 1);
});

test('words in comments, texts and patterns are blanks, code in templates is code', () => {
  const cases: readonly [text: string, code: string][] = [
    ['a; // b\nc', 'a;     \nc'],
    ['a /* b\nc */ d', 'a     \n     d'],
    [`x = 'a\\'b' + "c";`, `x = '    ' + " ";`],
    ['x = `a ${b + `c ${d}`} e`;', 'x = `  ${b + `  ${d}`}  `;'],
    ['x = `${ { a: 1 } }z`;', 'x = `${ { a: 1 } } `;'],
    ['x = /[/"]a/.test(b) / c;', 'x = /     /.test(b) / c;'],
    ['return /"/;', 'return / /;'],
  ];
  for (const [text, code] of cases) assert.equal(codeOnly(text), code);
});
