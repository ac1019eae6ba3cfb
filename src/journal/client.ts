import type { MessagePort } from 'node:worker_threads';
import { Fault } from '../std/index.ts';
import { encodeRecord } from './record-text.ts';
import type { JournalRecord, Progress } from './records.ts';

/** Batch number, then kind and body of each entry, flat: the cheapest thing to clone (measured against objects). */
export type JournalBatch = readonly [batch: number, ...rest: (number | string)[]];
/** Batches up to this number are durable; or, with a code, that one is not and will not be. */
export type JournalReply = readonly [batch: number, code?: 'storage_full' | 'internal'];

/** Appends of one thread that wait for the disk at once. A disk that slow must push back, not fill the memory. */
const WAITING_MAX = 100_000;
const NOTE_MS = 500;

export type AppendDone = (fault?: Fault) => void;

/** A thread's connection to the journal. */
export interface JournalClient {
  /** `done` is called when the records are durable, or with the fault when they are not. All or none. */
  append(records: readonly JournalRecord[], done: AppendDone): void;
  /** Not waited for; of several notes on one request within half a second only the last is written. */
  note(record: Extract<JournalRecord, { readonly kind: 2 }>): void;
  close(): void;
}

export function openJournalClient(port: MessagePort): JournalClient {
  let batch = 0;
  let pending: (number | string)[] = [];
  let waiters: AppendDone[] = [];
  let scheduled = false;
  let waiting = 0;
  const sent: { readonly batch: number; readonly waiters: readonly AppendDone[] }[] = [];
  let notes = new Map<string, Extract<JournalRecord, { readonly value: Progress }>>();
  let noteTimer: NodeJS.Timeout | undefined;

  const send = () => {
    scheduled = false;
    const message: JournalBatch = [++batch, ...pending];
    sent.push({ batch, waiters });
    pending = [];
    waiters = [];
    port.postMessage(message);
  };
  const schedule = () => {
    if (scheduled) return;
    scheduled = true;
    setImmediate(send);
  };
  port.on('message', ([upTo, code]: JournalReply) => {
    const fault =
      code === undefined
        ? undefined
        : new Fault(code, { retryAfterMs: 5_000, internal: 'the journal could not write' });
    while (sent[0] && sent[0].batch <= upTo) {
      const done = sent.shift()?.waiters ?? [];
      waiting -= done.length;
      for (const waiter of done) waiter(fault);
    }
  });

  return {
    append(records, done) {
      if (waiting >= WAITING_MAX) {
        done(new Fault('capacity', { retryAfterMs: 2_000, internal: 'the journal is behind' }));
        return;
      }
      waiting++;
      for (const record of records) {
        notes.delete(record.value.id);
        pending.push(record.kind, encodeRecord(record));
      }
      waiters.push(done);
      schedule();
    },
    note(record) {
      notes.set(record.value.id, record);
      noteTimer ??= setTimeout(() => {
        noteTimer = undefined;
        for (const note of notes.values()) pending.push(note.kind, encodeRecord(note));
        notes = new Map();
        schedule();
      }, NOTE_MS);
    },
    close() {
      clearTimeout(noteTimer);
      port.close();
    },
  };
}
