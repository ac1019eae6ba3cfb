import { spawn } from 'node:child_process';
import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { aptGet } from './apt-get.ts';
import { findProgram } from './find-program.ts';
import { freePort } from './free-port.ts';

export type PoolMode = 'session' | 'transaction' | 'statement';

/** A real PgBouncer before the server of a database. */
export interface TestPooler extends AsyncDisposable {
  /** The same database, through the pooler. */
  readonly url: string;
}

/** `nobody` on Debian and most others: PgBouncer refuses to run as root. */
const NOBODY = 65_534;

export interface PoolerOptions {
  readonly mode: PoolMode;
  readonly roundRobin?: boolean;
}

/** Starts it before the server of `url`, installed from Debian where this process may. A string says why there is none. */
export async function startPooler(url: string, options: PoolerOptions): Promise<TestPooler | string> {
  if (findProgram(['pgbouncer', '/usr/sbin/pgbouncer']) === undefined) {
    const refused = aptGet('pgbouncer');
    if (refused) return `there is no PgBouncer. ${refused.reason}`;
  }
  const path = findProgram(['pgbouncer']) ?? '/usr/sbin/pgbouncer';
  const database = new URL(url.replace('@/', '@x/'));
  const folder = mkdtempSync(join(tmpdir(), 'mr-pooler-'));
  const port = await freePort();
  writeFileSync(join(folder, 'users.txt'), '"postgres" ""\n');
  writeFileSync(
    join(folder, 'pgbouncer.ini'),
    `[databases]
* = host=${database.searchParams.get('host')} port=5432
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = trust
auth_file = ${join(folder, 'users.txt')}
pool_mode = ${options.mode}
server_round_robin = ${options.roundRobin ? 1 : 0}
ignore_startup_parameters = statement_timeout,lock_timeout,idle_in_transaction_session_timeout
`,
  );
  const isRoot = process.getuid?.() === 0;
  const user = isRoot ? { uid: NOBODY, gid: NOBODY } : {};
  if (isRoot) chownSync(folder, NOBODY, NOBODY);
  chmodSync(folder, 0o755);
  const child = spawn(path, [join(folder, 'pgbouncer.ini')], { ...user, stdio: ['ignore', 'ignore', 'pipe'] });
  const killNow = () => void child.kill('SIGKILL');
  process.once('exit', killNow);
  const gone = new Promise<void>(resolve => child.once('exit', () => resolve()));
  await new Promise<void>((ready, failed) => {
    child.once('exit', code => failed(new Error(`${path} ended with ${code}`)));
    createInterface({ input: child.stderr }).on('line', line => {
      if (line.includes('process up')) ready();
    });
  });
  return {
    url: `postgres://postgres@127.0.0.1:${port}${database.pathname}`,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await gone;
      process.off('exit', killNow);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
