import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { crashPoint } from '../std/index.ts';
import { joinLines, type Lines, NO_LINES } from './lines.ts';
import { type HeadMark, openHead, readHead } from './node-state.ts';
import { lastSeqOf } from './reader.ts';
import { ROW_COLUMNS, rowOf } from './rows.ts';
import {
  damagedSegment,
  isDiskFull,
  listAllSegments,
  listSegments,
  openSegment,
  type SegmentOrigin,
  segmentPath,
} from './segments.ts';

/** The one writer of a journal: appends in commits, and begins a new segment when one is long enough. */
export interface JournalWriter {
  lastSeq(): number;
  /**
   * One commit, of one row with all the lines. False where the disk is full, and then nothing was written. Any other failure
   * throws, and leaves the disk in doubt.
   */
  commit(lists: readonly Lines[]): boolean;
  close(): void;
}

export interface SegmentLimits {
  readonly rows: number;
  readonly bytes: number;
}

/** Throws Fault `config_invalid` where entries that were answered as durable are gone, or a file is damaged. */
export function openWriter(dir: string, origin: SegmentOrigin, limits: SegmentLimits): JournalWriter {
  const last = listSegments(dir).at(-1);
  let firstSeq = last?.firstSeq ?? lastSeqOf(listAllSegments(dir)) + 1;
  let db = openSegment(last?.path ?? segmentPath(dir, firstSeq), origin);
  let insert = prepareInsert(db);
  let seq = last ? lastSeqOf([last]) : firstSeq - 1;
  let bytes = 0;
  const promised = readHead(dir) ?? 0;
  if (promised > seq) {
    db.close();
    throw damagedSegment(segmentPath(dir, firstSeq), `entries ${seq + 1} to ${promised} were written and are gone`);
  }
  const head: HeadMark = openHead(dir);
  head.write(seq);

  /** The new segment stands, durably, before the old one is closed: at no moment is there none to go on with. */
  const rotate = () => {
    let next: DatabaseSync;
    try {
      next = openSegment(segmentPath(dir, seq + 1), origin);
    } catch (error) {
      // No room for a new one: the old one goes on.
      if (isDiskFull(error)) return;
      throw error;
    }
    crashPoint('journal.rotate');
    db.close();
    firstSeq = seq + 1;
    db = next;
    insert = prepareInsert(db);
    bytes = 0;
  };

  return {
    lastSeq: () => seq,
    commit(lists) {
      const lines = lists.reduce(joinLines, NO_LINES);
      if (lines.count === 0) return true;
      const { firstSeq: first, count, crc, lineCrcs, body } = rowOf(seq + 1, lines);
      crashPoint('journal.before-commit');
      try {
        // A statement alone is a transaction: the sync is over when it returns.
        insert.run(first, count, crc, lineCrcs, body);
      } catch (error) {
        if (!isDiskFull(error)) throw error;
        return false;
      }
      seq += count;
      bytes += body.length;
      head.write(seq);
      crashPoint('journal.after-commit');
      if (seq - firstSeq + 1 >= limits.rows || bytes >= limits.bytes) rotate();
      return true;
    },
    close() {
      db.close();
      head.close();
    },
  };
}

function prepareInsert(db: DatabaseSync): StatementSync {
  return db.prepare(`insert into batches (${ROW_COLUMNS}) values (?, ?, ?, ?, ?)`);
}
