import { Fault } from '../std/index.ts';

/** Primary result codes of SQLite (sqlite.org/rescode.html): the low byte of an extended code. */
const SQLITE = { corrupt: 11, full: 13, notDatabase: 26 } as const;
/** PostgreSQL appendix A: disk_full. */
const POSTGRES_DISK_FULL = '53100';

/** What a database error means to those above: a full disk stops admission; anything else stays the error it was. */
export function storeFault(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof Fault) return error;
  const primary = 'errcode' in error && typeof error.errcode === 'number' ? error.errcode & 0xff : 0;
  if (primary === SQLITE.full || ('code' in error && error.code === POSTGRES_DISK_FULL)) {
    return new Fault('storage_full', { internal: error.message, cause: error });
  }
  if (primary === SQLITE.corrupt || primary === SQLITE.notDatabase) {
    return new Fault('internal', {
      internal: `the database file is damaged, restore it from a backup: ${error.message}`,
      cause: error,
    });
  }
  return error;
}
