import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { Fault } from '../std/index.ts';

/** A query that runs longer is cut off; a transaction that no one goes on with gives its locks back. */
const STATEMENT_MS = 30_000;
const LOCK_WAIT_MS = 10_000;
const IDLE_IN_TRANSACTION_MS = 60_000;
const CONNECT_MS = 10_000;
const CONNECTIONS_MAX = 10;

const { INT2, INT4, INT8, NUMERIC } = pg.types.builtins;
/** Whatever is an integer arrives as a bigint, as on SQLite. Sums of BIGINT are NUMERIC without a fraction. */
const INTEGERS: ReadonlySet<number> = new Set([INT2, INT4, INT8, NUMERIC]);

const types: pg.CustomTypesConfig = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    INTEGERS.has(oid) ? (text: string) => BigInt(text) : pg.types.getTypeParser(oid, format),
};

export function clientConfig(url: string): pg.ClientConfig {
  return {
    connectionString: url,
    types,
    keepAlive: true,
    connectionTimeoutMillis: CONNECT_MS,
    application_name: 'millrace',
  };
}

export function openPool(url: string): pg.Pool {
  const pool = new pg.Pool({
    ...clientConfig(url),
    max: CONNECTIONS_MAX,
    statement_timeout: STATEMENT_MS,
    lock_timeout: LOCK_WAIT_MS,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
  });
  // A connection that dies while idle is replaced by the pool; without a listener it would end the process. One that dies
  // in use fails its query.
  pool.on('error', () => {});
  pool.on('connect', client => void client.on('error', () => {}));
  return pool;
}

/** The first contact: what is wrong with the address is said in one sentence. */
export function unreachable(cause: unknown): Fault {
  const text =
    cause instanceof AggregateError ? String(cause.errors[0]) : cause instanceof Error ? cause.message : String(cause);
  return new Fault('config_invalid', {
    message: `DATABASE_URL: PostgreSQL does not answer (${text})`,
    messageZh: `DATABASE_URL：无法连接 PostgreSQL（${text}）`,
    cause,
  });
}

const TRIES = 6;
/** serialization_failure, deadlock_detected, lock_not_available: the transaction did not happen, and may when tried again. */
const CONFLICTS: ReadonlySet<string> = new Set(['40001', '40P01', '55P03']);

/**
 * Runs a transaction again when it lost against another one. A connection that broke is no reason to: its COMMIT may have
 * been carried out.
 */
export async function retried<T>(run: () => Promise<T>, random: () => number = Math.random): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await run();
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : '';
      if (!CONFLICTS.has(code) || attempt >= TRIES) throw error;
      // Full jitter: those who met once must not meet again.
      await sleep(random() * 10 * 2 ** attempt);
    }
  }
}
