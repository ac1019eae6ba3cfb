import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { SqliteDatabase } from 'kysely';
import { Fault } from '../std/index.ts';
import { bindables, createStatementCache } from './statement-cache.ts';
import { storeFault } from './store-fault.ts';

/** How long a statement waits for another connection's lock. */
export const BUSY_MS = 5_000;
/** Above this size the whole file is not read at every start: about a second per GB. Damage then shows where it is met. */
const CHECKED_BYTES_MAX = 256 * 1024 * 1024;
/** What is left of a write-ahead log that a long reader or a backup made grow. */
const WAL_BYTES_KEPT = 64 * 1024 * 1024;
const CACHE_KIB = 32 * 1024;
/** The commit that reaches so many pages copies them into the file: 4 ms of this thread, where SQLite's own 1,000 take 8. */
const CHECKPOINT_PAGES = 500;

export interface SqliteFile {
  /** For Kysely's driver. */
  readonly database: SqliteDatabase;
  /** Runs one statement for each row of values, prepared once. Returns the rows that each changed. */
  runEach(text: string, rows: readonly (readonly unknown[])[]): readonly bigint[];
  /** As {@link SqliteFile.runEach}, without asking what changed. */
  insertEach(text: string, rows: readonly (readonly unknown[])[]): void;
  /** The database answers. */
  check(): void;
}

/** Opens the file with WAL and synchronous=FULL, and reads both back: a commit that is answered is on disk. */
export function openSqlite(file: string): SqliteFile {
  const database = openDatabase(file);
  const prepare = createStatementCache(database);
  const guarded = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      throw storeFault(error);
    }
  };
  return {
    database: {
      close: () => database.close(),
      prepare(text) {
        const { statement, reads } = guarded(() => prepare(text));
        return {
          reader: reads,
          all: parameters => guarded(() => statement.all(...bindables(parameters))),
          run(parameters) {
            // After a full disk SQLite has rolled back by itself; a second rollback would hide why.
            if (text === 'rollback' && !database.isTransaction) return { changes: 0n, lastInsertRowid: 0n };
            return guarded(() => statement.run(...bindables(parameters)));
          },
          iterate: parameters => statement.iterate(...bindables(parameters)),
        };
      },
    },
    runEach: (text, rows) =>
      guarded(() => {
        const { statement } = prepare(text);
        return rows.map(row => BigInt(statement.run(...bindables(row)).changes));
      }),
    insertEach: (text, rows) =>
      guarded(() => {
        const { statement } = prepare(text);
        // `run` makes an object of what changed; `get` finds no row and makes nothing (0.2 µs less).
        for (const row of rows) statement.get(...bindables(row));
      }),
    check: () => guarded(() => void database.prepare('select 1').get()),
  };
}

function openDatabase(file: string): DatabaseSync {
  const inMemory = file === ':memory:';
  if (!inMemory) mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file, { readBigInts: true, timeout: BUSY_MS, enableForeignKeyConstraints: true });
    database.exec(
      `pragma journal_mode = wal; pragma synchronous = full; pragma journal_size_limit = ${WAL_BYTES_KEPT};
       pragma wal_autocheckpoint = ${CHECKPOINT_PAGES}; pragma temp_store = memory; pragma cache_size = -${CACHE_KIB}`,
    );
    assertPragma(database, 'synchronous', 2n);
    assertPragma(database, 'foreign_keys', 1n);
    assertPragma(database, 'busy_timeout', BigInt(BUSY_MS));
    assertPragma(database, 'journal_mode', inMemory ? 'memory' : 'wal');
    // Reads every page; finds a file that is no database, and pages that were overwritten.
    if (inMemory || statSync(file).size <= CHECKED_BYTES_MAX) assertPragma(database, 'quick_check(1)', 'ok');
    return database;
  } catch (error) {
    database?.close();
    throw unusable(file, error);
  }
}

function assertPragma(database: DatabaseSync, name: string, expected: bigint | string): void {
  const row = database.prepare(`pragma ${name}`).get();
  const [value] = Object.values(row ?? {});
  if (value !== expected) throw new Error(`pragma ${name} is ${String(value)}, not ${String(expected)}`);
}

function unusable(file: string, cause: unknown): Fault {
  const text = cause instanceof Error ? cause.message : String(cause);
  return new Fault('config_invalid', {
    message: `The database ${file} cannot be used (${text}): restore it from a backup`,
    messageZh: `数据库 ${file} 无法使用（${text}）：请从备份恢复`,
    cause,
  });
}
