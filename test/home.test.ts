// What a home shows to other users of its machine, while the real server runs on it.
import assert from 'node:assert/strict';
import { chmodSync, lstatSync, mkdirSync, readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { newHome, runCli, startServer } from './support/server.ts';

const { home, remove } = newHome();
after(remove);

test('in a home that others may enter nothing is theirs to open, and its owner is told, once', async () => {
  mkdirSync(home);
  chmodSync(home, 0o755);
  for (const [lang, sentence] of [
    ['en', `Other users may enter ${home}: run chmod 700 "${home}"\n`],
    ['zh', `其他用户可以进入 ${home}：请运行 chmod 700 "${home}"\n`],
  ] as const) {
    const server = await startServer(home, { MILLRACE_LANG: lang });
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
  const server = await startServer(home);
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
  const server = await startServer(fresh.home);
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
