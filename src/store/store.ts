import { CompiledQuery, Kysely, PostgresDialect, type Transaction } from 'kysely';
import pg from 'pg';
import { Fault, type Log } from '../std/index.ts';
import { migrate, type StoreDialect } from './migrate.ts';
import { core } from './migrations/0001-core.ts';
import { bindable, openSqlite, type SqliteFile } from './sqlite.ts';
import type { Database } from './tables.ts';

export type StoreTransaction = Transaction<Database>;
export type StoreValue = string | bigint | null;

export interface Store extends AsyncDisposable {
  readonly dialect: StoreDialect;
  readonly db: Kysely<Database>;
  /** Runs `work` in one transaction; on PostgreSQL again when it met a conflict of serialization or a deadlock. */
  transaction<T>(work: (trx: StoreTransaction) => Promise<T>): Promise<T>;
  /**
   * Inserts rows, passing over those whose key is there. Says of each row whether it was inserted. For bulk: on SQLite one
   * prepared statement, run per row.
   */
  insertNew(
    trx: StoreTransaction,
    table: keyof Database,
    insert: {
      readonly columns: readonly string[];
      readonly rows: readonly (readonly StoreValue[])[];
      readonly key: string;
    },
  ): Promise<readonly boolean[]>;
  /** A consistent copy of a live SQLite store. PostgreSQL has its own tools: Fault `config_invalid`. */
  backup(path: string): Promise<void>;
}

export interface StoreOptions {
  /** `postgres://…`; absent: SQLite in `file`. */
  readonly url?: string | undefined;
  readonly file: string;
  readonly log?: Log;
}

const MIGRATIONS = [core];
const TRIES = 5;
/** PostgreSQL: serialization_failure, deadlock_detected, lock_not_available. */
const CONFLICTS = new Set(['40001', '40P01', '55P03']);
/** PostgreSQL takes at most 65,535 parameters in one statement. */
const PARAMETERS_MAX = 60_000;
/** Names the one writer of a database: two servers on one database would both spend the same wallets. */
const WRITER_LOCK = 7_205_759_403n;

/** Opens the store and brings its schema up to date. Throws Fault `config_invalid` or `conflict` with one clear sentence. */
export async function openStore(options: StoreOptions): Promise<Store> {
  if (options.url === undefined) return openOnSqlite(openSqlite(options.file));
  return openOnPostgres(options.url);
}

async function openOnSqlite(file: SqliteFile): Promise<Store> {
  const db = new Kysely<Database>({ dialect: file.dialect });
  await migrate(db, 'sqlite', MIGRATIONS);
  return {
    dialect: 'sqlite',
    db,
    transaction: work => db.transaction().execute(work),
    async insertNew(_trx, table, { columns, rows }) {
      const statement = file.prepare(
        `insert into ${table} (${columns.join(', ')}) values (${columns.map(() => '?').join(', ')}) on conflict do nothing`,
      );
      return rows.map(row => BigInt(statement.run(...row.map(bindable)).changes) === 1n);
    },
    backup: path => file.backup(path),
    [Symbol.asyncDispose]: () => db.destroy(),
  };
}

async function openOnPostgres(url: string): Promise<Store> {
  const types: pg.CustomTypesConfig = {
    getTypeParser: (oid: number, format?: 'text' | 'binary') =>
      oid === pg.types.builtins.INT8 || oid === pg.types.builtins.NUMERIC
        ? (text: string) => BigInt(text)
        : pg.types.getTypeParser(oid, format),
  };
  const pool = new pg.Pool({
    connectionString: url,
    types,
    max: 10,
    statement_timeout: 30_000,
    connectionTimeoutMillis: 10_000,
  });
  pool.on('error', () => {});
  const writer = await lockWriter(pool);
  const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool }) });
  const release = async () => {
    writer.release(true);
    await db.destroy();
  };
  try {
    await migrate(db, 'postgres', MIGRATIONS);
  } catch (error) {
    await release();
    throw error;
  }
  return {
    dialect: 'postgres',
    db,
    transaction: work => retried(() => db.transaction().execute(work)),
    insertNew: (trx, table, insert) => insertNewPostgres(trx, table, insert),
    backup: async () => {
      throw new Fault('config_invalid', {
        message: 'This store is PostgreSQL: back it up with pg_dump',
        messageZh: '当前存储为 PostgreSQL：请使用 pg_dump 备份',
      });
    },
    [Symbol.asyncDispose]: release,
  };
}

async function lockWriter(pool: pg.Pool): Promise<pg.PoolClient> {
  let client: pg.PoolClient;
  try {
    client = await pool.connect();
  } catch (error) {
    await pool.end();
    const text = error instanceof Error ? error.message : String(error);
    throw new Fault('config_invalid', {
      message: `DATABASE_URL: PostgreSQL does not answer (${text})`,
      messageZh: `DATABASE_URL：无法连接 PostgreSQL（${text}）`,
      cause: error,
    });
  }
  const { rows } = await client.query<{ locked: boolean }>('select pg_try_advisory_lock($1) as locked', [
    WRITER_LOCK.toString(),
  ]);
  if (rows[0]?.locked) return client;
  client.release(true);
  await pool.end();
  throw new Fault('conflict', {
    message: 'Another Millrace already works on this database: stop it first',
    messageZh: '已有另一个 Millrace 正在使用此数据库：请先停止它',
  });
}

async function retried<T>(run: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await run();
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : '';
      if (!CONFLICTS.has(code) || attempt >= TRIES) throw error;
      await new Promise(resolve =>
        setTimeout(resolve, 2 ** attempt * (5 + (Number(process.hrtime.bigint() % 1000n) / 1000) * 10)),
      );
    }
  }
}

async function insertNewPostgres(
  trx: StoreTransaction,
  table: string,
  {
    columns,
    rows,
    key,
  }: { readonly columns: readonly string[]; readonly rows: readonly (readonly StoreValue[])[]; readonly key: string },
): Promise<readonly boolean[]> {
  const keys = key.split(',');
  const keyAt = keys.map(name => columns.indexOf(name));
  const keyOf = (row: readonly StoreValue[]) => keyAt.map(index => String(row[index])).join(' ');
  const inserted = new Set<string>();
  const perStatement = Math.max(1, Math.floor(PARAMETERS_MAX / columns.length));
  for (let start = 0; start < rows.length; start += perStatement) {
    const part = rows.slice(start, start + perStatement);
    let count = 0;
    const values = part.map(row => `(${row.map(() => `$${++count}`).join(',')})`).join(',');
    const parameters = part.flatMap(row => row.map(value => (typeof value === 'bigint' ? value.toString() : value)));
    const text = `insert into ${table} (${columns.join(',')}) values ${values} on conflict do nothing returning ${keys.join(',')}`;
    const result = await trx.executeQuery<Record<string, unknown>>(CompiledQuery.raw(text, parameters));
    for (const row of result.rows) inserted.add(keys.map(name => String(row[name])).join(' '));
  }
  // Of two rows with one key in the same call, the first counts as inserted, as on SQLite.
  return rows.map(row => inserted.delete(keyOf(row)));
}
