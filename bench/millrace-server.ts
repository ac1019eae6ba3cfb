import { mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { keyCreatedSchema } from '@millrace/contract';
import { readConfig } from '../src/config.ts';
import { openControlPlane } from '../src/main.ts';
import type { Child, Children } from './children.ts';

const CLI = resolve(import.meta.dirname, '../src/cli/main.ts');
const TMPFS = 0x0102_1994;
const POLL_MS = 200;
const REQUEST_MS = 30_000;

export interface JournalState {
  /** Entries that are not in the store yet. */
  readonly lag: number;
  /** Number of the newest entry. */
  readonly lastSeq: number;
}

export interface MillraceServer {
  readonly url: string;
  readonly pid: number;
  readonly key: string;
  /** False where the home lies in memory: then "durable" costs nothing there. */
  readonly onDisk: boolean;
  journal(): Promise<JournalState>;
  /** Waits until all is in the store; false where it is not within the limit. */
  loaded(limitMs: number): Promise<boolean>;
}

/**
 * The real server on a home of its own, as `./millrace` starts it, with one gateway thread: a key with every kind of limit, all
 * so high that none is reached, and a provider that is the mock engine. The home is removed when the process has ended.
 */
export async function startMillrace(
  children: Children,
  { engine, models }: { readonly engine: string; readonly models: readonly string[] },
): Promise<{ readonly server: MillraceServer; close(): Promise<void> }> {
  const { folder, onDisk } = newFolder();
  let child: Child | undefined;
  const close = async () => {
    await child?.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const home = join(folder, 'h');
    // Before the first start, so that the built-in model is not planted: its engine would run beside what is measured.
    const key = await plant(home, configOf(engine, models));
    const env = environmentOf(home);
    child = children.start([process.execPath, CLI, 'serve', '--json'], { env, place: 'server' });
    const told: { url: string } = JSON.parse(await child.firstLine());
    const journal = () => readJournalState(join(home, 'control.sock'));
    return {
      server: {
        url: told.url,
        pid: child.pid,
        key,
        onDisk,
        journal,
        async loaded(limitMs) {
          const until = performance.now() + limitMs;
          while ((await journal()).lag > 0) {
            if (performance.now() > until) return false;
            await sleep(POLL_MS);
          }
          return true;
        },
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Does to a home what `apply` and `key create` do where no server runs. Returns the key's text. */
async function plant(home: string, config: object): Promise<string> {
  const plane = await openControlPlane(readConfig({ MILLRACE_HOME: home }));
  const post = async (path: string, body: object): Promise<unknown> => {
    const answer = await plane.fetch(
      new Request(`http://localhost${path}`, {
        method: 'POST',
        headers: { host: 'localhost', 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
    );
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${path}: ${text}`);
    return JSON.parse(text);
  };
  try {
    await post('/api/v1/config/apply', { config, dryRun: false });
    return keyCreatedSchema.parse(await post('/api/v1/keys', KEY)).key;
  } finally {
    await plane.close();
  }
}

const KEY = {
  organizationId: 'bench',
  projectId: 'bench',
  scopes: {
    requestsPerMinute: 1_000_000_000,
    tokensPerMinute: 1_000_000_000,
    concurrency: 1_000_000,
    budget: { amount: '1000000', currency: 'CNY', period: 'month' },
  },
};

function configOf(engine: string, models: readonly string[]): object {
  const cost = { currency: 'CNY', inputPerM: '2', cachedInputPerM: '0.5', outputPerM: '8' };
  const price = { currency: 'CNY', inputPerM: '4', cachedInputPerM: '1', outputPerM: '16' };
  return {
    providers: [
      { id: 'mock', dialect: 'openai-chat', baseUrl: engine, apiKey: 'mock-upstream-key', allowPrivateNetwork: true },
    ],
    models: models.map(id => ({
      id,
      prices: [price],
      deployments: [{ id: `${id}-a`, provider: 'mock', upstreamModel: id, costs: [cost] }],
    })),
    organizations: [{ id: 'bench', wallet: { currency: 'CNY', credit: '1000000' }, projects: [{ id: 'bench' }] }],
  };
}

/** The caller's own settings must not reach the server under test: least of all their database. */
function environmentOf(home: string): Record<string, string | undefined> {
  const foreign = /^(MILLRACE_|DATABASE_URL$|VALKEY_URL$|CRASH_AT$)/;
  return {
    ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name))),
    MILLRACE_HOME: home,
    MILLRACE_PORT: '0',
    MILLRACE_THREADS: '1',
    MILLRACE_LANG: 'en',
    MILLRACE_DRAIN_MS: '1000',
    // With the channel of `children.ts`: the server ends when the bench is gone.
    MILLRACE_PARENT: '1',
  };
}

/** On a disk where there is one: in a file system in memory, fsync is free. Short: a socket's path has about a hundred bytes. */
function newFolder(): { readonly folder: string; readonly onDisk: boolean } {
  const isDisk = (path: string) => {
    try {
      return statfsSync(path).type !== TMPFS;
    } catch {
      return false;
    }
  };
  const disk = [tmpdir(), '/var/tmp'].find(isDisk);
  return { folder: mkdtempSync(join(disk ?? tmpdir(), 'mr-bench-')), onDisk: disk !== undefined };
}

/** From the metrics, over the owner's socket: the data plane under test is not asked. */
async function readJournalState(socketPath: string): Promise<JournalState> {
  const text = await get(socketPath, '/metrics');
  const value = (name: string) => {
    const found = new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1];
    if (found === undefined) throw new Error(`the metrics do not tell ${name}`);
    return Number(found);
  };
  return { lag: value('millrace_loader_lag_entries'), lastSeq: value('millrace_journal_last_seq') };
}

function get(socketPath: string, path: string): Promise<string> {
  return new Promise((done, failed) => {
    const outgoing = request({ socketPath, path, headers: { host: 'localhost' }, timeout: REQUEST_MS }, incoming => {
      let text = '';
      incoming.setEncoding('utf8');
      incoming.on('data', chunk => {
        text += chunk;
      });
      incoming.on('error', failed);
      incoming.on('end', () => done(text));
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error(`${path} takes too long`)));
    outgoing.on('error', failed);
    outgoing.end();
  });
}
