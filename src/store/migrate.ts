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

/** Brings the schema to the newest version, each migration in a transaction of its own: a kill half-way leaves the last whole one. */
export async function migrate(
  db: Kysely<Database>,
  dialect: StoreDialect,
  migrations: readonly Migration[],
): Promise<void> {
  await sql`create table if not exists schema_versions (id bigint primary key)`.execute(db);
  const { rows } = await sql<{ id: bigint | null }>`select max(id) as id from schema_versions`.execute(db);
  const have = Number(rows[0]?.id ?? 0);
  const newest = migrations.at(-1)?.id ?? 0;
  if (have > newest) {
    throw new Fault('config_invalid', {
      message: `The database has schema version ${have}, this Millrace knows ${newest}: start the newer Millrace that wrote it`,
      messageZh: `数据库的结构版本为 ${have}，而本程序只支持到 ${newest}：请使用写入它的较新版本`,
    });
  }
  for (const migration of migrations.filter(({ id }) => id > have)) {
    await db.transaction().execute(async trx => {
      for (const statement of migration.statements(dialect)) await sql.raw(statement).execute(trx);
      await sql`insert into schema_versions (id) values (${BigInt(migration.id)})`.execute(trx);
    });
  }
}
