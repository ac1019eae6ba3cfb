import { type Kysely, sql } from 'kysely';
import { Fault } from '../std/index.ts';
import type { Database } from './tables.ts';

export type StoreDialect = 'sqlite' | 'postgres';

export interface Migration {
  /** 1, 2, 3 …, without gaps. */
  readonly id: number;
  readonly statements: (dialect: StoreDialect) => readonly string[];
}

/** What one room keeps in the store: the steps that lead to its tables, numbered per room. */
export interface RoomSchema {
  /** The room's name; kept in the database for good. */
  readonly room: string;
  readonly migrations: readonly Migration[];
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
export async function assertMigrated(db: Kysely<Database>, rooms: readonly RoomSchema[]): Promise<void> {
  for (const { room, migrations } of rooms) {
    const newest = newestOf(migrations);
    const have = await schemaVersion(db, room).catch(() => 0);
    if (have === newest) continue;
    throw new Fault('conflict', {
      message: `The database has schema version ${have} of ${room}, this Millrace needs ${newest}`,
      messageZh: `数据库中 ${room} 的结构版本为 ${have}，本程序需要 ${newest}`,
    });
  }
}

const newestOf = (migrations: readonly Migration[]) => migrations.at(-1)?.id ?? 0;

async function schemaVersion(db: Kysely<Database>, room: string): Promise<number> {
  const { rows } = await sql<{ id: bigint | null }>`
    select max(id) as id from room_versions where room = ${room}`.execute(db);
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

/**
 * Brings each room's schema to its newest version, in the order of the rooms, each step in a transaction of its own: a kill
 * half-way leaves the last whole one. Rooms that this program does not have keep what they had.
 */
export async function migrate(
  db: Kysely<Database>,
  dialect: StoreDialect,
  rooms: readonly RoomSchema[],
): Promise<void> {
  await db.transaction().execute(async trx => {
    await lockSchema(trx, dialect);
    await sql
      .raw('create table if not exists room_versions (room text, id bigint, primary key (room, id))')
      .execute(trx);
    await takeOverCore(trx, dialect);
  });
  for (const { room, migrations } of rooms) await migrateRoom(db, dialect, { room, migrations });
}

/** Before rooms had tables of their own there was one list of steps, the core's: a database that was made then knows them as done. */
async function takeOverCore(trx: Kysely<Database>, dialect: StoreDialect): Promise<void> {
  const { rows } = await (dialect === 'sqlite'
    ? sql`select 1 from sqlite_master where type = 'table' and name = 'schema_versions'`
    : sql`select 1 from pg_tables where schemaname = current_schema() and tablename = 'schema_versions'`
  ).execute(trx);
  if (rows.length === 0) return;
  await sql`insert into room_versions (room, id) select 'core', id from schema_versions`.execute(trx);
  await sql`drop table schema_versions`.execute(trx);
}

async function migrateRoom(
  db: Kysely<Database>,
  dialect: StoreDialect,
  { room, migrations }: RoomSchema,
): Promise<void> {
  const have = await schemaVersion(db, room);
  const newest = newestOf(migrations);
  if (have > newest) {
    throw new Fault('config_invalid', {
      message: `The database has schema version ${have} of ${room}, this Millrace knows ${newest}: start the newer Millrace that wrote it`,
      messageZh: `数据库中 ${room} 的结构版本为 ${have}，而本程序只支持到 ${newest}：请使用写入它的较新版本`,
    });
  }
  for (const migration of migrations.filter(({ id }) => id > have)) {
    await db.transaction().execute(async trx => {
      await lockSchema(trx, dialect);
      // Another node did it meanwhile.
      if ((await schemaVersion(trx, room)) >= migration.id) return;
      for (const statement of migration.statements(dialect)) await sql.raw(inDialect(statement, dialect)).execute(trx);
      await sql`insert into room_versions (room, id) values (${room}, ${BigInt(migration.id)})`.execute(trx);
    });
  }
}
