// The rules of the house as a test: floors, circles, sizes, banned calls. Known debts are listed below; the list may only shrink.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { test } from 'node:test';

const root = resolve(import.meta.dirname, '..');
const FLOORS: Readonly<Record<string, number>> = {
  std: 0,
  store: 1,
  journal: 1,
  dialects: 1,
  planner: 1,
  identity: 2,
  catalog: 2,
  ledger: 2,
  jobs: 2,
  blobs: 2,
  engines: 3,
  metering: 3,
  gateway: 4,
  rollouts: 5,
  datasets: 5,
  tuning: 5,
  evaluation: 5,
  knowledge: 5,
  workflows: 5,
  control: 6,
  'config.ts': 7,
  'main.ts': 7,
  cli: 8,
};
const LINES_MAX = 400;
const TEST_LINES_MAX = 600;
/** Files that are longer than the rule allows, with their length: a file may leave this list or shrink, never grow. */
const LONG_FILES: Readonly<Record<string, number>> = {};

const BANNED: readonly { readonly pattern: RegExp; readonly why: string; readonly except: RegExp }[] = [
  {
    pattern: /\bprocess\.env\b/,
    why: 'only src/config.ts reads the environment',
    except: /^src\/config\.ts$|^src\/control\/page|\.test\.ts$|^(test|tools|bench)\//,
  },
  {
    pattern: /\bfetch\(|\bhttps?\.(get|request)\(/,
    why: 'outbound calls go through egress and the upstreams',
    except: /^src\/(engines|cli|control|main\.ts|gateway\/control-proxy|std\/egress)|\.test\.ts$|^(test|tools|bench)\//,
  },
  {
    pattern: /:\s*any\b|\bas any\b|@ts-ignore|@ts-expect-error/,
    why: 'no any',
    except: /^tools\/tidy\.test\.ts$|-fixture\.ts$/,
  },
  {
    pattern: /\bconsole\.(log|error|warn)\b/,
    why: 'log events, or write to the streams you were given',
    except: /^src\/control\/page|^(test|tools|bench)\//,
  },
  { pattern: /\beval\(|new Function\(/, why: 'no code from text', except: /^tools\/tidy\.test\.ts$/ },
  {
    pattern: /\bMath\.random\(\)/,
    why: 'randomness is injected, or comes from node:crypto',
    except: /^(test|tools|bench)\//,
  },
];

interface Source {
  readonly path: string;
  readonly text: string;
  readonly imports: readonly string[];
}

const sources = ['src', 'contract/src', 'test', 'bench', 'tools'].flatMap(folder => readFolder(folder));

function readFolder(folder: string): Source[] {
  let names: string[];
  try {
    names = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' });
  } catch {
    return [];
  }
  return names
    .filter(name => name.endsWith('.ts') && !name.includes('node_modules'))
    .map(name => {
      const path = join(folder, name).replaceAll('\\', '/');
      const text = readFileSync(join(root, path), 'utf8');
      const imports = [...text.matchAll(/(?:from|import)\s*\(?\s*['"](\.[^'"]+)['"]/g)].map(([, spec]) =>
        relative(root, resolve(root, dirname(path), spec ?? '')).replaceAll('\\', '/'),
      );
      return { path, text, imports };
    });
}

/** First folder below src, or the file itself where it stands in src. */
const roomOf = (path: string) => (path.startsWith('src/') ? (path.split('/')[1] ?? '') : undefined);

test('imports go down', () => {
  const wrong = sources
    .filter(source => !source.path.endsWith('.test.ts'))
    .flatMap(({ path, imports }) => {
      const from = roomOf(path);
      if (from === undefined) return [];
      assert.ok(from in FLOORS, `${path}: the folder src/${from} has no floor`);
      return imports.flatMap(target => {
        const to = roomOf(target);
        if (to === undefined || to === from) return [];
        return (FLOORS[to] ?? 99) < (FLOORS[from] ?? -1) || (from === 'main.ts' && to === 'config.ts')
          ? []
          : [`${path} → ${target}`];
      });
    });
  assert.deepEqual(wrong, []);
});

test('folders are entered through index.ts', () => {
  const wrong = sources
    .filter(source => source.path.startsWith('src/') && !source.path.endsWith('.test.ts'))
    .flatMap(({ path, imports }) =>
      imports
        .filter(target => {
          const to = roomOf(target);
          return (
            to !== undefined &&
            to !== roomOf(path) &&
            !to.endsWith('.ts') &&
            target !== `src/${to}/index.ts` &&
            !target.endsWith('.json')
          );
        })
        .map(target => `${path} → ${target}`),
    );
  assert.deepEqual(wrong, []);
});

test('no circles between files', () => {
  const graph = new Map(sources.map(({ path, imports }) => [path, imports]));
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (path: string, trail: readonly string[]) => {
    if (trail.includes(path)) {
      circles.push([...trail.slice(trail.indexOf(path)), path].join(' → '));
      return;
    }
    if (done.has(path)) return;
    for (const next of graph.get(path) ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const path of graph.keys()) visit(path, []);
  assert.deepEqual(circles, []);
});

test('files keep their size', () => {
  const long = sources
    .map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }))
    .filter(
      ({ path, lines }) =>
        lines > Math.max(LONG_FILES[path] ?? 0, path.endsWith('.test.ts') ? TEST_LINES_MAX : LINES_MAX),
    );
  assert.deepEqual(long, []);
});

test('no banned calls', () => {
  const found = sources.flatMap(({ path, text }) =>
    BANNED.filter(({ except }) => !except.test(path)).flatMap(({ pattern, why }) =>
      text
        .split('\n')
        .flatMap((line, index) =>
          pattern.test(line.replace(/(^|\s)\/\/.*|^\s*\*.*|\/\*.*?\*\//g, '')) ? [`${path}:${index + 1}: ${why}`] : [],
        ),
    ),
  );
  assert.deepEqual(found, []);
});

test('names say what a thing is', () => {
  const vague = sources.filter(
    ({ path }) =>
      /(^|\/)(utils?|helpers?|common|shared|services?|managers?)(\.ts|\/)/.test(path) || !/^[a-z0-9./-]+$/.test(path),
  );
  assert.deepEqual(
    vague.map(({ path }) => path),
    [],
  );
});
