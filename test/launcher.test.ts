// `npm start` and what becomes of the server when its launcher, or the terminal, is told to stop.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { type FakeUpstream, startFakeUpstream } from './support/fake-upstream.ts';
import { exampleConfig, newHome, runCli } from './support/server.ts';

const RUN = resolve(import.meta.dirname, '../tools/run.mjs');
const { home, remove } = newHome();
let upstream: FakeUpstream;
let key = '';

before(async () => {
  upstream = await startFakeUpstream();
  const applied = await runCli(home, ['apply', '-f', exampleConfig(home, upstream.baseUrl)]);
  assert.equal(applied.code, 0, applied.err);
  key = (await runCli(home, ['key', 'create', '--org', 'acme', '--project', 'web'])).json['key'] ?? '';
});
after(async () => {
  await upstream?.close();
  remove();
});

interface Launched {
  readonly child: ChildProcess;
  readonly url: string;
  readonly ended: Promise<number | null>;
}

/** Starts the server through its launcher, in a process group of its own, as a terminal does. */
async function launch(program: string, args: readonly string[], more: NodeJS.ProcessEnv = {}): Promise<Launched> {
  const child = spawn(program, args, {
    detached: true,
    env: {
      ...process.env,
      MILLRACE_HOME: home,
      MILLRACE_PORT: '0',
      MILLRACE_THREADS: '1',
      MILLRACE_LANG: 'en',
      ...more,
    },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const ended = new Promise<number | null>(done => child.once('exit', done));
  const [line] = await new Promise<readonly string[]>(done =>
    createInterface({ input: child.stdout ?? assert.fail() }).once('line', (text: string) => done([text])),
  );
  return { child, url: JSON.parse(line ?? '{}').url, ended };
}

const STEPS = 100;

/** A stream in its midst when this returns; it goes on when it is released. */
async function stream(url: string): Promise<Promise<string>[]> {
  upstream.script('mock-1', { tokens: 5, stepwise: true });
  const asked = fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}` },
    body: JSON.stringify({ model: 'mock-1', stream: true, messages: [{ role: 'user', content: 'Hi' }] }),
  });
  upstream.release('mock-1', 3);
  const answer = await asked;
  assert.equal(answer.status, 200);
  // In a list, or awaiting this would await the text.
  return [answer.text()];
}

/** Whoever was asked to stop takes no new connection, and lets the stream end. */
async function endsWhole({ url }: Launched, text: Promise<string> | undefined): Promise<void> {
  await isGone(url);
  upstream.release('mock-1', STEPS);
  assert.match((await text) ?? '', /\[DONE\]/);
}

const isGone = async (url: string) => {
  while (
    await fetch(`${url}/healthz`).then(
      () => true,
      () => false,
    )
  );
};

test('Ctrl+C, which reaches launcher and server alike, lets a running stream end', async () => {
  const launched = await launch(process.execPath, [RUN, 'serve', '--json']);
  const [text] = await stream(launched.url);
  process.kill(-(launched.child.pid ?? assert.fail()), 'SIGINT');
  await endsWhole(launched, text);
  assert.equal(await launched.ended, 0);
});

test('a launcher that is killed takes the server with it, after its streams', async () => {
  const launched = await launch(process.execPath, [RUN, 'serve', '--json']);
  const [text] = await stream(launched.url);
  launched.child.kill('SIGKILL');
  await endsWhole(launched, text);
});

test('npm that is told to stop, or killed, does not leave the server behind', async () => {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    // As npm runs a script: a shell between it and the launcher, which knows by npm's variables.
    const script = `'${process.execPath}' '${RUN}' serve --json; exit $?`;
    const launched = await launch('sh', ['-c', script], { npm_lifecycle_event: 'start' });
    const [text] = await stream(launched.url);
    launched.child.kill(signal);
    await endsWhole(launched, text);
  }
});
