import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

const CLI = resolve(import.meta.dirname, '../../src/cli/main.ts');

export interface TestServer {
  readonly home: string;
  readonly url: string;
  readonly firstKey: string | null;
  readonly process: ChildProcess;
  /** Runs a command of the tool against this home; the parsed JSON and the exit code. */
  cli(
    ...args: string[]
  ): Promise<{ readonly code: number; readonly json: Record<string, never>; readonly err: string }>;
  signal(signal: NodeJS.Signals): Promise<number | null>;
  /** All that it wrote to stderr so far; whole once it has ended. */
  said(): string;
}

export function newHome(): { readonly home: string; remove(): void } {
  // Short: a socket's path has about a hundred bytes.
  const home = join(mkdtempSync(join(tmpdir(), 'mr-')), 'h');
  return { home, remove: () => rmSync(resolve(home, '..'), { recursive: true, force: true }) };
}

export function runCli(
  home: string,
  args: readonly string[],
  more: Readonly<Record<string, string>> = {},
): Promise<{ code: number; json: Record<string, never>; err: string }> {
  return new Promise((done, failed) => {
    const child = spawn(process.execPath, [CLI, ...args, '--json'], {
      env: { ...process.env, MILLRACE_HOME: home, MILLRACE_LANG: 'en', ...more },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let out = '';
    let err = '';
    child.stdout.on('data', chunk => {
      out += chunk;
    });
    child.stderr.on('data', chunk => {
      err += chunk;
    });
    child.on('error', failed);
    child.on('close', code => done({ code: code ?? -1, json: out === '' ? {} : JSON.parse(out), err }));
  });
}

/** The real server as a process of its own, on a port that is free; it may not be up yet. */
export function spawnServer(home: string, more: Readonly<Record<string, string>> = {}, flags: readonly string[] = []) {
  return spawn(process.execPath, [CLI, 'serve', '--json', ...flags], {
    env: {
      ...process.env,
      MILLRACE_HOME: home,
      MILLRACE_PORT: '0',
      MILLRACE_THREADS: '1',
      MILLRACE_LANG: 'en',
      ...more,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** Starts the real server, and waits until it is up. */
export async function startServer(
  home: string,
  more: Readonly<Record<string, string>> = {},
  flags: readonly string[] = [],
): Promise<TestServer> {
  const child = spawnServer(home, more, flags);
  let err = '';
  child.stderr.on('data', chunk => {
    err += chunk;
  });
  const exited = new Promise<number | null>(done => child.once('close', done));
  const line = await Promise.race([
    new Promise<string>(done => createInterface({ input: child.stdout }).once('line', done)),
    exited.then(code => {
      throw new Error(`the server ended with ${code}: ${err}`);
    }),
  ]);
  const { url, key, error } = JSON.parse(line);
  if (error) throw new Error(error.message);
  return {
    home,
    url,
    firstKey: key,
    process: child,
    cli: (...args) => runCli(home, args),
    said: () => err,
    async signal(signal) {
      child.kill(signal);
      return exited;
    },
  };
}

/** The configuration of the first example: one provider, one model, one customer. */
export function exampleConfig(home: string, baseUrl: string, more = ''): string {
  const file = join(home, '..', 'millrace.yaml');
  writeFileSync(
    file,
    `providers:
  - { id: mock, dialect: openai-chat, baseUrl: "${baseUrl}", apiKey: "secret-upstream-key", allowPrivateNetwork: true }
models:
  - id: mock-1
    prices: [{ currency: CNY, inputPerM: "4", cachedInputPerM: "1", outputPerM: "16", effectiveFrom: "2026-01-01" }]
    deployments: [{ id: mock-1-a, provider: mock, upstreamModel: mock-1, costs: [{ currency: CNY, inputPerM: "2", outputPerM: "8" }] }]
${more}organizations:
  - { id: acme, wallet: { currency: CNY, credit: "100" }, projects: [{ id: web }] }
`,
  );
  return file;
}
