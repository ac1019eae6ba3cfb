import assert from 'node:assert/strict';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { runCli } from './run.ts';

const folder = mkdtempSync(join(tmpdir(), 'mr-restore-'));
const home = join(folder, 'home');
const whole = join(folder, 'whole');
after(() => rmSync(folder, { recursive: true }));

async function cli(line: readonly string[], env: Readonly<Record<string, string>> = {}) {
  let [stdout, stderr] = ['', ''];
  const code = await runCli(line, {
    env: { MILLRACE_HOME: home, MILLRACE_LOG: 'silent', ...env },
    stdout: text => {
      stdout += text;
    },
    stderr: text => {
      stderr += text;
    },
  });
  return { code, stdout, stderr };
}

before(async () => {
  await cli(['org', 'create', 'acme']);
  await cli(['wallet', 'credit', '--org', 'acme', '--amount', '99.5', '--currency', 'CNY']);
  const { code, stderr } = await cli(['backup', whole]);
  assert.equal(code, 0, stderr);
  assert.equal(stderr, 'This backup holds secrets: keep it as you would keep a password.\n');
});

test('a backup is restored into an empty home, once, and its books are right', async () => {
  const elsewhere = { MILLRACE_HOME: join(folder, 'new', 'elsewhere') };
  // It may have been carried by what knows no modes.
  const carried = join(folder, 'carried');
  cpSync(whole, carried, { recursive: true });
  for (const name of ['store.db', 'secrets.json']) chmodSync(join(carried, name), 0o644);
  const restored = await cli(['restore', carried, '--json'], elsewhere);
  assert.equal(restored.code, 0, restored.stderr);
  assert.equal(JSON.parse(restored.stdout).ok, true);
  assert.match((await cli(['wallet', 'show', '--org', 'acme'], elsewhere)).stdout, /99\.5/);
  for (const name of readdirSync(elsewhere.MILLRACE_HOME, { recursive: true, encoding: 'utf8' }))
    assert.equal(statSync(join(elsewhere.MILLRACE_HOME, name)).mode & 0o077, 0, name);
  const again = await cli(['restore', whole], elsewhere);
  assert.deepEqual([again.code, /is in use: it has a/.test(again.stderr)], [2, true]);
});

test('one inside its home is made, with a word of warning', async () => {
  const { code, stderr } = await cli(['backup', join(home, 'inside')]);
  assert.equal(code, 0);
  assert.match(stderr, /It lies inside MILLRACE_HOME, and would be lost with it\.\n$/);
});

test('a damaged backup is one sentence, exit code 2, and the home is not touched', async () => {
  const segment = readdirSync(join(whole, 'journal')).find(name => name.endsWith('.db')) ?? '';
  const flip = (path: string) => (at: string) => {
    const bytes = readFileSync(join(at, path));
    const middle = bytes.length >> 1;
    bytes[middle] = (bytes[middle] ?? 0) ^ 1;
    writeFileSync(join(at, path), bytes);
  };
  const drop = (path: string) => (at: string) => rmSync(join(at, path), { recursive: true });
  const cut = (path: string) => (at: string) => truncateSync(join(at, path), statSync(join(at, path)).size - 1);
  const manifest = (change: (text: string) => string) => (at: string) =>
    writeFileSync(join(at, 'backup.json'), change(readFileSync(join(at, 'backup.json'), 'utf8')));
  const cases: readonly [damage: (at: string) => void, why: string][] = [
    [flip('store.db'), 'store.db has changed'],
    [flip(`journal/${segment}`), `journal/${segment} has changed`],
    [flip('secrets.json'), 'secrets.json has changed'],
    [drop('store.db'), 'it has no store.db'],
    [drop('journal'), 'it has no journal/'],
    [drop(`journal/${segment}`), `it has no journal/${segment}`],
    [drop('journal/node.json'), 'it has no journal/node.json'],
    [drop('secrets.json'), 'it has no secrets.json'],
    [drop('backup.json'), 'it has no backup.json'],
    [cut('store.db'), 'store.db has '],
    [cut(`journal/${segment}`), `journal/${segment} has `],
    [cut('backup.json'), ''],
    [manifest(text => text.slice(0, 100)), 'backup.json is damaged'],
    [manifest(text => text.replace('"journal/node.json"', '"journal/../../node.json"')), 'backup.json is damaged'],
    [manifest(text => text.replace('"secrets.json"', '"/etc/passwd"')), 'backup.json is damaged'],
    [manifest(text => text.replace('"format": 1', '"format": 2')), 'backup.json is damaged'],
    [at => rmSync(at, { recursive: true }), 'there is no such folder'],
  ];
  for (const [index, [damage, why]] of cases.entries()) {
    const at = join(folder, `damaged-${index}`);
    const target = join(folder, `target-${index}`);
    cpSync(whole, at, { recursive: true });
    damage(at);
    const { code, stdout, stderr } = await cli(['restore', at], { MILLRACE_HOME: target });
    // The manifest without its last byte, a line's end, is whole.
    if (why === '') {
      assert.equal(code, 0);
      continue;
    }
    assert.ok(stderr.startsWith(`${at} is not a whole backup: ${why}`), stderr);
    assert.deepEqual([code, stdout, stderr.split('\n').length], [2, '', 2]);
    assert.ok(!existsSync(target), why);
    const zh = await cli(['restore', at, '--lang', 'zh', '--json'], { MILLRACE_HOME: target });
    assert.match(JSON.parse(zh.stdout).error.message, /^.+ 不是完整的备份：.*\p{Script=Han}/u);
  }
});

test('a restore that was killed half-way is not taken for a home, and is done again', async () => {
  const half = { MILLRACE_HOME: join(folder, 'half') };
  mkdirSync(join(half.MILLRACE_HOME, 'journal'), { recursive: true });
  for (const name of ['restoring', 'store.db', 'journal/head']) writeFileSync(join(half.MILLRACE_HOME, name), '');
  const opened = await cli(['org', 'list'], half);
  assert.deepEqual(
    [opened.code, opened.stderr],
    [2, `A restore into ${half.MILLRACE_HOME} did not come to its end: run it again\n`],
  );
  const restored = await cli(['restore', whole], half);
  assert.equal(restored.code, 0, restored.stderr);
  assert.match((await cli(['org', 'list'], half)).stdout, /acme/);
});

test('a backup of one kind of store is not put beside the other', async () => {
  const target = join(folder, 'other');
  const { code, stderr } = await cli(['restore', whole], { MILLRACE_HOME: target, DATABASE_URL: 'postgres://x/y' });
  assert.deepEqual([code, stderr], [2, `${whole} has its store in SQLite: leave DATABASE_URL unset\n`]);
  assert.ok(!existsSync(target));
});

test('what cannot be opened after all is taken out again', async () => {
  const target = join(folder, 'undone');
  mkdirSync(target, { recursive: true });
  // A folder where the socket of engines goes cannot be made: a file is there.
  writeFileSync(join(target, 'run'), '');
  const { code } = await cli(['restore', whole], { MILLRACE_HOME: target });
  assert.notEqual(code, 0);
  assert.deepEqual(readdirSync(target).toSorted(), ['lock.db', 'run']);
});
