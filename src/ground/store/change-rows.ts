import { CompiledQuery } from 'kysely';
import { CARRY } from './carry.ts';
import { type ColumnTypes, plain } from './insert-new.ts';
import type { Database } from './tables.ts';
import type { StoreTransaction, StoreValue } from './transaction.ts';

/** Many rows of one table to change by their keys, all in the same way. */
export interface RowChanges {
  readonly key: readonly string[];
  /** Columns that get a new value. */
  readonly set?: readonly string[];
  /** Columns of numbers to which the value is added. */
  readonly add?: readonly string[];
  /** Pairs of columns that keep a sum that never fills up, to which both values are added: see {@link CARRY}. */
  readonly carry?: readonly (readonly [low: string, carry: string])[];
  /** Values of `key`, then of `set`, of `add`, and of the pairs of `carry`; no key twice. */
  readonly rows: readonly (readonly StoreValue[])[];
}

/** The text for SQLite: prepared once, run for each row, with the values of the key last. */
export function changeRowText(table: keyof Database, { key, set = [], add = [], carry = [] }: RowChanges): string {
  const first = set.length + add.length + 1;
  const changes = [
    ...set.map((name, index) => `${name} = ?${index + 1}`),
    ...add.map((name, index) => `${name} = ${name} + ?${set.length + index + 1}`),
    ...carry.flatMap(([low, high], pair) =>
      carried(low, high, { low: `?${first + 2 * pair}`, high: `?${first + 2 * pair + 1}` }),
    ),
  ];
  return `update ${table} set ${changes.join(', ')} where ${key.map((name, index) => `${name} = ?${first + 2 * carry.length + index}`).join(' and ')}`;
}

/** Both keep the sign of the sum: either database divides towards zero, and gives the rest the sign of what is divided. */
function carried(low: string, high: string, added: { readonly low: string; readonly high: string }): string[] {
  const column = (name: string) => name.slice(name.indexOf('.') + 1);
  const sum = `(${low} + ${added.low})`;
  return [`${column(high)} = ${high} + ${added.high} + ${sum} / ${CARRY}`, `${column(low)} = ${sum} % ${CARRY}`];
}

/** Rows in the order of {@link changeRowText}. */
export function keyLast({ key, rows }: RowChanges): readonly (readonly StoreValue[])[] {
  return rows.map(row => [...row.slice(key.length), ...row.slice(0, key.length)]);
}

/** One statement for all rows; they are changed in the order of their keys, so that two writers do not lock each other out. */
export async function changeRowsPostgres(
  trx: StoreTransaction,
  table: keyof Database,
  { key, set = [], add = [], carry = [], rows }: RowChanges,
  columnTypes: ColumnTypes,
): Promise<readonly boolean[]> {
  if (rows.length === 0) return [];
  const types = await columnTypes(trx, table);
  const columns = [...key, ...set, ...add, ...carry.flat()];
  const arrays = columns.map((name, index) => `$${index + 1}::${types.get(name) ?? 'text'}[]`);
  const changes = [
    ...set.map(name => `${name} = d.${name}`),
    ...add.map(name => `${name} = t.${name} + d.${name}`),
    ...carry.flatMap(([low, high]) => carried(`t.${low}`, `t.${high}`, { low: `d.${low}`, high: `d.${high}` })),
  ];
  const matches = key.map(name => `t.${name} = d.${name}`).join(' and ');
  const text =
    `with d as (select * from unnest(${arrays.join(',')}) as u(${columns.join(',')})), ` +
    `locked as (select 1 from ${table} t join d on ${matches} order by ${key.map(name => `t.${name}`).join(',')} for update of t) ` +
    `update ${table} t set ${changes.join(', ')} from d where ${matches} and (select count(*) from locked) >= 0 ` +
    `returning ${key.map(name => `t.${name}`).join(',')}`;
  const values = columns.map((_, index) => rows.map(row => plain(row[index])));
  const result = await trx.executeQuery<Record<string, unknown>>(CompiledQuery.raw(text, values));
  const changed = new Set(result.rows.map(row => JSON.stringify(key.map(name => String(row[name])))));
  return rows.map(row => changed.has(JSON.stringify(key.map((_, index) => String(plain(row[index]))))));
}
