import { sql } from 'kysely';
import type { Store } from './store.ts';

/** Says `value` of `name` unless something was said of it before, by whomever; returns what holds from now on. */
export async function claimFact(store: Store, name: string, value: string): Promise<string> {
  return store.transaction(async trx => {
    await sql`insert into facts (name, value) values (${name}, ${value}) on conflict (name) do nothing`.execute(trx);
    const row = await trx.selectFrom('facts').select('value').where('name', '=', name).executeTakeFirstOrThrow();
    return row.value;
  });
}
