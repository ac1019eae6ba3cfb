import pg from 'pg';
import { Fault } from '../std/index.ts';
import { clientConfig } from './postgres.ts';

/** Names the one writer of a database, among advisory locks: "mill" in ASCII. */
const LOCK = 0x6d69_6c6c;

/** `alone`: no other writes to the database. `shared`: others may, who also take leases on what they spend. */
export type WriterMode = 'alone' | 'shared';

/**
 * A connection whose session holds the lock of the writer, and keeps it to its end; undefined where another one has it.
 *
 * Behind a pooler a session is not the connection's own: in transaction mode, PgBouncer gives the session that took the lock to
 * the next client, who is given the same lock once more, and both believe to be alone. A pooler is known by the process id it tells
 * at the start, which is not that of the session; there, the lock is held by a transaction that stays open, since that pins the
 * session. (An open transaction alone holds back no vacuum; where it can be done without, it would still alarm who looks for such.)
 * Then it is looked from a second connection whether the lock is the asker's.
 *
 * Throws Fault `conflict` where it cannot be held.
 */
export async function openLockSession(url: string, mode: WriterMode): Promise<pg.Client | undefined> {
  const client = new pg.Client(clientConfig(url));
  // Whoever keeps it listens too; until then an error is that of the query.
  client.on('error', () => {});
  try {
    await client.connect();
    const isPooled = (await sessionOf(client)) !== toldSession(client);
    if (await take(client, mode, isPooled)) {
      await assertOwn(client, url);
      return client;
    }
  } catch (error) {
    await client.end().catch(() => {});
    throw error;
  }
  await client.end().catch(() => {});
  return undefined;
}

async function sessionOf(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ pid: bigint }>('select pg_backend_pid() as pid');
  return Number(rows[0]?.pid);
}

/** What the other end called itself (BackendKeyData); pg keeps it for cancelling. */
function toldSession(client: pg.Client): number | undefined {
  return 'processID' in client && typeof client.processID === 'number' ? client.processID : undefined;
}

/** Time limits that would end a transaction, or a session, which does nothing but hold a lock; of those that this server knows. */
const UNLIMITED = `select set_config(name, '0', true) from pg_settings
  where name in ('idle_in_transaction_session_timeout', 'transaction_timeout', 'idle_session_timeout', 'statement_timeout')`;

async function take(client: pg.Client, mode: WriterMode, isPooled: boolean): Promise<boolean> {
  if (isPooled) {
    await client.query('begin').catch(error => {
      throw shared(error);
    });
    await client.query(UNLIMITED);
  } else {
    // A host that vanished without a word is noticed within half a minute, not after the two hours of TCP's default.
    await client.query('set tcp_keepalives_idle = 10; set tcp_keepalives_interval = 5; set tcp_keepalives_count = 4');
  }
  const lock = `pg_try_advisory_${isPooled ? 'xact_' : ''}lock${mode === 'alone' ? '' : '_shared'}`;
  const { rows } = await client.query<{ locked: boolean }>(`select ${lock}($1) as locked`, [LOCK]);
  return rows[0]?.locked === true;
}

/** Sessions that hold the lock. Its key is the lower half, that of one bigint (`objsubid` 1). */
const HOLDERS = `select pid, pg_backend_pid() as own from pg_locks where locktype = 'advisory' and classid = 0 and objid = $1 and objsubid = 1
  and granted and database = (select oid from pg_database where datname = current_database())`;

/** While another transaction has a session of its own, the asker still is the one that holds the lock, and that one is another. */
async function assertOwn(client: pg.Client, url: string): Promise<void> {
  const second = new pg.Client(clientConfig(url));
  second.on('error', () => {});
  try {
    await second.connect();
    await second.query('begin').catch(error => {
      throw shared(error);
    });
    const { rows } = await second.query<{ pid: bigint; own: bigint }>(HOLDERS, [LOCK]);
    const asker = BigInt(await sessionOf(client));
    if (rows.every(({ pid }) => pid !== asker) || rows[0]?.own === asker) throw shared();
    await second.query('rollback');
  } finally {
    await second.end().catch(() => {});
  }
}

function shared(cause?: unknown): Fault {
  return new Fault('conflict', {
    message:
      'DATABASE_URL leads through a connection pooler that gives one session to several clients, so that nobody can be sure to write alone: connect to PostgreSQL itself, or set pool_mode to session or transaction',
    messageZh:
      'DATABASE_URL 经过的连接池会让多个客户端共用同一会话，无法保证只有一个写入者：请直连 PostgreSQL，或将 pool_mode 设为 session 或 transaction',
    cause,
  });
}
