// What a home shows to other users of its machine, while the real server runs on it.
import assert from 'node:assert/strict';
import { chmodSync, copyFileSync, lstatSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { newHome, runCli, startServer, type TestServer } from './support/server.ts';

const { home, remove } = newHome();
const started: TestServer[] = [];
after(async () => {
  for (const server of started) await server.signal('SIGKILL');
  remove();
});

async function start(...args: Parameters<typeof startServer>): Promise<TestServer> {
  const server = await startServer(...args);
  started.push(server);
  return server;
}

test('in a home that others may enter nothing is theirs to open, and its owner is told, once', async () => {
  mkdirSync(home);
  chmodSync(home, 0o755);
  for (const [lang, sentence] of [
    ['en', `Other users may enter ${home}: run chmod 700 "${home}"\n`],
    ['zh', `其他用户可以进入 ${home}：请运行 chmod 700 "${home}"\n`],
  ] as const) {
    const server = await start(home, { MILLRACE_LANG: lang });
    const open = readdirSync(home, { recursive: true, encoding: 'utf8' }).filter(
      name => (lstatSync(join(home, name)).mode & 0o077) !== 0,
    );
    assert.deepEqual(open, []);
    for (const socket of ['control.sock', 'edge.sock']) assert.ok(lstatSync(join(home, socket)).isSocket());
    assert.equal((await server.cli('org', 'create', `one-${lang}`)).code, 0);
    await server.signal('SIGTERM');
    assert.equal(server.said(), sentence);
  }
});

test('a home that only its owner may enter is no news', async () => {
  chmodSync(home, 0o700);
  const server = await start(home);
  await server.signal('SIGTERM');
  assert.equal(server.said(), '');
});

test('a first start that fails for a port that is taken does not use up the first key', async () => {
  const fresh = newHome();
  const other = createServer();
  await new Promise<void>(done => other.listen(0, '127.0.0.1', done));
  const address = other.address();
  assert.ok(typeof address === 'object' && address !== null);
  const failed = await runCli(fresh.home, ['serve', '--port', String(address.port)]);
  assert.deepEqual([failed.code, /is taken by another program/.test(failed.err)], [2, true], failed.err);
  other.close();
  const server = await start(fresh.home);
  assert.match(server.firstKey ?? '', /^mr_live_/);
  const answer = await fetch(`${server.url}/v1/models`, { headers: { authorization: `Bearer ${server.firstKey}` } });
  assert.equal(answer.status, 200);
  await server.signal('SIGTERM');
  fresh.remove();
});

test('a home with a path too long for its sockets is told as such', async () => {
  const long = newHome();
  const { code, err } = await runCli(join(long.home, 'x'.repeat(100)), ['serve', '--port', '0']);
  assert.deepEqual(
    [code, /control\.sock is too long for a socket \(103 bytes at most\): choose a shorter/.test(err)],
    [2, true],
  );
  long.remove();
});

const NANO = resolve(import.meta.dirname, '../models/nano/millrace-nano.gguf');

test('the built-in model is kept by name, so that a program that is moved finds its own', async () => {
  const fresh = newHome();
  const server = await start(fresh.home);
  const file = `${fresh.home}.yaml`;
  const document = (builtin: string) => `models:
  - id: millrace-nano
    operations: [chat, completions, embeddings]
    contextTokens: 1024
    maxOutputTokens: 384
    prices:
      - { currency: CNY, inputPerM: "0.1", cachedInputPerM: "0.01", outputPerM: "0.2" }
      - { currency: USD, inputPerM: "0.014", cachedInputPerM: "0.0014", outputPerM: "0.028" }
    deployments: [{ id: millrace-nano, engine: { file: "${builtin}" } }]
`;
  writeFileSync(file, document('builtin:millrace-nano'));
  const again = await server.cli('apply', '-f', file);
  assert.deepEqual([again.code, again.json['changed']], [0, false], again.err);
  writeFileSync(file, document('builtin:other'));
  const { code, err } = await server.cli('apply', '-f', file);
  assert.equal(code, 2);
  assert.match(err, /:9:56: .+file: there is no builtin:other; built in are builtin:millrace-nano\n$/);
  await server.signal('SIGTERM');
  fresh.remove();
});

test('an engine that does not start is told of, and start does not wait for it', async () => {
  const fresh = newHome();
  const weights = `${fresh.home}.gguf`;
  copyFileSync(NANO, weights);
  const added = await runCli(fresh.home, ['model', 'add', weights, '--id', 'own', '--free']);
  assert.equal(added.code, 0, added.err);
  rmSync(weights);
  const server = await start(fresh.home, { MILLRACE_LOG: 'silent' });
  await server.signal('SIGTERM');
  assert.match(
    server.said(),
    /^The engine of own does not start, and is tried again: .+\.gguf: cannot be opened \(ENOENT\)\n$/,
  );
  fresh.remove();
});
