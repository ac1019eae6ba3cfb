import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { keyListSchema } from '@millrace/contract';
import pg from 'pg';
import { type FakeUpstream, startFakeUpstream } from './fake-upstream.ts';
import { startPostgres, type TestPostgres } from './postgres.ts';
import { newHome, startServer, type TestServer } from './server.ts';
import { startValkey, type TestValkey } from './valkey.ts';

/** What a node of the tests keeps for itself when the database is silent, in ms: short, so that tests can outlast it. */
const LEASE_MS = 3_000;

/** Two homes on one PostgreSQL and one Valkey, with a provider; nodes are started by the tests. */
export interface World extends AsyncDisposable {
  readonly homes: { readonly a: string; readonly b: string };
  readonly env: Readonly<Record<string, string>>;
  readonly valkey: TestValkey;
  readonly upstream: FakeUpstream;
  readonly db: pg.Client;
  createDatabase(): Promise<string>;
  start(which: 'a' | 'b'): Promise<TestServer>;
}

/** A string says what this machine lacks. */
export async function openWorld(): Promise<World | string> {
  const postgres = await startPostgres();
  if (typeof postgres === 'string') return postgres;
  const valkey = await startValkey();
  if (typeof valkey === 'string') {
    await postgres[Symbol.asyncDispose]();
    return valkey;
  }
  return makeWorld(postgres, valkey);
}

async function makeWorld(postgres: TestPostgres, valkey: TestValkey): Promise<World> {
  const upstream = await startFakeUpstream();
  const places = [newHome(), newHome()];
  const [a = '', b = ''] = places.map(({ home }) => home);
  const url = await postgres.createDatabase();
  const env = { DATABASE_URL: url, VALKEY_URL: valkey.url, MILLRACE_LEASE_MS: String(LEASE_MS) };
  const db = new pg.Client(url);
  await db.connect();
  const running: TestServer[] = [];
  return {
    homes: { a, b },
    env,
    valkey,
    upstream,
    db,
    createDatabase: () => postgres.createDatabase(),
    async start(which) {
      const server = await startServer(which === 'a' ? a : b, env);
      running.push(server);
      return server;
    },
    async [Symbol.asyncDispose]() {
      for (const server of running) if (server.process.exitCode === null) await server.signal('SIGKILL');
      await upstream.close();
      await db.end();
      await valkey[Symbol.asyncDispose]();
      await postgres[Symbol.asyncDispose]();
      for (const { remove } of places) remove();
    },
  };
}

/** As an operator does before the first start of another node. */
export function copySecrets(from: string, to: string): void {
  mkdirSync(to, { recursive: true, mode: 0o700 });
  copyFileSync(join(from, 'secrets.json'), join(to, 'secrets.json'));
}

/** A model whose answer of 100 tokens costs 0.001, and nothing for its input; and the organizations given, each with its wallet. */
export async function applyModel(
  server: TestServer,
  upstream: FakeUpstream,
  credits: Readonly<Record<string, string>>,
): Promise<void> {
  const file = join(server.home, '..', 'config.json');
  const config = {
    providers: [{ id: 'mock', baseUrl: upstream.baseUrl, apiKey: 'secret', allowPrivateNetwork: true }],
    models: [
      {
        id: 'm',
        prices: [{ currency: 'CNY', inputPerM: '0', outputPerM: '10' }],
        deployments: [{ id: 'm', provider: 'mock', upstreamModel: 'm' }],
      },
    ],
    organizations: Object.entries(credits).map(([id, credit]) => ({
      id,
      wallet: { currency: 'CNY', credit },
      projects: [{ id: 'p' }],
    })),
  };
  writeFileSync(file, JSON.stringify(config));
  const applied = await server.cli('apply', '-f', file);
  assert.equal(applied.code, 0, applied.err);
}

export async function makeKey(server: TestServer, organization: string, ...flags: string[]): Promise<string> {
  const made = await server.cli('key', 'create', '--org', organization, '--project', 'p', ...flags);
  assert.equal(made.code, 0, made.err);
  return String(made.json['key']);
}

/** Ids are made in the order of time. */
export async function newestKey(server: TestServer, organization: string): Promise<string> {
  const { keys } = keyListSchema.parse((await server.cli('key', 'list', '--org', organization)).json);
  return (
    keys
      .map(({ id }) => id)
      .toSorted()
      .at(-1) ?? ''
  );
}

/** Asks for an answer of 100 tokens; the status, 0 where the connection broke. */
export async function ask(server: TestServer, key: string, maxTokens = 100): Promise<number> {
  try {
    const answer = await fetch(`${server.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}` },
      body: JSON.stringify({ model: 'm', max_tokens: maxTokens, messages: [{ role: 'user', content: 'Hi' }] }),
    });
    await answer.arrayBuffer();
    return answer.status;
  } catch {
    return 0;
  }
}

/** How often each status came. */
export function tally(statuses: readonly number[]): Readonly<Record<number, number>> {
  const counts: Record<number, number> = {};
  for (const status of statuses) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

/** Far above what a busy machine takes: only what never comes is told as a failure. */
const EVENTUALLY_MS = 100_000;

/** Looks until it holds: each look asks a real thing. */
export async function eventually(what: string, look: () => Promise<boolean>): Promise<void> {
  const untilMs = performance.now() + EVENTUALLY_MS;
  while (!(await look())) {
    if (performance.now() > untilMs) throw new Error(`it does not come: ${what}`);
    await new Promise(resolve => setTimeout(resolve, 50));
  }
}

/** A gauge of a node's `/metrics`, which this machine may read. */
export async function gauge(server: TestServer, name: string): Promise<number> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  const line = text.split('\n').find(each => each.startsWith(`millrace_${name} `));
  return line === undefined ? Number.NaN : Number(line.split(' ').at(-1));
}

/** What the database says of an organization's wallet, in nano-units. */
export async function booksOf(
  { db }: World,
  organization: string,
): Promise<{
  readonly posted: bigint;
  readonly held: bigint;
  readonly settled: bigint;
  readonly credited: bigint;
}> {
  const wallet = `wallet:${organization}:CNY`;
  const { rows } = await db.query<Record<'posted' | 'held' | 'settled' | 'credited', string>>(
    `select posted_nano as posted, held_nano as held,
       (select coalesce(sum(amount_nano), 0) from requests where organization_id = $1) as settled,
       (select coalesce(sum(amount_nano), 0) from transfers where credit = $2) as credited
     from balances where account_id = $2`,
    [organization, wallet],
  );
  const [row] = rows;
  if (!row) throw new Error(`${organization} has no wallet`);
  return {
    posted: BigInt(row.posted),
    held: BigInt(row.held),
    settled: BigInt(row.settled),
    credited: BigInt(row.credited),
  };
}
