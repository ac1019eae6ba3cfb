import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';

/** Texts with lists of varying length (`in (?, ?, …)`) would fill the memory for ever. */
const STATEMENTS_MAX = 256;

export interface CachedStatement {
  readonly statement: StatementSync;
  /** It gives rows back. */
  readonly reads: boolean;
}

/** Statements prepared once and kept, the least recently used let go. Preparing costs several times what a small query does. */
export function createStatementCache(database: DatabaseSync): (text: string) => CachedStatement {
  const kept = new Map<string, CachedStatement>();
  return text => {
    const known = kept.get(text);
    if (known) {
      // Moved to the end: a Map keeps the order of insertion.
      kept.delete(text);
      kept.set(text, known);
      return known;
    }
    const statement = database.prepare(text);
    const fresh = { statement, reads: statement.columns().length > 0 };
    if (kept.size >= STATEMENTS_MAX) {
      const [oldest] = kept.keys();
      if (oldest !== undefined) kept.delete(oldest);
    }
    kept.set(text, fresh);
    return fresh;
  };
}

/** Values as SQLite takes them: the same list where all of it is, as nearly always. */
export function bindables(values: readonly unknown[]): readonly SQLInputValue[] {
  return areBindable(values) ? values : values.map(bindable);
}

function areBindable(values: readonly unknown[]): values is readonly SQLInputValue[] {
  return values.every(value => {
    switch (typeof value) {
      case 'string':
        return !value.includes('\0');
      case 'number':
        return Number.isSafeInteger(value);
      case 'bigint':
        return true;
      default:
        return value === null;
    }
  });
}

/** A value as SQLite takes it. What PostgreSQL would take alone (dates, booleans, objects) is refused on both. */
function bindable(value: unknown): SQLInputValue {
  if (typeof value === 'string') return portableText(value);
  if (value === null || typeof value === 'bigint') return value;
  if (typeof value === 'number') {
    // A fraction would be refused by a column of integers, an unsafe one would be another number.
    if (!Number.isSafeInteger(value)) throw new TypeError(`${value} is not a whole number that can be stored`);
    return value;
  }
  if (value === undefined) return null;
  if (value instanceof Uint8Array) return value;
  throw new TypeError(`a ${typeof value} cannot be stored`);
}

/** PostgreSQL refuses NUL in texts: written as U+FFFD on both, so that one name from outside cannot stop the loader. */
export function portableText(text: string): string {
  return text.includes('\0') ? text.replaceAll('\0', '\uFFFD') : text;
}
