import type { DatabaseSync } from 'node:sqlite';
import { crashPoint } from '../std/index.ts';
import { type HeadMark, openHead, readHead } from './node-state.ts';
import { lastSeqOf } from './reader.ts';
import {
  checksum,
  damagedSegment,
  isDiskFull,
  listAllSegments,
  listSegments,
  openSegment,
  type SegmentOrigin,
  segmentPath,
} from './segments.ts';

/** Kind and body of each entry, flat. */
export type EntryList = readonly (number | string)[];

/** The one writer of a journal: appends in commits, and begins a new segment when one is long enough. */
export interface JournalWriter {
  lastSeq(): number;
  /** One commit. False where the disk is full, and then nothing was written. Any other failure throws, and leaves the disk in doubt. */
  commit(lists: readonly EntryList[]): boolean;
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
  let statements = prepare(db);
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
    statements = prepare(db);
    bytes = 0;
  };

  const insert = (lists: readonly EntryList[]): number => {
    let next = seq;
    for (const list of lists) {
      for (let index = 0; index + 1 < list.length; index += 2) {
        const kind = list[index];
        const body = list[index + 1];
        if (typeof kind !== 'number' || typeof body !== 'string') throw new TypeError('not an entry');
        next++;
        statements.insert.run(next, kind, checksum(next, kind, body), body);
        bytes += body.length;
      }
    }
    return next;
  };

  return {
    lastSeq: () => seq,
    commit(lists) {
      try {
        statements.begin.run();
        const next = insert(lists);
        crashPoint('journal.before-commit');
        statements.commit.run();
        seq = next;
      } catch (error) {
        if (!isDiskFull(error)) throw error;
        if (db.isTransaction) db.exec('rollback');
        return false;
      }
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

function prepare(db: DatabaseSync) {
  return {
    begin: db.prepare('begin immediate'),
    commit: db.prepare('commit'),
    insert: db.prepare('insert into entries (seq, kind, crc, body) values (?, ?, ?, ?)'),
  };
}
