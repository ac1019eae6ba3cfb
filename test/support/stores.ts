import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext } from 'node:test';
import { openStore, type Store, type StoreDialect, type StoreOptions } from '../../src/ground/store/index.ts';
import { startPostgres, type TestPostgres } from './postgres.ts';

export const DIALECTS: readonly StoreDialect[] = ['sqlite', 'postgres'];

export interface TestStores {
  readonly folder: string;
  /** Where a fresh, empty store may be opened; undefined where the test was skipped, with the reason. */
  place(dialect: StoreDialect, t: TestContext): Promise<StoreOptions | undefined>;
  /** A fresh store, closed after the test. */
  open(dialect: StoreDialect, t: TestContext): Promise<Store | undefined>;
}

/** Real stores of both kinds for the tests of one file; one PostgreSQL server, started with the first need of it. */
export function testStores(): TestStores {
  const folder = mkdtempSync(join(tmpdir(), 'mr-stores-'));
  let server: Promise<TestPostgres | string> | undefined;
  let count = 0;
  after(async () => {
    const started = await server;
    if (started && typeof started !== 'string') await started[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });
  const place: TestStores['place'] = async (dialect, t) => {
    if (dialect === 'sqlite') return { file: join(folder, `s${++count}.db`) };
    server ??= startPostgres();
    const started = await server;
    if (typeof started !== 'string') return { file: '', url: await started.createDatabase() };
    t.skip(started);
    return undefined;
  };
  return {
    folder,
    place,
    async open(dialect, t) {
      const options = await place(dialect, t);
      if (!options) return undefined;
      const store = await openStore(options);
      t.after(() => store[Symbol.asyncDispose]());
      return store;
    },
  };
}
