import { type Kysely, sql } from 'kysely';
import { Fault } from '../std/index.ts';
import type { Database } from './tables.ts';

export type StoreDialect = 'sqlite' | 'postgres';

export interface Migration {
  /** 1, 2, 3 …, without gaps. */
  readonly id: number;
  readonly statements: (dialect: StoreDialect) => readonly string[];
}

/** Triggers that refuse UPDATE and DELETE: what a table of facts says is never changed, corrections are new rows. */
export function insertOnly(table: string, dialect: StoreDialect): readonly string[] {
  if (dialect === 'sqlite') {
    return ['update', 'delete'].map(
      verb =>
        `create trigger ${table}_no_${verb} before ${verb} on ${table} begin select raise(abort, '${table} is insert-only'); end`,
    );
  }
  return [
    `create or replace function millrace_refuse() returns trigger language plpgsql as $$ begin raise exception '% is insert-only', tg_table_name; end $$`,
    `create trigger ${table}_insert_only before update or delete or truncate on ${table} for each statement execute function millrace_refuse()`,
  ];
}

/**
 * Migrations are written once, in the words that both databases share. SQLite: STRICT tables, which refuse a text in a column
 * of integers as PostgreSQL does. PostgreSQL: texts compare byte by byte as on SQLite, whatever the locale of the server, so
 * that pages by key have one order.
 */
export function inDialect(statement: string, dialect: StoreDialect): string {
  if (!/^\s*create table /i.test(statement)) return statement;
  if (dialect === 'postgres') return statement.replace(/\btext\b/g, 'text collate "C"');
  return `${statement.replace(/\bbigint\b/g, 'integer')} strict`;
}

/** Fault `conflict` unless the schema is the one that this program writes. For those who may read but not migrate. */
export async function assertMigrated(db: Kysely<Database>, migrations: readonly Migration[]): Promise<void> {
  const newest = migrations.at(-1)?.id ?? 0;
  const have = await schemaVersion(db).catch(() => 0);
  if (have === newest) return;
  throw new Fault('conflict', {
    message: `The database has schema version ${have}, this Millrace needs ${newest}`,
    messageZh: `数据库的结构版本为 ${have}，本程序需要 ${newest}`,
  });
}

async function schemaVersion(db: Kysely<Database>): Promise<number> {
  const { rows } = await sql<{ id: bigint | null }>`select max(id) as id from schema_versions`.execute(db);
  return Number(rows[0]?.id ?? 0);
}

/** Among advisory locks: "mils". */
const SCHEMA_LOCK = 0x6d69_6c73n;

/** Nodes that start at once migrate one after the other. A change of a large table takes the time it takes. */
async function lockSchema(trx: Kysely<Database>, dialect: StoreDialect): Promise<void> {
  if (dialect !== 'postgres') return;
  await sql`set local statement_timeout = 0`.execute(trx);
  await sql`set local lock_timeout = 0`.execute(trx);
  await sql`select pg_advisory_xact_lock(${SCHEMA_LOCK})`.execute(trx);
}

/** Brings the schema to the newest version, each migration in a transaction of its own: a kill half-way leaves the last whole one. */
export async function migrate(
  db: Kysely<Database>,
  dialect: StoreDialect,
  migrations: readonly Migration[],
): Promise<void> {
  await db.transaction().execute(async trx => {
    await lockSchema(trx, dialect);
    await sql`create table if not exists schema_versions (id bigint primary key)`.execute(trx);
  });
  const have = await schemaVersion(db);
  const newest = migrations.at(-1)?.id ?? 0;
  if (have > newest) {
    throw new Fault('config_invalid', {
      message: `The database has schema version ${have}, this Millrace knows ${newest}: start the newer Millrace that wrote it`,
      messageZh: `数据库的结构版本为 ${have}，而本程序只支持到 ${newest}：请使用写入它的较新版本`,
    });
  }
  for (const migration of migrations.filter(({ id }) => id > have)) {
    await db.transaction().execute(async trx => {
      await lockSchema(trx, dialect);
      // Another node did it meanwhile.
      if ((await schemaVersion(trx)) >= migration.id) return;
      for (const statement of migration.statements(dialect)) await sql.raw(inDialect(statement, dialect)).execute(trx);
      await sql`insert into schema_versions (id) values (${BigInt(migration.id)})`.execute(trx);
    });
  }
}
