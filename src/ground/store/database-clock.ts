import { type RawBuilder, sql } from 'kysely';
import type { StoreDialect } from './migrate.ts';

/** µs since the epoch by the clock that all nodes share. */
export function databaseNowUs(dialect: StoreDialect): RawBuilder<bigint> {
  return dialect === 'postgres'
    ? sql<bigint>`(extract(epoch from clock_timestamp()) * 1000000)::bigint`
    : sql<bigint>`cast(unixepoch('subsec') * 1000000 as integer)`;
}
