// Where facts are kept: SQLite or PostgreSQL behind one face, one schema, one set of queries.
// It must not know what the rows mean: no rule about money, keys or models lives here.
export { CARRY, joinCarry, splitCarry } from './carry.ts';
export type { RowChanges } from './change-rows.ts';
export { databaseNowUs } from './database-clock.ts';
export { claimFact } from './facts.ts';
export { forUpdate } from './for-update.ts';
export type { KnownNewRows, NewRows } from './insert-new.ts';
export { isPassing } from './is-passing.ts';
export { insertOnly, type Migration, type RoomSchema, type StoreDialect } from './migrate.ts';
export { raiseRevision, readRevision } from './revisions.ts';
export * from './store.ts';
export type * from './tables.ts';
export type { StoreTransaction, StoreValue } from './transaction.ts';
