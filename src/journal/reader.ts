import { renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { crc32 } from 'node:zlib';
import { toFault } from '../std/index.ts';
import { decodeRecord } from './record-text.ts';
import type { JournalEntry } from './records.ts';
import { damagedSegment, listSegments, type Segment } from './segments.ts';

/** Archived segments that are kept: enough to look back, bounded on disk. */
const ARCHIVE_KEPT = 8;

/** Reads a journal beside its writer. */
export interface JournalReader {
  /**
   * Entries after `seq`, oldest first, at most `limit`. Throws Fault `config_invalid` on a gap, a wrong checksum or a damaged
   * file: never passes over them.
   */
  read(afterSeq: number, limit: number): readonly JournalEntry[];
  /** Sequence number of the newest durable entry; 0 for an empty journal. */
  lastSeq(): number;
  /** Moves segments whose entries are all at or before `seq` to the archive. Only after the store committed them. */
  archive(upToSeq: number): void;
  close(): void;
}

interface Row {
  readonly seq: number;
  readonly kind: number;
  readonly crc: number;
  readonly body: string;
}

export function createJournalReader(dir: string): JournalReader {
  let open:
    | { readonly segment: Segment; readonly db: DatabaseSync; readonly select: ReturnType<DatabaseSync['prepare']> }
    | undefined;
  const close = () => {
    open?.db.close();
    open = undefined;
  };
  const openFor = (segment: Segment) => {
    if (open?.segment.path === segment.path) return open;
    close();
    try {
      const db = new DatabaseSync(segment.path, { readOnly: true });
      open = {
        segment,
        db,
        select: db.prepare('select seq, kind, crc, body from entries where seq > ? order by seq limit ?'),
      };
    } catch (error) {
      throw damagedSegment(segment.path, toFault(error).message);
    }
    return open;
  };
  const rowsOf = (segment: Segment, afterSeq: number, limit: number): readonly Row[] => {
    try {
      return openFor(segment).select.all(afterSeq, limit) as unknown as readonly Row[];
    } catch (error) {
      throw damagedSegment(segment.path, error instanceof Error ? error.message : String(error));
    }
  };

  return {
    read(afterSeq, limit) {
      const segments = listSegments(dir);
      const entries: JournalEntry[] = [];
      let next = afterSeq + 1;
      // From the last segment that may hold the next entry on.
      const from = Math.max(
        0,
        segments.findLastIndex(({ firstSeq }) => firstSeq <= next),
      );
      for (const segment of segments.slice(from)) {
        if (entries.length >= limit) break;
        for (const row of rowsOf(segment, next - 1, limit - entries.length)) {
          if (row.seq !== next) throw damagedSegment(segment.path, `entry ${next} is missing`);
          if (crc32(row.body) !== row.crc)
            throw damagedSegment(segment.path, `entry ${row.seq} does not match its checksum`);
          entries.push({ seq: row.seq, record: decodeRecord(row.kind, row.body) });
          next++;
        }
        const following = segments[segments.indexOf(segment) + 1];
        if (following && entries.length < limit && following.firstSeq !== next)
          throw damagedSegment(following.path, `entries ${next} to ${following.firstSeq - 1} are missing`);
      }
      return entries;
    },
    lastSeq() {
      const segments = listSegments(dir);
      for (const segment of segments.toReversed()) {
        const row = openFor(segment).db.prepare('select max(seq) as seq from entries').get();
        if (typeof row?.['seq'] === 'number') return row['seq'];
        if (segment.firstSeq > 1) return segment.firstSeq - 1;
      }
      return 0;
    },
    archive(upToSeq) {
      const segments = listSegments(dir);
      for (const [index, segment] of segments.entries()) {
        const following = segments[index + 1];
        if (!following || following.firstSeq > upToSeq + 1) break;
        if (open?.segment.path === segment.path) close();
        renameSync(segment.path, join(dir, 'archive', basename(segment.path)));
        for (const tail of ['-wal', '-shm']) rmSync(segment.path + tail, { force: true });
      }
      const archived = listSegments(join(dir, 'archive'));
      for (const { path } of archived.slice(0, Math.max(0, archived.length - ARCHIVE_KEPT))) rmSync(path);
    },
    close,
  };
}
