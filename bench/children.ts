import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Pinning, Place } from './pinning.ts';

const STOP_MS = 10_000;
const START_MS = 60_000;
const ERROR_BYTES_MAX = 20_000;

export interface Child {
  readonly pid: number;
  /** The first line on stdout: servers tell their port so. Rejects when the process ends before, or takes longer than a minute. */
  firstLine(): Promise<string>;
  /** All of stdout, once it has ended well. Rejects with the words on stderr when it did not. */
  output(): Promise<string>;
  /** SIGTERM; SIGKILL where it does not help. Returns when the process is gone. */
  stop(): Promise<void>;
}

export interface ChildOptions {
  readonly place?: Place;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** The other end of a channel tells a Node child when we are gone, however we went. */
  readonly channel?: boolean;
}

/** All processes that a run starts; disposing ends those that are left, newest first. */
export interface Children extends AsyncDisposable {
  start(argv: readonly [string, ...string[]], options?: ChildOptions): Child;
  /** Ends at once what is left: for the way out after a signal that came twice. */
  kill(): void;
}

export function createChildren(pinning: Pinning): Children {
  const running: (Child & { readonly process: ChildProcess })[] = [];
  const forget = (gone: ChildProcess) => {
    const index = running.findIndex(child => child.process === gone);
    if (index >= 0) running.splice(index, 1);
  };
  return {
    start(argv, { place, env = process.env, channel = true } = {}) {
      const [program, ...args] = place ? pinning.command(place, argv) : argv;
      const child = spawn(program, args, {
        env,
        stdio: ['ignore', 'pipe', 'pipe', ...(channel ? ['ipc' as const] : [])],
      });
      const started = { ...follow(child, argv), process: child };
      running.push(started);
      child.once('exit', () => forget(child));
      child.once('error', () => forget(child));
      return started;
    },
    kill() {
      for (const child of running) child.process.kill('SIGKILL');
    },
    async [Symbol.asyncDispose]() {
      for (const child of [...running].reverse()) await child.stop();
    },
  };
}

function follow(child: ChildProcess, argv: readonly string[]): Child {
  const { stdout, stderr } = child;
  if (!stdout || !stderr) throw new Error('a child without pipes');
  let out = '';
  let err = '';
  stdout.on('data', chunk => {
    out += chunk;
  });
  stderr.on('data', chunk => {
    err = (err + chunk).slice(-ERROR_BYTES_MAX);
  });
  const line = new Promise<string>(resolve => createInterface({ input: stdout }).once('line', resolve));
  const ended = new Promise<string>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (code === 0) resolve(out);
      else reject(new Error(`${argv.slice(0, 3).join(' ')} ended with ${code ?? signal}: ${err.trim() || out.trim()}`));
    });
  });
  // Whoever does not ask how it ended does not care.
  ended.catch(() => {});
  const stop = async () => {
    const gone = ended.then(
      () => undefined,
      () => undefined,
    );
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    await gone;
    clearTimeout(timer);
  };
  let stopped: Promise<void> | undefined;
  return {
    pid: child.pid ?? 0,
    firstLine: () =>
      within(
        START_MS,
        Promise.race([
          line,
          ended.then(() => {
            throw new Error(`${argv.slice(0, 3).join(' ')} ended before it was ready`);
          }),
        ]),
      ),
    output: () => ended,
    // Once: to a server a second signal means to let running requests drop.
    stop() {
      stopped ??= stop();
      return stopped;
    },
  };
}

async function within<T>(limitMs: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`not ready after ${limitMs} ms`)), limitMs);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
