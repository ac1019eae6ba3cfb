import type { Transaction } from 'kysely';
import type { Database } from './tables.ts';

export type StoreTransaction = Transaction<Database>;
/** An integer is a bigint where it may be beyond 2^53; a number is a whole one. */
export type StoreValue = string | bigint | number | null;
