import type { Transaction } from 'kysely';
import type { Database } from './tables.ts';

export type StoreTransaction = Transaction<Database>;
export type StoreValue = string | bigint | null;
