import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Behaviour } from '../support/fake-behaviour.ts';
import { type FakeUpstream, startFakeUpstream } from '../support/fake-upstream.ts';
import { newHome, runCli, spawnServer, startServer, type TestServer } from '../support/server.ts';
import { createRandom, type Random } from './random.ts';

/** What clients saw, and what must therefore be in the books whatever dies. */
export interface Seen {
  /** Request → the cost that its client was told. */
  readonly costs: Map<string, string>;
  /** Requests whose client was told that they failed, before a byte of an answer. */
  readonly refused: Set<string>;
  /** Idempotency keys of credits that were confirmed. */
  readonly credits: Set<string>;
  creditsAsked: number;
  requests: number;
  /** Costs that were told, checked ones too. */
  acknowledged: number;
}

/** A home, its customers and its provider, through all the deaths of its server. */
export interface World extends AsyncDisposable {
  readonly home: string;
  readonly upstream: FakeUpstream;
  readonly random: Random;
  readonly seen: Seen;
  /** Keys of customers; several have the same wallet, one has hardly any money. */
  readonly keys: readonly [string, ...string[]];
  readonly adminKey: string;
  readonly scale: Scale;
  /** Of every server of this home. */
  readonly env: Readonly<Record<string, string>>;
  /** Undefined where it was killed before it listened. */
  start(more?: Readonly<Record<string, string>>): Promise<TestServer | undefined>;
  /** Starts one and kills it after so long, up or not. */
  startAndKill(afterMs: number): Promise<void>;
}

export interface Scale {
  /** Streams that are open when the server is asked to end. */
  readonly streams: number;
  /** Longest time that it is made to stand still. */
  readonly pauseMs: number;
  /** How often at most it is killed again on its way up. */
  readonly kills: number;
}

/** What a client has credited at a time. */
export const CREDIT_NANO = 1_000n;

/** Credits in the configuration, in nano: what the books must add up to, with what clients had credited. */
export const CREDITS: Readonly<Record<string, bigint>> = {
  acme: 1_000_000_000_000n,
  beta: 1_000_000_000_000n,
  poor: 100_000_000n,
};
/** Per token and model; what the provider costs is half of it. */
export const PRICES: Readonly<Record<string, { readonly input: bigint; readonly output: bigint }>> = {
  chat: { input: 4_000n, output: 16_000n },
  long: { input: 4_000n, output: 16_000n },
  frail: { input: 4_000n, output: 16_000n },
  vectors: { input: 4_000n, output: 0n },
};

/** Four letters a token, which is what an estimate takes a token to be: own counts can be held against the provider's. */
const TEXTS = [' abc'];
const BASE: Behaviour = { texts: TEXTS, namesCalls: true };
/** How many clients at once hold places at `long`; others wait in its queue. */
const PLACES = 12;

export async function openWorld(seed: number, scale: Scale): Promise<World> {
  const { home, remove } = newHome();
  // Short files of the journal, so that they are changed and archived all the time. Compiled code is kept: a start takes half as long.
  const env = { MILLRACE_SEGMENT_ROWS: '200', NODE_COMPILE_CACHE: join(home, '..', 'compiled') };
  const upstream = await startFakeUpstream({
    scripts: {
      '*': { ...BASE, tokens: 12, intervalMs: 1 },
      long: { ...BASE, tokens: 300, intervalMs: 4 },
      vectors: BASE,
      'chat-a': { ...BASE, tokens: 12, intervalMs: 1 },
    },
  });
  // Without a server, and before its first start: a home with customers is not given the built-in model, which takes its time.
  const cli = async (...args: string[]) => {
    const { code, json, err } = await runCli(home, args, env);
    if (code !== 0) throw new Error(err);
    return json;
  };
  const file = join(home, '..', 'config.json');
  writeFileSync(file, JSON.stringify(configOf(upstream.baseUrl)));
  await cli('apply', '-f', file);
  const newKey = async (...flags: string[]) =>
    String((await cli('key', 'create', '--project', 'web', ...flags))['key']);
  const keys: [string, ...string[]] = [
    await newKey('--org', 'acme'),
    await newKey('--org', 'acme', '--tpm', '100000000', '--budget', '500CNY/day'),
    await newKey('--org', 'beta', '--concurrency', '6'),
    await newKey('--org', 'poor'),
  ];
  const adminKey = String((await cli('key', 'create', '--admin', '--name', 'ops'))['key']);
  const random = createRandom(seed);
  // It is kept only by a process that ends well, which the first one does for once.
  await (await startServer(home, env)).signal('SIGTERM');
  return {
    home,
    upstream,
    random,
    keys,
    adminKey,
    seen: { costs: new Map(), refused: new Set(), credits: new Set(), creditsAsked: 0, requests: 0, acknowledged: 0 },
    scale,
    env,
    start: more =>
      startServer(home, { ...env, MILLRACE_THREADS: String(random.whole(1, 2)), ...more }).catch(error => {
        // Any other end than by a signal is one that should not be.
        if (/ended with null/.test(String(error))) return undefined;
        throw error;
      }),
    async startAndKill(afterMs) {
      const child = spawnServer(home, env);
      const ended = once(child, 'close');
      child.stdout.resume();
      child.stderr.resume();
      await sleep(afterMs);
      child.kill('SIGKILL');
      await ended;
    },
    async [Symbol.asyncDispose]() {
      await upstream.close();
      remove();
    },
  };
}

/** Breaks every third answer of the frail model somewhere, and every fifth of the first deployment of `chat`. */
export function makeTrouble({ upstream, random }: World): void {
  const dieAt = () => ({ byte: random.whole(0, 3_000), how: random.pick(['fin', 'rst'] as const) });
  const tokens = random.whole(1, 30);
  const frail = random.whole(0, 2);
  upstream.script('frail', {
    ...{ ...BASE, tokens, intervalMs: 1, usage: random.pick(['normal', 'absent', 'twice'] as const) },
    ...(frail === 0 ? { dieAt: dieAt() } : frail === 1 ? { errorAfterTokens: random.whole(0, 5) } : {}),
  });
  upstream.script('chat-a', {
    ...{ ...BASE, tokens, intervalMs: 1 },
    ...(random.whole(0, 4) === 0 ? { status: 500 } : {}),
  });
}

function configOf(baseUrl: string): object {
  const provider = (id: string, quirks: readonly string[]) => ({
    ...{ id, quirks, baseUrl, apiKey: 'secret', allowPrivateNetwork: true },
  });
  const perM = (nano: bigint) => String(Number(nano) / 1_000);
  const model = (id: string, deployments: readonly object[], operations: readonly string[] = ['chat']) => ({
    ...{ id, operations, maxOutputTokens: 1_024 },
    prices: [{ currency: 'CNY', inputPerM: perM(PRICES[id]?.input ?? 0n), outputPerM: perM(PRICES[id]?.output ?? 0n) }],
    deployments: deployments.map(deployment => ({
      provider: 'mock',
      costs: [{ currency: 'CNY', inputPerM: '2', outputPerM: '8' }],
      ...deployment,
    })),
  });
  const organization = (id: string) => ({
    ...{ id, projects: [{ id: 'web' }] },
    wallet: { currency: 'CNY', credit: String(Number(CREDITS[id]) / 1e9) },
  });
  return {
    providers: [provider('mock', []), provider('drains', ['drain-on-disconnect'])],
    models: [
      model(
        'chat',
        [{ id: 'chat-a' }, { id: 'chat-b', priority: 1 }].map(each => ({ ...each, upstreamModel: each.id })),
      ),
      model('long', [{ id: 'long', provider: 'drains', concurrency: PLACES }]),
      model('frail', [{ id: 'frail' }]),
      model('vectors', [{ id: 'vectors' }], ['embeddings']),
    ],
    organizations: Object.keys(CREDITS).map(organization),
  };
}
