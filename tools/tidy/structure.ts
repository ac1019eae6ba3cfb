import type { Finding, Source } from './source.ts';

/** The floor of each folder below src, as the design fixes them: imports go down only. */
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
  cluster: 5,
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

/** First folder below src, or the file itself where it stands in src. */
const roomOf = (path: string) => (path.startsWith('src/') ? path.split('/')[1] : undefined);

export function floors(sources: readonly Source[]): readonly Finding[] {
  return sources.flatMap(({ path, imports, isTest }) => {
    const from = roomOf(path);
    if (from === undefined || isTest) return [];
    if (FLOORS[from] === undefined) return [{ rule: 'floors', subject: path, message: `src/${from} has no floor` }];
    return imports.flatMap(target => {
      const to = roomOf(target);
      if (to === undefined || to === from || (from === 'main.ts' && to === 'config.ts')) return [];
      if ((FLOORS[to] ?? Number.POSITIVE_INFINITY) < (FLOORS[from] ?? 0)) return [];
      return [{ rule: 'floors', subject: path, message: `imports go down: not to ${target}` }];
    });
  });
}

/** A folder of src is entered by its index alone; contract by its package. */
export function entrances(sources: readonly Source[]): readonly Finding[] {
  return sources.flatMap(({ path, imports, isTest }) =>
    isTest || !path.startsWith('src/')
      ? []
      : imports.flatMap(target => {
          const to = roomOf(target);
          const isInside = to === roomOf(path) || to?.endsWith('.ts') || target.endsWith('.json');
          if (isInside || target === `src/${to}/index.ts`) return [];
          return [{ rule: 'entrances', subject: path, message: `a folder is entered through index.ts: not ${target}` }];
        }),
  );
}

export function circles(sources: readonly Source[]): readonly Finding[] {
  const graph = new Map(sources.map(({ path, imports }) => [path, imports]));
  const done = new Set<string>();
  const found: Finding[] = [];
  const visit = (path: string, trail: readonly string[]) => {
    if (trail.includes(path)) {
      const circle = [...trail.slice(trail.indexOf(path)), path].join(' → ');
      found.push({ rule: 'circles', subject: path, message: circle });
      return;
    }
    if (done.has(path)) return;
    for (const next of graph.get(path) ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const path of graph.keys()) visit(path, []);
  return found;
}

/** Each index opens with what its folder is for. */
export function heads(sources: readonly Source[]): readonly Finding[] {
  return sources
    .filter(({ path, text }) => /\/index\.ts$/.test(path) && !/^(\/\/|\/\*\*) ?\S[^\n]{30,}/.test(text))
    .map(({ path }) => ({
      rule: 'heads',
      subject: path,
      message: 'opens with what the folder is for and must not know',
    }));
}

const VAGUE = /(^|\/)(utils?|helpers?|common|shared|services?|managers?)(\.ts|\/)/;

export function names(sources: readonly Source[]): readonly Finding[] {
  return sources
    .filter(({ path }) => VAGUE.test(path) || !/^[a-z0-9./-]+$/.test(path))
    .map(({ path }) => ({ rule: 'names', subject: path, message: 'a name says what a thing is, in kebab-case' }));
}
