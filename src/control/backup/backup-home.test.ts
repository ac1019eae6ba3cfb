import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { callJson, openTestPlane, type TestPlane } from '../../../test/support/control-plane.ts';
import { checkBackup } from './backup-manifest.ts';

let plane: TestPlane;
const folder = mkdtempSync(join(tmpdir(), 'mr-backup-'));
before(async () => {
  plane = await openTestPlane();
  await callJson(plane.owner, '/api/v1/organizations', { method: 'POST', body: { id: 'acme' } });
});
after(async () => {
  await plane[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const there = () => readdirSync(folder).toSorted();
async function backup(to: string) {
  const { status, body } = await callJson(plane.owner, '/api/v1/backup', { method: 'POST', body: { folder: to } });
  const { error } = body as { error?: { code: string; message: string } };
  return { status, code: error?.code, message: error?.message ?? '' };
}

test('a backup is whole, private, and says what it holds', async () => {
  const to = join(folder, 'deep', 'er', 'copy');
  assert.equal((await backup(to)).status, 200);
  assert.deepEqual(readdirSync(join(folder, 'deep', 'er')), ['copy']);
  const files = readdirSync(to, { recursive: true, encoding: 'utf8' }).toSorted();
  assert.deepEqual(
    files.map(name => name.replace(/\d{16}/, 'N')),
    [
      'backup.json',
      'journal',
      'journal/N.db',
      'journal/archive',
      'journal/head',
      'journal/node.json',
      'secrets.json',
      'store.db',
    ],
  );
  for (const name of ['', ...files]) assert.equal(statSync(join(to, name)).mode & 0o077, 0, name);
  const { store, files: sealed } = await checkBackup(to);
  assert.equal(store, 'sqlite');
  assert.equal(sealed.length, 5);
  assert.equal(readFileSync(join(to, 'secrets.json'), 'utf8'), readFileSync(join(plane.home, 'secrets.json'), 'utf8'));
  rmSync(join(folder, 'deep'), { recursive: true });
});

test('where it cannot be, it says why in one sentence and leaves nothing', async () => {
  writeFileSync(join(folder, 'file'), 'mine');
  mkdirSync(join(folder, 'mine'));
  const cases: readonly [to: string, code: string, sentence: RegExp][] = [
    [join(folder, 'mine'), 'conflict', /mine is there already: name a new folder$/],
    [join(folder, 'file'), 'conflict', /file is there already/],
    [
      join(folder, 'file', 'x'),
      'config_invalid',
      /^Cannot write to .+ \(ENOTDIR.+\): name a folder that you may write$/,
    ],
    ['/proc/millrace/x', 'config_invalid', /^Cannot write to \/proc\/millrace\/x/],
    [join(folder, 'x'.repeat(300)), 'config_invalid', /ENAMETOOLONG/],
  ];
  for (const [to, code, sentence] of cases) {
    const before = there();
    const answer = await backup(to);
    assert.equal(answer.code, code, to);
    assert.match(answer.message, sentence);
    assert.doesNotMatch(answer.message, /\n/);
    assert.deepEqual(there(), before);
  }
  assert.equal(readFileSync(join(folder, 'file'), 'utf8'), 'mine');
  assert.deepEqual(readdirSync(join(folder, 'mine')), []);
});

test('two at once: each is whole; of two with one name the first wins', async () => {
  const names = ['one', 'two', 'one'];
  const answers = await Promise.all(names.map(name => backup(join(folder, name))));
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 200, 409],
  );
  for (const name of ['one', 'two']) await checkBackup(join(folder, name));
  assert.ok(!existsSync(join(folder, 'one.partial')));
});

test('what a process that died left is cleared away, what is not ours stays', async () => {
  const [dead, foreign] = [join(folder, 'dead'), join(folder, 'foreign')];
  mkdirSync(join(`${dead}.partial`, 'journal'), { recursive: true });
  for (const name of ['store.db.partial', 'store.db.partial-wal', 'journal/0000000000000001.db'])
    writeFileSync(join(`${dead}.partial`, name), 'half');
  assert.equal((await backup(dead)).status, 200);
  await checkBackup(dead);
  assert.ok(!existsSync(`${dead}.partial`));
  mkdirSync(`${foreign}.partial`);
  writeFileSync(join(`${foreign}.partial`, 'diary.txt'), 'mine');
  assert.equal((await backup(foreign)).code, 'conflict');
  assert.deepEqual(readdirSync(`${foreign}.partial`), ['diary.txt']);
  assert.ok(!existsSync(foreign));
});

test('a disk that is full before or half-way: said, nothing left, and the server goes on', async t => {
  const disk = join(folder, 'disk');
  mkdirSync(disk);
  const mount = (options: string) => spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', disk]);
  // Room for bytes, but for a few files only: full half-way, at another step each time.
  const cases: readonly (readonly [options: string, sentence: RegExp])[] = [
    ['size=64k', /^No room for a backup in .+\/disk: it needs \d+ MiB, \d+ MiB may be used$/],
    ...[3, 5, 7, 8, 9].map(
      inodes =>
        [`size=64m,nr_inodes=${inodes}`, /^The disk of .+\/disk\/copy is full: nothing was kept there$/] as const,
    ),
  ];
  for (const [options, sentence] of cases) {
    if (mount(options).status !== 0) {
      t.skip('a small disk can be mounted by root only');
      return;
    }
    try {
      const answer = await backup(join(disk, 'copy'));
      assert.deepEqual([answer.status, answer.code], [503, 'storage_full'], answer.message);
      assert.match(answer.message, sentence);
      assert.deepEqual(readdirSync(disk), []);
    } finally {
      assert.equal(spawnSync('umount', [disk]).status, 0, 'nothing on it is held open');
    }
  }
  assert.equal((await backup(join(folder, 'after'))).status, 200);
});
