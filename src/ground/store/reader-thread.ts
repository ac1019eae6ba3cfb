import { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import { bindables, createStatementCache } from './statement-cache.ts';

// A thread of its own for queries that take longer than a few milliseconds: on the main thread they would hold up the
// control plane and the loader. Read-only, one query at a time.

export interface ReaderQuery {
  readonly id: number;
  readonly text: string;
  readonly parameters: readonly unknown[];
}

export type ReaderAnswer =
  | { readonly id: number; readonly rows: readonly unknown[] }
  | { readonly id: number; readonly error: string };

if (parentPort) {
  const port = parentPort;
  const database = new DatabaseSync(String(workerData), { readOnly: true, readBigInts: true, timeout: 5_000 });
  const prepare = createStatementCache(database);
  port.on('message', ({ id, text, parameters }: ReaderQuery) => {
    try {
      port.postMessage({ id, rows: prepare(text).statement.all(...bindables(parameters)) } satisfies ReaderAnswer);
    } catch (error) {
      const words = error instanceof Error ? error.message : String(error);
      port.postMessage({ id, error: words } satisfies ReaderAnswer);
    }
  });
}
