import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { Fault, type SharedSlots } from '../std/index.ts';
import { backupJournal } from './backup.ts';
import { beginEpoch } from './node-state.ts';
import { createPublished, openPublished, type Published } from './published.ts';
import { createJournalReader, type JournalReader } from './reader.ts';
import { listAllSegments, makeJournalDir } from './segments.ts';
import type { FromJournal, JournalThreadStart, ToJournal } from './thread.ts';

/** Some 100,000 requests a segment: small enough to read whole when somebody asks, rotated a few times an hour at full load. */
const SEGMENT_ROWS = 250_000;
const SEGMENT_BYTES = 128 * 1024 * 1024;
const RESERVE_BYTES = 64 * 1024 * 1024;

export interface Journal extends AsyncDisposable {
  readonly nodeId: string;
  /** Starts of this node so far, this one included. */
  readonly epoch: number;
  readonly reader: JournalReader;
  readonly commits: Published['commits'];
  /** A copy for a store that has loaded up to `afterSeq`: that store is copied first. */
  backup(folder: string, afterSeq: number): Promise<void>;
  /** The far end of a connection, to be transferred to a thread and wrapped there by `openJournalClient`. */
  connect(): MessagePort;
}

export interface JournalOptions {
  readonly dir: string;
  readonly shared: SharedSlots;
  readonly segmentRows?: number;
  readonly segmentBytes?: number;
  /** Free bytes of the disk below which nothing new is admitted; a quarter of it, at most 16 MiB, is set aside in a file. */
  readonly reserveBytes?: number;
  readonly crashAt?: string | undefined;
  /** The thread died: nothing can be promised any more, so the process must end. */
  readonly onCrash: (error: Error) => void;
}

/**
 * Starts the journal thread. The caller holds the lock of the home. Throws Fault `config_invalid` naming the file where the
 * journal is damaged or entries that were answered as durable are gone.
 */
export async function startJournal(options: JournalOptions): Promise<Journal> {
  const { dir } = options;
  makeJournalDir(dir);
  const origin = beginEpoch(dir, listAllSegments(dir).length > 0);
  const published = createPublished();
  const start: JournalThreadStart = {
    dir,
    origin,
    published,
    shared: options.shared,
    limits: { rows: options.segmentRows ?? SEGMENT_ROWS, bytes: options.segmentBytes ?? SEGMENT_BYTES },
    reserveBytes: options.reserveBytes ?? RESERVE_BYTES,
    crashAt: options.crashAt,
  };
  const worker = new Worker(threadUrl(), { name: 'journal', workerData: start });
  await ready(worker);
  let closing = false;
  worker.on('error', error => options.onCrash(error instanceof Error ? error : new Error(String(error))));
  worker.on('exit', code => {
    if (!closing) options.onCrash(new Error(`the journal thread exited with ${code}`));
  });
  const { lastSeq, commits } = openPublished(published);
  const reader = createJournalReader(dir, lastSeq);
  return {
    ...origin,
    reader,
    commits,
    connect() {
      const { port1, port2 } = new MessageChannel();
      worker.postMessage({ type: 'connect', port: port1 } satisfies ToJournal, [port1]);
      return port2;
    },
    backup: (folder, afterSeq) => backupJournal(dir, folder, afterSeq),
    async [Symbol.asyncDispose]() {
      if (closing) return;
      closing = true;
      reader.close();
      const closed = new Promise(resolve => worker.once('exit', resolve));
      worker.postMessage({ type: 'close' } satisfies ToJournal);
      await closed;
    },
  };
}

/** The file beside this one, whichever of source and build runs. */
function threadUrl(): URL {
  return new URL(import.meta.url.endsWith('.ts') ? './thread.ts' : './thread.js', import.meta.url);
}

async function ready(worker: Worker): Promise<void> {
  const first = await new Promise<FromJournal>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  worker.removeAllListeners('error');
  if (first.type === 'ready') return;
  await worker.terminate();
  throw new Fault('config_invalid', { message: first.message, messageZh: first.messageZh });
}
