import { Worker } from 'node:worker_threads';
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  DummyDriver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';
import type { ReaderAnswer, ReaderQuery } from './reader-thread.ts';

interface Waiting {
  resolve(rows: readonly unknown[]): void;
  reject(error: Error): void;
}

/** The reader thread as a connection. It starts with the first query, and does not keep the process alive. */
class ReaderConnection implements DatabaseConnection {
  readonly #file: string;
  #worker: Worker | undefined;
  #count = 0;
  readonly #waiting = new Map<number, Waiting>();

  constructor(file: string) {
    this.#file = file;
  }

  async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
    const worker = this.#open();
    const id = ++this.#count;
    const rows = await new Promise<readonly unknown[]>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      worker.ref();
      worker.postMessage({ id, text: sql, parameters } satisfies ReaderQuery);
    });
    return { rows: [...rows] as R[] };
  }

  // biome-ignore lint/correctness/useYield: a reader's queries are answered whole; the interface wants a generator.
  async *streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    throw new Error('the reader does not stream');
  }

  #open(): Worker {
    if (this.#worker) return this.#worker;
    const worker = new Worker(new URL('./reader-thread.ts', import.meta.url), { workerData: this.#file });
    worker.on('message', (answer: ReaderAnswer) => {
      const waiting = this.#waiting.get(answer.id);
      this.#waiting.delete(answer.id);
      if (this.#waiting.size === 0) worker.unref();
      if ('rows' in answer) waiting?.resolve(answer.rows);
      else waiting?.reject(new Error(answer.error));
    });
    // A thread that dies fails its queries; the next query starts another.
    worker.on('error', error => this.#lose(worker, error instanceof Error ? error : new Error(String(error))));
    worker.on('exit', () => this.#lose(worker, new Error('the reader thread ended')));
    this.#worker = worker;
    return worker;
  }

  #lose(worker: Worker, error: Error): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
  }

  async close(): Promise<void> {
    await this.#worker?.terminate();
  }
}

class ReaderDriver extends DummyDriver {
  readonly #connection: ReaderConnection;

  constructor(file: string) {
    super();
    this.#connection = new ReaderConnection(file);
  }

  override async acquireConnection(): Promise<DatabaseConnection> {
    return this.#connection;
  }

  override async beginTransaction(): Promise<void> {
    throw new Error('the reader holds no transactions');
  }

  override async destroy(): Promise<void> {
    await this.#connection.close();
  }
}

/** A read-only connection to a SQLite file, in a thread of its own. */
export function readerDialect(file: string): Dialect {
  return {
    createDriver: () => new ReaderDriver(file),
    createAdapter: () => new SqliteAdapter(),
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createIntrospector: db => new SqliteIntrospector(db),
  };
}
