import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { backup, DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { SqliteDialect } from 'kysely';
import { Fault } from '../std/index.ts';

/** How long a statement waits for another connection's lock. */
const BUSY_MS = 5_000;

export interface SqliteFile {
  readonly dialect: SqliteDialect;
  /** A statement prepared once and kept. */
  prepare(text: string): StatementSync;
  backup(path: string): Promise<void>;
}

/** Opens the file with WAL and synchronous=FULL, and reads both back: a commit that is answered is on disk. */
export function openSqlite(file: string): SqliteFile {
  if (file !== ':memory:') mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const database = new DatabaseSync(file, { readBigInts: true });
  try {
    database.exec(
      `pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on; pragma busy_timeout = ${BUSY_MS}`,
    );
    assertPragma(database, 'synchronous', 2n);
    assertPragma(database, 'foreign_keys', 1n);
    if (file !== ':memory:') assertPragma(database, 'journal_mode', 'wal');
    // Reads page headers only: cheap, and it finds a file that is no database or a page that was overwritten.
    assertPragma(database, 'quick_check(1)', 'ok');
  } catch (error) {
    database.close();
    if (error instanceof Fault) throw error;
    throw damaged(file, error);
  }
  const statements = new Map<string, StatementSync>();
  const prepare = (text: string) => {
    let statement = statements.get(text);
    if (!statement) {
      statement = database.prepare(text);
      statements.set(text, statement);
    }
    return statement;
  };
  const adapter = {
    close: () => database.close(),
    prepare(text: string) {
      const statement = prepare(text);
      return {
        reader: statement.columns().length > 0,
        all: (parameters: readonly unknown[]) => statement.all(...parameters.map(bindable)),
        run: (parameters: readonly unknown[]) => statement.run(...parameters.map(bindable)),
        iterate: (parameters: readonly unknown[]) => statement.iterate(...parameters.map(bindable)),
      };
    },
  };
  return {
    dialect: new SqliteDialect({ database: adapter }),
    prepare,
    async backup(path) {
      await backup(database, path);
    },
  };
}

export function bindable(value: unknown): SQLInputValue {
  if (value === null || typeof value === 'string' || typeof value === 'bigint' || typeof value === 'number')
    return value;
  if (value === undefined) return null;
  if (value instanceof Uint8Array) return value;
  throw new TypeError(`a ${typeof value} cannot be stored`);
}

function assertPragma(database: DatabaseSync, name: string, expected: bigint | string): void {
  const row = database.prepare(`pragma ${name}`).get();
  const [value] = Object.values(row ?? {});
  if (value !== expected) throw new Error(`pragma ${name} is ${String(value)}, not ${String(expected)}`);
}

function damaged(file: string, cause: unknown): Fault {
  const text = cause instanceof Error ? cause.message : String(cause);
  return new Fault('config_invalid', {
    message: `The database ${file} cannot be used (${text}): restore it from a backup`,
    messageZh: `数据库 ${file} 无法使用（${text}）：请从备份恢复`,
    cause,
  });
}
