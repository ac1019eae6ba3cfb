import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Fault } from '../std/index.ts';

/** A segment is a SQLite file named by the first sequence number it may hold. */
export interface Segment {
  readonly firstSeq: number;
  readonly path: string;
}

const NAME = /^(\d{16})\.db$/;

export function segmentPath(dir: string, firstSeq: number): string {
  return join(dir, `${String(firstSeq).padStart(16, '0')}.db`);
}

/** Segments of a journal, oldest first. */
export function listSegments(dir: string): readonly Segment[] {
  if (!existsSync(dir)) return [];
  return readdirSync(dir)
    .flatMap(name => {
      const digits = NAME.exec(name)?.[1];
      return digits === undefined ? [] : [{ firstSeq: Number(digits), path: join(dir, name) }];
    })
    .toSorted((a, b) => a.firstSeq - b.firstSeq);
}

/** Opens a segment to write: WAL and synchronous=FULL, both read back. What is committed is on disk when `commit` returns. */
export function openSegment(path: string): DatabaseSync {
  const db = new DatabaseSync(path);
  try {
    db.exec(
      'pragma page_size = 8192; pragma journal_mode = wal; pragma synchronous = full; pragma wal_autocheckpoint = 2000; pragma busy_timeout = 5000',
    );
    const mode = Object.values(db.prepare('pragma journal_mode').get() ?? {})[0];
    const synchronous = Object.values(db.prepare('pragma synchronous').get() ?? {})[0];
    if (mode !== 'wal' || synchronous !== 2)
      throw new Error(`journal_mode ${String(mode)}, synchronous ${String(synchronous)}`);
    db.exec(
      'create table if not exists entries (seq integer primary key, kind integer not null, crc integer not null, body text not null) strict',
    );
    return db;
  } catch (error) {
    db.close();
    throw damagedSegment(path, error instanceof Error ? error.message : String(error));
  }
}

export function damagedSegment(path: string, why: string): Fault {
  return new Fault('config_invalid', {
    message: `The journal segment ${path} is damaged (${why}). Nothing is served before it is repaired or restored from a backup`,
    messageZh: `日志段 ${path} 已损坏（${why}）。在修复或从备份恢复之前，不会提供服务`,
  });
}

export function makeJournalDir(dir: string): void {
  mkdirSync(join(dir, 'archive'), { recursive: true, mode: 0o700 });
}
