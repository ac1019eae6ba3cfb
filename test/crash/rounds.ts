import { createChecker } from './check.ts';
import { atPoint, atRandom, inRecovery, onTheWayUp, type Scenario, stopped, terminated, twice } from './scenarios.ts';
import { openWorld, type Scale } from './world.ts';

/** Points in the code at which the process kills itself under load; `src` names all of them, and a test holds this list to it. */
const UNDER_LOAD = [
  'gateway.before-intent',
  'gateway.after-intent',
  'gateway.before-upstream',
  'gateway.upstream-head',
  'gateway.mid-stream',
  'gateway.complete',
  'gateway.before-settle',
  'gateway.after-settle',
  'journal.before-commit',
  'journal.after-commit',
  'journal.rotate',
  'loader.before-commit',
  'loader.after-commit',
  'loader.before-archive',
] as const;
const IN_RECOVERY = ['recovery.before-write', 'recovery.after-write'] as const;

/** Where a throw is injected (`throws.test.ts`): no money moves at them that does not move at one of the points above. */
const THROWS_ONLY = [
  ...['gateway.parse', 'gateway.request', 'gateway.body', 'gateway.refuse', 'gateway.client-left', 'gateway.news'],
  ...['gateway.forward', 'gateway.control-answer', 'gateway.message', 'gateway.sweep'],
];

/** Every point that the code has a name for, those at which the server is killed first. */
export const NAMED: readonly string[] = [...UNDER_LOAD, ...IN_RECOVERY, ...THROWS_ONLY];

const SCENARIOS: readonly (readonly [name: string, scenario: Scenario])[] = [
  ['at random', atRandom],
  ...UNDER_LOAD.map(point => [point, atPoint(point)] as const),
  ...IN_RECOVERY.map(point => [point, inRecovery(point)] as const),
  ['on the way up', onTheWayUp],
  ['stopped and continued', stopped],
  ['SIGTERM, streams end', terminated('ends')],
  ['SIGTERM, deadline', terminated('deadline')],
  ['SIGTERM twice', terminated('again')],
  ['SIGTERM, SIGKILL', terminated('killed')],
  ['two servers', twice],
];
/** Each once. */
export const ROUNDS_MIN = SCENARIOS.length;

export interface CrashReport {
  readonly seed: number;
  readonly rounds: number;
  /** Deaths by scenario. */
  readonly scenarios: Readonly<Record<string, number>>;
  readonly requests: number;
  /** Requests whose client was told their cost. */
  readonly acknowledged: number;
  readonly recovered: number;
  /** Calls that the provider saw. */
  readonly calls: number;
  readonly failures: readonly string[];
}

interface Options {
  readonly rounds: number;
  readonly seed: number;
  readonly scale: Scale;
  readonly say: (line: string) => void;
}

/** Kills the server in each way in turn, and again; after each death it recovers, and the books must be right. Ends at the first failure. */
export async function crashRounds({ rounds, seed, scale, say }: Options): Promise<CrashReport> {
  await using world = await openWorld(seed, scale);
  const checker = createChecker(world);
  const scenarios: Record<string, number> = {};
  const failures: string[] = [];
  for (let round = 0; round < rounds && failures.length === 0; round++) {
    const [name = '', scenario] = SCENARIOS[round % SCENARIOS.length] ?? [];
    const startedMs = performance.now();
    try {
      await scenario?.(world);
      scenarios[name] = (scenarios[name] ?? 0) + 1;
    } catch (error) {
      failures.push(String(error));
    }
    failures.push(...(await checker.check()));
    const took = ((performance.now() - startedMs) / 1_000).toFixed(1);
    say(`round ${round + 1}/${rounds}, ${name}: ${failures.length === 0 ? 'ok' : failures.join('; ')} (${took} s)`);
  }
  const { requests, acknowledged } = world.seen;
  const calls = world.upstream.calls.length;
  return { seed, rounds, scenarios, requests, acknowledged, recovered: checker.recovered(), calls, failures };
}
