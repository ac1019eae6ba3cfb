import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { aptGet } from './apt-get.ts';
import { findProgram } from './find-program.ts';
import { freePort } from './free-port.ts';

/** A real Valkey, or Redis, on a port of its own that stays the same over restarts. It keeps nothing. */
export interface TestValkey extends AsyncDisposable {
  readonly url: string;
  start(): Promise<void>;
  /** It stands still: connections stay, and nothing is answered. */
  pause(): void;
  resume(): void;
  /** Kills it; returns when it is gone. */
  kill(): Promise<void>;
}

const NAMES = ['valkey-server', 'redis-server'];

/** Starts it, installed from Debian where this process may. A string says why there is none. */
export async function startValkey(): Promise<TestValkey | string> {
  const found = findServer();
  if ('reason' in found) return found.reason;
  const { path } = found;
  const folder = mkdtempSync(join(tmpdir(), 'mr-valkey-'));
  const port = await freePort();
  let server: ChildProcess | undefined;
  const killNow = () => void server?.kill('SIGKILL');
  process.once('exit', killNow);
  const valkey: TestValkey = {
    url: `redis://127.0.0.1:${port}/0`,
    async start() {
      const options = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
      const child = spawn(path, [...options, '--dir', folder], { stdio: ['ignore', 'pipe', 'ignore'] });
      server = child;
      await new Promise<void>((ready, failed) => {
        child.once('exit', code => failed(new Error(`${path} ended with ${code}`)));
        createInterface({ input: child.stdout }).on('line', line => {
          if (line.includes('Ready to accept connections')) ready();
        });
      });
    },
    pause: () => void server?.kill('SIGSTOP'),
    resume: () => void server?.kill('SIGCONT'),
    async kill() {
      const child = server;
      if (!child || child.exitCode !== null) return;
      const gone = new Promise(resolve => child.once('exit', resolve));
      child.kill('SIGKILL');
      await gone;
    },
    async [Symbol.asyncDispose]() {
      await valkey.kill();
      process.off('exit', killNow);
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await valkey.start();
  return valkey;
}

function findServer(): { readonly path: string } | { readonly reason: string } {
  const path = findProgram(NAMES);
  if (path !== undefined) return { path };
  // Debian 13 has Valkey, those before it Redis.
  let reason = '';
  for (const name of NAMES) {
    const refused = aptGet(name);
    const installed = findProgram(NAMES);
    if (installed !== undefined) return { path: installed };
    reason = refused?.reason ?? `apt-get installed no ${name}`;
  }
  return { reason: `there is no Valkey or Redis server. ${reason}` };
}
