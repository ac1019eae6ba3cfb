import { Kysely, sql } from 'kysely';
import { Fault, type Log, silentLog } from '../std/index.ts';
import { changeRowsPostgres, changeRowText, keyLast, type RowChanges } from './change-rows.ts';
import { createTransactionScope, postgresDialect, sqliteDialect } from './guarded-dialect.ts';
import {
  createColumnTypes,
  insertAllPostgres,
  insertNewPostgres,
  insertRowText,
  type KnownNewRows,
  type NewRows,
} from './insert-new.ts';
import { assertMigrated, migrate, type RoomSchema, type StoreDialect } from './migrate.ts';
import { MIGRATIONS } from './migrations/index.ts';
import { readerDialect } from './reader.ts';
import { openSqlite } from './sqlite.ts';
import { backupSqlite } from './sqlite-backup.ts';
import { storeFault } from './store-fault.ts';
import type { Database } from './tables.ts';
import type { StoreTransaction } from './transaction.ts';
import type { WriterLock } from './writer-lock.ts';

export interface Store extends AsyncDisposable {
  readonly dialect: StoreDialect;
  /** Not to be used inside a transaction: there, only its own handle. */
  readonly db: Kysely<Database>;
  /** For queries that may take more than a few milliseconds: read-only, on SQLite in a thread of its own. Sees what is committed. */
  readonly reader: Kysely<Database>;
  /**
   * Runs `work` in one transaction. On PostgreSQL again, a few times, when it met a deadlock or a conflict of serialization: so
   * `work` changes nothing outside. Throws Fault `storage_full`, `conflict` (another process became the writer), or what `work` throws.
   */
  transaction<T>(work: (trx: StoreTransaction) => Promise<T>): Promise<T>;
  /** Inserts many rows, passing over those that are there; says of each row whether it was inserted. */
  insertNew(trx: StoreTransaction, table: keyof Database, insert: NewRows): Promise<readonly boolean[]>;
  /** Inserts many rows; throws where one is there, and the transaction is over. */
  insertAll(trx: StoreTransaction, table: keyof Database, insert: KnownNewRows): Promise<void>;
  /** Changes many rows by their keys; says of each whether it was there. */
  changeRows(trx: StoreTransaction, table: keyof Database, changes: RowChanges): Promise<readonly boolean[]>;
  /** A consistent copy of a live SQLite store, checked. PostgreSQL has its own tools: Fault `config_invalid`. */
  backup(path: string): Promise<void>;
  /** Returns when the database answers, and takes writes of this process. */
  check(): Promise<void>;
}

export interface StoreOptions {
  /** `postgres://…`; absent: SQLite in `file`. */
  readonly url?: string | undefined;
  readonly file: string;
  readonly log?: Log;
  /** What rooms beyond the core keep here. */
  readonly rooms?: readonly RoomSchema[];
  /** PostgreSQL: false opens beside the writer, without its lock and without migrating; `shared` beside other nodes. */
  readonly writer?: boolean | 'shared';
}

/** Opens the store and brings its schema up to date. Throws Fault `config_invalid` or `conflict` with one clear sentence. */
export async function openStore(options: StoreOptions): Promise<Store> {
  const rooms: readonly RoomSchema[] = [{ room: 'core', migrations: MIGRATIONS }, ...(options.rooms ?? [])];
  if (options.url === undefined) return openOnSqlite(options.file, rooms);
  const { url, log = silentLog, writer = true } = options;
  const mode = writer === 'shared' ? 'shared' : 'alone';
  // Loaded where it is used: most homes have no PostgreSQL, and each start would pay for its driver.
  const { takeWriterLock } = await import('./writer-lock.ts');
  const lock = writer === false ? undefined : await takeWriterLock(url, log, mode);
  return openOnPostgres(url, lock, rooms);
}

async function openOnSqlite(path: string, rooms: readonly RoomSchema[]): Promise<Store> {
  const file = openSqlite(path);
  const scope = createTransactionScope();
  const db = new Kysely<Database>({ dialect: sqliteDialect({ database: file.database }, scope) });
  const reader = path === ':memory:' ? db : new Kysely<Database>({ dialect: readerDialect(path) });
  const dispose = async () => {
    if (reader !== db) await reader.destroy();
    await db.destroy();
  };
  try {
    await migrate(db, 'sqlite', rooms);
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    dialect: 'sqlite',
    db,
    reader,
    transaction: work => db.transaction().execute(trx => scope.run(() => work(trx))),
    insertNew: async (_trx, table, { columns, rows }) =>
      file.runEach(`${insertRowText(table, columns)} on conflict do nothing`, rows).map(changes => changes === 1n),
    insertAll: async (_trx, table, { columns, rows }) => file.insertEach(insertRowText(table, columns), rows),
    changeRows: async (_trx, table, changes) =>
      file.runEach(changeRowText(table, changes), keyLast(changes)).map(changed => changed === 1n),
    backup: target => backupSqlite(path, target),
    check: async () => file.check(),
    [Symbol.asyncDispose]: dispose,
  };
}

async function openOnPostgres(url: string, lock: WriterLock | undefined, rooms: readonly RoomSchema[]): Promise<Store> {
  const { openPool, retried, unreachable } = await import('./postgres.ts');
  const scope = createTransactionScope();
  const pool = openPool(url);
  const db = new Kysely<Database>({ dialect: postgresDialect({ pool }, scope) });
  const columnTypes = createColumnTypes();
  const dispose = async () => {
    await db.destroy();
    await lock?.[Symbol.asyncDispose]();
  };
  try {
    await sql`select 1`.execute(db).catch(error => {
      throw unreachable(error);
    });
    if (lock) await migrate(db, 'postgres', rooms);
    else await assertMigrated(db, rooms);
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    dialect: 'postgres',
    db,
    reader: db,
    transaction: work =>
      retried(() => {
        lock?.assertHeld();
        return db.transaction().execute(trx => scope.run(() => work(trx)));
      }).catch(error => {
        throw storeFault(error);
      }),
    insertNew: (trx, table, insert) => insertNewPostgres(trx, table, insert, columnTypes),
    insertAll: (trx, table, insert) => insertAllPostgres(trx, table, insert, columnTypes),
    changeRows: (trx, table, changes) => changeRowsPostgres(trx, table, changes, columnTypes),
    backup: async () => {
      throw new Fault('config_invalid', {
        message: 'This store is PostgreSQL: back it up with pg_dump',
        messageZh: '当前存储为 PostgreSQL：请使用 pg_dump 备份',
      });
    },
    async check() {
      lock?.assertHeld();
      await sql`select 1`.execute(db);
    },
    [Symbol.asyncDispose]: dispose,
  };
}
