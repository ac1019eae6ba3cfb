import { posix } from 'node:path';
import type { Finding, Source } from './source.ts';

/** What a program never loads, however far the way: each of its starts would pay for it, and some of it must not be there. */
const LIMITS: readonly { readonly from: string; readonly never: RegExp; readonly because: string }[] = [
  {
    from: 'src/gateway/threads/thread.ts',
    never: /^(src\/ground\/store\/|kysely$|pg$|zod$)/,
    because: 'a gateway thread never touches the store, and starts with no schemas',
  },
  {
    from: 'src/ground/journal/thread.ts',
    never: /^(src\/ground\/store\/|kysely$|pg$|zod$)/,
    because: 'the journal knows no store, and starts with no schemas',
  },
  {
    from: 'src/main.ts',
    never: /^(pg|iovalkey|yaml|node-llama-cpp)$/,
    because: 'loaded where it is used: most starts have no need of it',
  },
];

/** Imports that are there when the program runs: not of types alone, and not those that are asked for later. */
const STATIC = /^(?:import|export)\s+(?!type\b)(?:[^'";]*?\sfrom\s+)?['"]([^'"]+)['"]/gm;

function loadedBy({ path, text }: Source): readonly string[] {
  return [...text.matchAll(STATIC)].map(([, name = '']) => {
    if (name.startsWith('.')) return posix.join(posix.dirname(path), name);
    if (name.startsWith('@millrace/contract')) return `contract/src/${name.split('/')[2] ?? 'index'}.ts`;
    return name;
  });
}

export function reach(sources: readonly Source[]): readonly Finding[] {
  const byPath = new Map(sources.map(source => [source.path, source]));
  return LIMITS.flatMap(({ from, never, because }) => {
    const trails = new Map<string, readonly string[]>([[from, [from]]]);
    for (const [path, trail] of trails) {
      const source = byPath.get(path);
      for (const next of source ? loadedBy(source) : []) if (!trails.has(next)) trails.set(next, [...trail, next]);
    }
    const bad = [...trails].find(([path]) => never.test(path));
    if (!bad) return [];
    const [, trail] = bad;
    return [{ rule: 'reach', subject: trail.at(-2) ?? from, message: `${because}: ${trail.join(' → ')}` }];
  });
}
