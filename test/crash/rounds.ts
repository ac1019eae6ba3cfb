import { once } from 'node:events';
import { type FakeUpstream, startFakeUpstream } from '../support/fake-upstream.ts';
import { exampleConfig, newHome, runCli, startServer, type TestServer } from '../support/server.ts';

/** Every named point in the code where a kill is tried. */
export const POINTS = [
  'gateway.before-intent',
  'gateway.after-intent',
  'gateway.before-upstream',
  'gateway.mid-stream',
  'gateway.before-settle',
  'gateway.after-settle',
  'journal.before-commit',
  'journal.after-commit',
  'loader.before-commit',
  'loader.after-commit',
  'loader.before-archive',
  'recovery.before-write',
  'recovery.after-write',
] as const;

export interface CrashReport {
  readonly seed: number;
  readonly rounds: number;
  readonly requests: number;
  /** Requests whose end the client saw. */
  readonly acknowledged: number;
  readonly recovered: number;
  readonly failures: readonly string[];
}

interface Options {
  readonly rounds: number;
  readonly seed: number;
  readonly points: readonly string[];
  readonly say: (line: string) => void;
}

const CLIENTS = 8;
const RECOVERY = /^recovery\./;

/** Rounds in turn: a random moment, each point, and again. What a client saw complete must be in the books, once. */
export async function crashRounds({ rounds, seed, points, say }: Options): Promise<CrashReport> {
  const random = mulberry32(seed);
  const { home, remove } = newHome();
  const upstream = await startFakeUpstream({ scripts: { '*': { tokens: 20, intervalMs: 1 } } });
  const failures: string[] = [];
  const acknowledged = new Map<string, string>();
  let requests = 0;
  let recovered = 0;
  try {
    let server = await startServer(home);
    await server.cli('apply', '-f', exampleConfig(home, upstream.baseUrl));
    const { json } = await server.cli('key', 'create', '--org', 'acme', '--project', 'web');
    const key = String(json['key']);
    await server.signal('SIGKILL');
    for (let round = 0; round < rounds && failures.length === 0; round++) {
      const point = round % (points.length + 1) === 0 ? undefined : points[(round % (points.length + 1)) - 1];
      const armed = point === undefined ? {} : { CRASH_AT: `${point}:${1 + Math.floor(random() * 5)}` };
      if (point !== undefined && RECOVERY.test(point)) await leaveOrphans(home, { key, upstream });
      const started = await startServer(
        home,
        point !== undefined && RECOVERY.test(point) ? { CRASH_AT: `${point}:1` } : armed,
      ).catch(() => undefined);
      if (started) {
        server = started;
        requests += await loadUntilDead(server, {
          key,
          acknowledged,
          killAfterMs: point === undefined ? 20 + random() * 300 : 1_500,
        });
      }
      const check = await verify(home, acknowledged);
      recovered = check.recovered;
      failures.push(...check.failures.map(failure => `round ${round} (${point ?? 'random'}): ${failure}`));
      say(
        `round ${round + 1}/${rounds} ${point ?? 'random time'}: ${check.failures.length === 0 ? 'ok' : check.failures.join('; ')}`,
      );
    }
    failures.push(...(await unseenByProvider(home, upstream)));
  } finally {
    await upstream.close();
    remove();
  }
  return { seed, rounds, requests, acknowledged: acknowledged.size, recovered, failures };
}

/** Leaves requests behind that the next start must recover. */
async function leaveOrphans(home: string, { key, upstream }: { key: string; upstream: FakeUpstream }): Promise<void> {
  upstream.script('mock-1', { tokens: 400, intervalMs: 5 });
  const server = await startServer(home);
  const running = Array.from({ length: 4 }, () => send(server.url, key, true).catch(() => undefined));
  await new Promise(resolve => setTimeout(resolve, 800));
  await server.signal('SIGKILL');
  await Promise.all(running);
  upstream.script('mock-1', { tokens: 20, intervalMs: 1 });
}

async function send(url: string, key: string, stream: boolean): Promise<{ id: string; cost: string } | undefined> {
  const answer = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'mock-1', stream, max_tokens: 500, messages: [{ role: 'user', content: 'hi' }] }),
  });
  const text = await answer.text();
  const id = answer.headers.get('x-request-id');
  if (answer.status !== 200 || !id) return undefined;
  if (!stream) return { id, cost: String(JSON.parse(text).usage.cost.amount) };
  const cost = /: x-millrace-cost CNY (\S+)/.exec(text)?.[1];
  return text.includes('[DONE]') && cost !== undefined ? { id, cost } : undefined;
}

async function loadUntilDead(
  server: TestServer,
  { key, acknowledged, killAfterMs }: { key: string; acknowledged: Map<string, string>; killAfterMs: number },
): Promise<number> {
  let dead = false;
  let sent = 0;
  const exit = once(server.process, 'exit').then(() => {
    dead = true;
  });
  const timer = setTimeout(() => server.process.kill('SIGKILL'), killAfterMs);
  const client = async (number: number) => {
    while (!dead) {
      sent++;
      const seen = await send(server.url, key, number % 2 === 0).catch(() => undefined);
      if (seen) acknowledged.set(seen.id, seen.cost);
      else await new Promise(resolve => setTimeout(resolve, 5));
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, (_, number) => client(number)));
  clearTimeout(timer);
  await exit;
  return sent;
}

/** Starts the control plane alone (which recovers), proves the invariants, and looks for every request that a client saw complete. */
async function verify(
  home: string,
  acknowledged: ReadonlyMap<string, string>,
): Promise<{ recovered: number; failures: string[] }> {
  const failures: string[] = [];
  const { code, json, err } = await runCli(home, ['ledger', 'verify']);
  if (code !== 0)
    failures.push(
      `ledger verify: ${err}${JSON.stringify((json['invariants'] as unknown as { ok: boolean }[] | undefined)?.filter(({ ok }) => !ok))}`,
    );
  const booked = new Map<string, { amount: string; outcome: string }>();
  let cursor: string | null = null;
  do {
    const page: { json: Record<string, unknown> } = await runCli(home, [
      'usage',
      '--org',
      'acme',
      '--limit',
      '1000',
      ...(cursor === null ? [] : ['--cursor', cursor]),
    ]);
    for (const line of (page.json['lines'] ?? []) as { requestId: string; amount: string; outcome: string }[]) {
      if (booked.has(line.requestId)) failures.push(`${line.requestId} is settled twice`);
      booked.set(line.requestId, line);
    }
    cursor = (page.json['next'] ?? null) as string | null;
  } while (cursor !== null);
  for (const [id, cost] of acknowledged) {
    const line = booked.get(id);
    if (!line) failures.push(`${id} was seen complete and is not booked`);
    else if (line.amount !== cost) failures.push(`${id} was told ${cost} and booked ${line.amount}`);
  }
  const wallet = await runCli(home, ['wallet', 'show', '--org', 'acme']);
  if (String(wallet.json['held']) !== '0') failures.push(`${String(wallet.json['held'])} is still held`);
  return { recovered: [...booked.values()].filter(({ outcome }) => outcome === 'recovered').length, failures };
}

/** No phantom: never more settlements with an answer than calls that the provider saw (I7). */
async function unseenByProvider(home: string, upstream: FakeUpstream): Promise<string[]> {
  const { json } = await runCli(home, ['usage', '--org', 'acme', '--limit', '1']);
  const [totals] = (json['totals'] ?? []) as unknown as { requests: number; outputTokens: number }[];
  const made = upstream.calls.reduce((sum, call) => sum + call.billed.completionTokens, 0);
  return totals && totals.outputTokens > made * 1.05
    ? [`${totals.outputTokens} tokens are booked, the provider made ${made}`]
    : [];
}

/** A small seeded generator (public domain, T. Ettinger), so that a failing run can be repeated. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
