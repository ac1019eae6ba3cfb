import { type Kysely, sql } from 'kysely';
import type { Database } from './tables.ts';
import type { StoreTransaction } from './transaction.ts';

export type RevisionName = 'identity' | 'catalog' | 'wallets' | 'audit';

/**
 * Counts one change of an area and returns the new value. Writers of one area wait here for each other until they commit, so
 * values become visible in their order: whoever saw value n has seen all up to n.
 */
export async function raiseRevision(trx: StoreTransaction, name: RevisionName): Promise<bigint> {
  const { rows } = await sql<{ value: bigint }>`
    insert into revisions (name, value) values (${name}, 1)
    on conflict (name) do update set value = revisions.value + 1 returning value`.execute(trx);
  return rows[0]?.value ?? 0n;
}

export async function readRevision(db: Kysely<Database>, name: RevisionName): Promise<bigint> {
  const row = await db.selectFrom('revisions').select('value').where('name', '=', name).executeTakeFirst();
  return row?.value ?? 0n;
}
