import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Fault, syncPath } from '../std/index.ts';

/** A segment is a SQLite file named by the first sequence number it may hold. It ends where the next one begins. */
export interface Segment {
  readonly firstSeq: number;
  readonly path: string;
  readonly archived: boolean;
}

/** Who wrote a segment. `epoch` is that of the start of the process that made the file. */
export interface SegmentOrigin {
  readonly nodeId: string;
  readonly epoch: number;
}

const NAME = /^(\d{16})\.db$/;
export const ARCHIVE = 'archive';

export function segmentPath(dir: string, firstSeq: number): string {
  return join(dir, `${String(firstSeq).padStart(16, '0')}.db`);
}

function listFolder(folder: string, archived: boolean): readonly Segment[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder).flatMap(name => {
    const digits = NAME.exec(name)?.[1];
    return digits === undefined ? [] : [{ firstSeq: Number(digits), path: join(folder, name), archived }];
  });
}

/** Segments that are not archived, oldest first. */
export function listSegments(dir: string): readonly Segment[] {
  return listFolder(dir, false).toSorted((a, b) => a.firstSeq - b.firstSeq);
}

/** Archived and live segments, oldest first: what a store that was restored from an older backup is loaded from again. */
export function listAllSegments(dir: string): readonly Segment[] {
  return [...listFolder(join(dir, ARCHIVE), true), ...listFolder(dir, false)].toSorted(
    (a, b) => a.firstSeq - b.firstSeq,
  );
}

/** The form of the rows, as SQLite's `user_version` says: a file of another form is refused, never guessed at. */
const FORM = 1;

/**
 * Opens a segment to write: WAL and synchronous=FULL, both read back, so that what is committed is on disk when `commit`
 * returns. Makes the file where there is none. Throws Fault `config_invalid` naming a file that is damaged or another node's;
 * SQLite's own error where the disk is full.
 */
export function openSegment(path: string, origin: SegmentOrigin): DatabaseSync {
  let db: DatabaseSync | undefined;
  try {
    if (!existsSync(path)) createSegment(path, origin);
    db = openDurable(path);
    checkForm(db, path);
    const found = db.prepare('select node_id from origin').get()?.['node_id'];
    if (found !== origin.nodeId)
      throw new Error(`it was written by the node ${String(found)}, this is ${origin.nodeId}`);
    return db;
  } catch (error) {
    db?.close();
    if (error instanceof Fault || isDiskFull(error)) throw error;
    throw damagedSegment(path, error instanceof Error ? error.message : String(error));
  }
}

/** Made aside and renamed when it is whole: a reader, or a start after a kill, finds a segment or none. */
function createSegment(path: string, origin: SegmentOrigin): void {
  const aside = `${path}.new`;
  for (const tail of ['', '-wal', '-shm']) rmSync(aside + tail, { force: true });
  const db = openDurable(aside);
  try {
    db.exec(
      `begin immediate;
      create table batches (
        first_seq integer primary key, count integer not null, crc integer not null, line_crcs blob not null, body text not null
      ) strict;
      create table origin (node_id text not null, epoch integer not null) strict;
      pragma user_version = ${FORM}`,
    );
    db.prepare('insert into origin (node_id, epoch) values (?, ?)').run(origin.nodeId, origin.epoch);
    db.exec('commit; pragma wal_checkpoint(truncate)');
  } finally {
    // The last to close folds the write-ahead log in.
    db.close();
  }
  renameSync(aside, path);
  syncPath(dirname(path));
}

/** Throws Fault `config_invalid` where the rows of a segment are not of the form that this version writes and reads. */
export function checkForm(db: DatabaseSync, path: string): void {
  const found = db.prepare('pragma user_version').get()?.['user_version'];
  if (found === FORM) return;
  throw new Fault('config_invalid', {
    message: `The journal segment ${path} is of form ${String(found)}, and this version of Millrace reads form ${FORM}: start it with the version that wrote it, or with an empty MILLRACE_HOME`,
    messageZh: `日志段 ${path} 的格式为 ${String(found)}，而此版本的 Millrace 只读取格式 ${FORM}：请用写入它的版本启动，或改用空的 MILLRACE_HOME`,
  });
}

/**
 * The last connection that closes a segment locks it while it folds the write-ahead log in, and the first that opens it while it
 * makes the log's index: whoever comes at that moment, writer or reader, waits.
 */
export const LOCKED_MS = 10_000;

function openDurable(path: string): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: LOCKED_MS });
  // Rows under load have 10 to 30 KB: pages of 4, 16 and 32 KiB cost more per commit (each page is two writes; a last one is half empty).
  // fullfsync: on macOS a plain fsync stops at the drive's own cache.
  db.exec(
    'pragma page_size = 8192; pragma journal_mode = wal; pragma synchronous = full; pragma fullfsync = on; pragma checkpoint_fullfsync = on; pragma wal_autocheckpoint = 2000',
  );
  assertPragma(db, 'journal_mode', 'wal');
  assertPragma(db, 'synchronous', 2);
  return db;
}

function assertPragma(db: DatabaseSync, name: string, expected: string | number): void {
  const [value] = Object.values(db.prepare(`pragma ${name}`).get() ?? {});
  if (value !== expected) throw new Error(`pragma ${name} is ${String(value)}, not ${expected}`);
}

const SQLITE_FULL = 13;
/** SQLITE_IOERR_SHMSIZE, SQLITE_IOERR_SHMMAP: the shared-memory file of the WAL could not grow, which is how a full disk shows there. */
const SHM_ERRORS = [4874, 5386];

/** Whether SQLite refused for want of room. Anything else may have left the disk in doubt. */
export function isDiskFull(error: unknown): boolean {
  if (!(error instanceof Error) || !('errcode' in error)) return false;
  const code = Number(error.errcode);
  return (code & 0xff) === SQLITE_FULL || SHM_ERRORS.includes(code);
}

export function damagedSegment(path: string, why: string): Fault {
  return new Fault('config_invalid', {
    message: `The journal segment ${path} is damaged (${why}). Nothing is served before it is repaired or restored from a backup`,
    messageZh: `日志段 ${path} 已损坏（${why}）。在修复或从备份恢复之前，不会提供服务`,
  });
}

export function makeJournalDir(dir: string): void {
  mkdirSync(join(dir, ARCHIVE), { recursive: true, mode: 0o700 });
}
