import type { StoreDialect } from './migrate.ts';

/** Locks what is read until the transaction ends; one of SQLite has the database alone, and knows no locks of rows. */
export function forUpdate<Q extends { forUpdate(): Q }>(dialect: StoreDialect, query: Q): Q {
  return dialect === 'postgres' ? query.forUpdate() : query;
}
