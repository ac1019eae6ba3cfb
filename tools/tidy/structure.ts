import type { Finding, Source } from './source.ts';

/**
 * The storeys of the house, from the ground up, as the design fixes them: imports go down only. A storey with rooms lists them by
 * floor, lowest first; rooms of one floor do not know each other. A storey without is one room itself.
 */
const STOREYS: readonly (readonly [storey: string, ...floors: readonly (readonly string[])[]])[] = [
  ['ground', ['std'], ['store', 'journal', 'mail'], ['jobs', 'blobs'], ['outbox']],
  ['people', ['callers'], ['identity', 'audit']],
  ['money', ['pricing'], ['metering', 'ledger', 'planner'], ['billing']],
  ['models', ['dialects', 'hub'], ['catalog']],
  ['serving', ['routing', 'engines']],
  ['gateway'],
  ['fleet', ['cluster', 'rollouts', 'simulator']],
  ['apps', ['chat', 'knowledge', 'datasets'], ['search', 'evaluation', 'tuning'], ['workflows']],
  ['control'],
  ['config.ts'],
  ['parts'],
  ['main.ts'],
  ['cli'],
];

/** Each room's place, counted from the ground. */
const FLOORS: ReadonlyMap<string, number> = new Map(
  STOREYS.flatMap(([storey, ...floors], level) =>
    floors.length === 0
      ? [[storey, level * 100] as const]
      : floors.flatMap((rooms, floor) => rooms.map(room => [`${storey}/${room}`, level * 100 + floor] as const)),
  ),
);

/** The room that a file of src stands in: `storey/room`, or the storey itself where it is one room. */
function roomOf(path: string): string | undefined {
  const [src, storey = '', room = ''] = path.split('/');
  if (src !== 'src') return undefined;
  return FLOORS.has(storey) || room.endsWith('.ts') || room === '' ? storey : `${storey}/${room}`;
}

export function floors(sources: readonly Source[]): readonly Finding[] {
  return sources.flatMap(({ path, imports, isTest }) => {
    const from = roomOf(path);
    if (from === undefined || isTest) return [];
    const floor = FLOORS.get(from);
    if (floor === undefined) return [{ rule: 'floors', subject: path, message: `src/${from} has no floor` }];
    return imports.flatMap(target => {
      const to = roomOf(target);
      if (to === undefined || to === from) return [];
      if ((FLOORS.get(to) ?? Number.POSITIVE_INFINITY) < floor) return [];
      return [{ rule: 'floors', subject: path, message: `imports go down: not to ${target}` }];
    });
  });
}

/** A room of src is entered by its index alone; contract by its package. */
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
