// The journal thread: takes all that is queued, commits once, answers all waiters. It is the only writer of the journal.
import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { crc32 } from 'node:zlib';
import { armCrashPoint, crashPoint, openSlots, type SharedSlots } from '../std/index.ts';
import type { JournalBatch, JournalReply } from './client.ts';
import { createJournalReader } from './reader.ts';
import { listSegments, openSegment, segmentPath } from './segments.ts';

export interface JournalThreadStart {
  readonly dir: string;
  readonly shared: SharedSlots;
  readonly segmentRows: number;
  /** Free bytes of the disk below which nothing new is admitted. */
  readonly reserveBytes: number;
  readonly crashAt: string | undefined;
}

export type ToJournal = { readonly type: 'connect'; readonly port: MessagePort } | { readonly type: 'close' };
export type FromJournal =
  | { readonly type: 'ready'; readonly lastSeq: number }
  | { readonly type: 'failed'; readonly message: string }
  | { readonly type: 'closed' };

/** A file that is given up when the disk is full, so that requests already admitted can still be settled. */
const RESERVE_FILE_BYTES = 16 * 1024 * 1024;
const SPACE_CHECK_MS = 1_000;
const SQLITE_FULL = 13;

interface Waiting {
  readonly port: MessagePort;
  readonly message: JournalBatch;
}

function runJournal(start: JournalThreadStart, main: MessagePort): void {
  armCrashPoint(start.crashAt);
  const { node } = openSlots(start.shared);
  const reader = createJournalReader(start.dir);
  let seq = reader.lastSeq();
  reader.close();
  const last = listSegments(start.dir).at(-1);
  let firstSeq = last?.firstSeq ?? 1;
  let db = openSegment(last?.path ?? segmentPath(start.dir, firstSeq));
  let statements = prepare(db);
  const reserve = join(start.dir, 'reserve');
  let queue: Waiting[] = [];
  let scheduled = false;

  const freeBytes = () => {
    const { bavail, bsize } = statfsSync(start.dir);
    return bavail * bsize;
  };
  /** Stops admission before money is at risk, and lets it go on when there is room again. */
  const watchSpace = () => {
    const full = freeBytes() < start.reserveBytes;
    if (full) node.set('storageFull', 1);
    else if (node.get('storageFull') !== 0 || !reserved) {
      try {
        writeFileSync(reserve, Buffer.alloc(RESERVE_FILE_BYTES));
        reserved = true;
        node.set('storageFull', 0);
      } catch {
        node.set('storageFull', 1);
      }
    }
  };
  let reserved = false;

  const commit = (batch: readonly Waiting[]) => {
    let next = seq;
    statements.begin.run();
    try {
      for (const { message } of batch) {
        for (let index = 1; index + 1 < message.length; index += 2) {
          const body = String(message[index + 1]);
          statements.insert.run(++next, Number(message[index]), crc32(body), body);
        }
      }
      crashPoint('journal.before-commit');
      statements.commit.run();
    } catch (error) {
      if (db.isTransaction) db.exec('rollback');
      throw error;
    }
    seq = next;
    crashPoint('journal.after-commit');
  };

  const commitOrFree = (batch: readonly Waiting[]): JournalReply[1] => {
    try {
      commit(batch);
      return undefined;
    } catch (error) {
      if (!isFull(error)) throw error;
      node.set('storageFull', 1);
      rmSync(reserve, { force: true });
      reserved = false;
      try {
        commit(batch);
        return undefined;
      } catch (again) {
        if (!isFull(again)) throw again;
        return 'storage_full';
      }
    }
  };

  const rotate = () => {
    db.exec('pragma wal_checkpoint(truncate)');
    crashPoint('journal.rotate');
    db.close();
    firstSeq = seq + 1;
    db = openSegment(segmentPath(start.dir, firstSeq));
    statements = prepare(db);
  };

  const flush = () => {
    scheduled = false;
    if (queue.length === 0) return;
    const batch = queue;
    queue = [];
    // An error that is not a full disk (EIO of fsync, say) leaves unknown what is on disk: the process dies here and
    // recovers at its next start. Trying again and answering "durable" would be a lie.
    const code = commitOrFree(batch);
    const highest = new Map<MessagePort, number>();
    for (const { port, message } of batch) highest.set(port, message[0]);
    for (const [port, number] of highest) port.postMessage(code === undefined ? [number] : [number, code]);
    if (seq - firstSeq + 1 >= start.segmentRows) rotate();
  };
  const schedule = () => {
    if (scheduled) return;
    scheduled = true;
    setImmediate(flush);
  };

  main.on('message', (message: ToJournal) => {
    if (message.type === 'connect') {
      const { port } = message;
      port.on('message', (batch: JournalBatch) => {
        queue.push({ port, message: batch });
        schedule();
      });
    } else {
      flush();
      db.exec('pragma wal_checkpoint(truncate)');
      db.close();
      main.postMessage({ type: 'closed' } satisfies FromJournal);
      process.exit(0);
    }
  });
  watchSpace();
  setInterval(watchSpace, SPACE_CHECK_MS).unref();
  main.postMessage({ type: 'ready', lastSeq: seq } satisfies FromJournal);
}

function prepare(db: DatabaseSync) {
  return {
    begin: db.prepare('begin immediate'),
    commit: db.prepare('commit'),
    insert: db.prepare('insert into entries (seq, kind, crc, body) values (?, ?, ?, ?)'),
  };
}

function isFull(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && (Number(error.errcode) & 0xff) === SQLITE_FULL;
}

if (parentPort) {
  const main = parentPort as unknown as MessagePort;
  try {
    runJournal(workerData as JournalThreadStart, main);
  } catch (error) {
    main.postMessage({
      type: 'failed',
      message: error instanceof Error ? error.message : String(error),
    } satisfies FromJournal);
  }
}
