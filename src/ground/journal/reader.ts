import { existsSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { Fault } from '../std/index.ts';
import type { JournalEntry } from './records.ts';
import { entriesOf, lastSeqIn, ROW_COLUMNS, type Row, readRow } from './rows.ts';
import {
  ARCHIVE,
  checkForm,
  damagedSegment,
  LOCKED_MS,
  listAllSegments,
  listSegments,
  type Segment,
} from './segments.ts';

/** Archived segments that are kept: enough to load an older backup of the store from again, bounded on disk. */
const ARCHIVE_KEPT = 8;

/** Reads a journal beside its writer. */
export interface JournalReader {
  /**
   * Entries after `seq`, oldest first, at most `limit`; from the archive too, where it still has them. Throws Fault
   * `config_invalid` on a gap, a wrong checksum or a damaged file: never passes over them.
   */
  read(afterSeq: number, limit: number): readonly JournalEntry[];
  /** Sequence number of the newest durable entry; 0 for an empty journal. */
  lastSeq(): number;
  /** The oldest entry there is, in the archive or not; one past the last where there is none. */
  firstSeq(): number;
  /** Moves segments whose entries are all at or before `seq`, and that nobody else reads, to the archive. Only after the store committed them. */
  archive(upToSeq: number): void;
  close(): void;
}

/** From the row that holds entry `?1`, or would: its number may lie in the middle of it. */
const SELECT = `select ${ROW_COLUMNS} from batches
  where first_seq >= coalesce((select max(first_seq) from batches where first_seq <= ?1), 0) order by first_seq`;

interface OpenSegment {
  readonly segment: Segment;
  readonly db: DatabaseSync;
  readonly select: StatementSync;
}

/** `lastSeq`: where the writer of this process publishes it; absent, the segments are asked. */
export function createJournalReader(dir: string, lastSeq?: () => number): JournalReader {
  let segments: readonly Segment[] = [];
  let open: OpenSegment | undefined;
  const close = () => {
    open?.db.close();
    open = undefined;
  };
  const openFor = (segment: Segment): OpenSegment => {
    if (open?.segment.path === segment.path) return open;
    close();
    const db = openToRead(segment);
    const select = db.prepare(SELECT);
    select.setReturnArrays(true);
    open = { segment, db, select };
    return open;
  };
  const readSegment = (segment: Segment, afterSeq: number, limit: number): readonly JournalEntry[] =>
    inSegment(segment, () => readRows(openFor(segment).select, afterSeq + 1, afterSeq + 1 + limit));

  return {
    read(afterSeq, limit) {
      let next = afterSeq + 1;
      // The list is read again when its last segment was: a new one may have been begun since.
      if ((segments.at(-1)?.firstSeq ?? 0) <= next) segments = listAllSegments(dir);
      const entries: JournalEntry[] = [];
      const from = segments.findLastIndex(({ firstSeq }) => firstSeq <= next);
      if (from < 0 && segments[0]) throw missing(segments[0], next, segments[0].firstSeq - 1);
      for (let index = from; index < segments.length && entries.length < limit; index++) {
        const segment = segments[index];
        if (!segment) break;
        if (segment.firstSeq > next) throw missing(segment, next, segment.firstSeq - 1);
        for (const entry of readSegment(segment, next - 1, limit - entries.length)) entries.push(entry);
        next = afterSeq + 1 + entries.length;
        const following = segments[index + 1];
        if (following && next > following.firstSeq)
          throw damagedSegment(segment.path, `it runs past entry ${following.firstSeq}`);
      }
      return entries;
    },
    lastSeq: lastSeq ?? (() => lastSeqOf(listAllSegments(dir))),
    firstSeq: () => listAllSegments(dir)[0]?.firstSeq ?? 1,
    archive(upToSeq) {
      const live = listSegments(dir);
      if ((live[1]?.firstSeq ?? Number.POSITIVE_INFINITY) > upToSeq + 1) return;
      close();
      for (const [index, segment] of live.entries()) {
        const following = live[index + 1];
        if (!following || following.firstSeq > upToSeq + 1) break;
        if (!fold(segment)) break;
        renameSync(segment.path, join(dir, ARCHIVE, basename(segment.path)));
      }
      segments = [];
      const archived = listSegments(join(dir, ARCHIVE));
      // Reading it later left a log and its index beside it.
      for (const { path } of archived.slice(0, Math.max(0, archived.length - ARCHIVE_KEPT)))
        for (const tail of ['', '-wal', '-shm']) rmSync(path + tail, { force: true });
    },
    close,
  };
}

/** Entries from number `from` on, before number `to`. */
function readRows(select: StatementSync, from: number, to: number): readonly JournalEntry[] {
  const entries: JournalEntry[] = [];
  let next = from;
  let last: Row | undefined;
  for (const columns of select.iterate(from)) {
    const row = readRow(columns);
    if (row.firstSeq > next) throw new Error(`entry ${next} is missing`);
    if (last && row.firstSeq < last.firstSeq + last.count) throw new Error(`entry ${row.firstSeq} is there twice`);
    last = row;
    for (const entry of entriesOf(row, next, to)) entries.push(entry);
    next = Math.max(next, row.firstSeq + row.count);
    if (next >= to) return entries;
  }
  // The row before what is asked for, and nothing after it: its count must not hide what it holds.
  if (last && entries.length === 0) lastSeqIn(last);
  return entries;
}

function openToRead({ path }: Segment): DatabaseSync {
  const db = new DatabaseSync(path, { readOnly: true, timeout: LOCKED_MS });
  try {
    checkForm(db, path);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/**
 * The last connection that closes a SQLite file folds its write-ahead log in: what is moved must be one whole file. False where
 * somebody else still has it open: the writer, which has just begun the next one, or a backup. It is moved another time.
 */
function fold(segment: Segment): boolean {
  inSegment(segment, () => {
    const db = new DatabaseSync(segment.path, { timeout: LOCKED_MS });
    db.prepare('select 1 from batches limit 1').get();
    // Open now. Who reads it, as a backup does, may take long, and this thread does not wait for that.
    db.exec('pragma busy_timeout = 0; pragma wal_checkpoint(truncate)');
    db.close();
  });
  return !existsSync(`${segment.path}-wal`);
}

/** Newest entry of the segments, its row being whole; an empty one at the end still says what came before it. */
export function lastSeqOf(segments: readonly Segment[]): number {
  const last = segments.at(-1);
  if (!last) return 0;
  return inSegment(last, () => {
    const db = openToRead(last);
    try {
      const select = db.prepare(`select ${ROW_COLUMNS} from batches order by first_seq desc limit 1`);
      select.setReturnArrays(true);
      const row = select.get();
      return row ? lastSeqIn(readRow(row)) : last.firstSeq - 1;
    } finally {
      db.close();
    }
  });
}

/** Whatever goes wrong with a file is told with its name. */
function inSegment<T>(segment: Segment, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw damagedSegment(segment.path, error instanceof Error ? error.message : String(error));
  }
}

function missing(before: Segment, from: number, to: number): Fault {
  return damagedSegment(before.path, from === to ? `entry ${from} is missing` : `entries ${from} to ${to} are missing`);
}
