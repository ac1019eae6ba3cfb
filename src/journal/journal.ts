import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { backup, DatabaseSync } from 'node:sqlite';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { createUuid7, Fault, type SharedSlots, systemClock } from '../std/index.ts';
import { createJournalReader, type JournalReader } from './reader.ts';
import { listSegments, makeJournalDir } from './segments.ts';
import type { FromJournal, JournalThreadStart, ToJournal } from './thread.ts';

/** About 400 MB a segment at two entries of 400 bytes a request. */
const SEGMENT_ROWS = 1_000_000;
const RESERVE_BYTES = 64 * 1024 * 1024;

export interface Journal extends AsyncDisposable {
  readonly nodeId: string;
  readonly reader: JournalReader;
  /** A consistent copy of all segments that are not archived, and of the node's id. */
  backup(folder: string): Promise<void>;
  /** The far end of a connection, to be transferred to a thread and wrapped there by `openJournalClient`. */
  connect(): MessagePort;
}

export interface JournalOptions {
  readonly dir: string;
  readonly shared: SharedSlots;
  readonly segmentRows?: number;
  readonly reserveBytes?: number;
  readonly crashAt?: string | undefined;
  /** The thread died: nothing can be promised any more, so the process must end. */
  readonly onCrash: (error: Error) => void;
}

/** Starts the journal thread. Throws Fault `config_invalid` naming the file where the journal is damaged. */
export async function startJournal(options: JournalOptions): Promise<Journal> {
  makeJournalDir(options.dir);
  const nodeId = readNodeId(join(options.dir, 'node-id'));
  const start: JournalThreadStart = {
    dir: options.dir,
    shared: options.shared,
    segmentRows: options.segmentRows ?? SEGMENT_ROWS,
    reserveBytes: options.reserveBytes ?? RESERVE_BYTES,
    crashAt: options.crashAt,
  };
  const worker = new Worker(new URL('./thread.ts', import.meta.url), { workerData: start });
  let closing = false;
  const first = await new Promise<FromJournal>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  if (first.type === 'failed') {
    await worker.terminate();
    throw new Fault('config_invalid', { message: first.message, messageZh: first.message });
  }
  worker.on('error', error => options.onCrash(error instanceof Error ? error : new Error(String(error))));
  worker.on('exit', code => {
    if (!closing) options.onCrash(new Error(`the journal thread exited with ${code}`));
  });
  const reader = createJournalReader(options.dir);
  return {
    nodeId,
    reader,
    connect() {
      const { port1, port2 } = new MessageChannel();
      worker.postMessage({ type: 'connect', port: port1 } satisfies ToJournal, [port1]);
      return port2;
    },
    async backup(folder) {
      makeJournalDir(folder);
      copyFileSync(join(options.dir, 'node-id'), join(folder, 'node-id'));
      for (const { path } of listSegments(options.dir)) {
        const db = new DatabaseSync(path, { readOnly: true });
        await backup(db, join(folder, basename(path)));
        db.close();
      }
    },
    async [Symbol.asyncDispose]() {
      closing = true;
      const closed = new Promise(resolve => worker.once('exit', resolve));
      worker.postMessage({ type: 'close' } satisfies ToJournal);
      await closed;
      reader.close();
    },
  };
}

/** Made once per home; a restored home goes on under the same id, since its journal goes on. */
function readNodeId(file: string): string {
  if (existsSync(file)) return readFileSync(file, 'utf8').trim();
  const id = createUuid7(systemClock.nowMs)();
  writeFileSync(file, id, { mode: 0o600 });
  return id;
}
