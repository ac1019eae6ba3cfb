import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type DatabaseConnection,
  type Dialect,
  type Driver,
  PostgresAdapter,
  type PostgresDialectConfig,
  PostgresDriver,
  PostgresIntrospector,
  PostgresQueryCompiler,
  SqliteAdapter,
  type SqliteDialectConfig,
  SqliteDriver,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';

/**
 * Knows whether the code that runs now is inside a transaction. Work in a transaction that asks the store for another
 * connection waits for itself on SQLite, and reads beside its own writes on PostgreSQL: both are refused at once.
 */
export interface TransactionScope {
  run<T>(work: () => Promise<T>): Promise<T>;
  assertOutside(): void;
}

export function createTransactionScope(): TransactionScope {
  const current = new AsyncLocalStorage<{ open: boolean }>();
  return {
    async run(work) {
      const scope = { open: true };
      try {
        return await current.run(scope, work);
      } finally {
        // What was started in the transaction and outlives it is outside again.
        scope.open = false;
      }
    },
    assertOutside() {
      if (current.getStore()?.open)
        throw new Error('inside a transaction only its own handle may be used, not store.db');
    },
  };
}

/** One connection, handed from one user to the next in the order in which they asked. */
class OneConnectionDriver extends SqliteDriver {
  readonly #scope: TransactionScope;
  #busy = false;
  readonly #waiting: (() => void)[] = [];

  constructor(config: SqliteDialectConfig, scope: TransactionScope) {
    super(config);
    this.#scope = scope;
  }

  override async acquireConnection(): Promise<DatabaseConnection> {
    this.#scope.assertOutside();
    if (this.#busy) await new Promise<void>(resolve => this.#waiting.push(resolve));
    this.#busy = true;
    return super.acquireConnection();
  }

  override async releaseConnection(): Promise<void> {
    const next = this.#waiting.shift();
    // Handed on while still marked busy: who asks in between stands at the end of the line.
    if (next) next();
    else this.#busy = false;
  }
}

class PooledDriver extends PostgresDriver {
  readonly #scope: TransactionScope;

  constructor(config: PostgresDialectConfig, scope: TransactionScope) {
    super(config);
    this.#scope = scope;
  }

  override acquireConnection(): Promise<DatabaseConnection> {
    this.#scope.assertOutside();
    return super.acquireConnection();
  }
}

/** Kysely's own guard of the single connection lets a transaction wait for itself without a word; ours is in the driver. */
class GuardedSqliteAdapter extends SqliteAdapter {
  override get supportsMultipleConnections(): boolean {
    return true;
  }
}

export function sqliteDialect(config: SqliteDialectConfig, scope: TransactionScope): Dialect {
  return {
    createDriver: (): Driver => new OneConnectionDriver(config, scope),
    createAdapter: () => new GuardedSqliteAdapter(),
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createIntrospector: db => new SqliteIntrospector(db),
  };
}

export function postgresDialect(config: PostgresDialectConfig, scope: TransactionScope): Dialect {
  return {
    createDriver: (): Driver => new PooledDriver(config, scope),
    createAdapter: () => new PostgresAdapter(),
    createQueryCompiler: () => new PostgresQueryCompiler(),
    createIntrospector: db => new PostgresIntrospector(db),
  };
}
