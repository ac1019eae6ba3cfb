import { Fault } from '../std/index.ts';

/** Primary result codes of SQLite (sqlite.org/rescode.html): another connection, such as an operator's shell, has the file. */
const SQLITE_LOCKED: ReadonlySet<number> = new Set([5, 6]);
/** SQLSTATE classes of troubles that end: connections, transactions, resources, an operator's hand, locks. */
const SQLSTATE_CLASSES: ReadonlySet<string> = new Set(['08', '40', '53', '55', '57']);
/** idle_in_transaction_session_timeout: this process stood still (a suspended machine), and was hung up on. */
const SQLSTATES: ReadonlySet<string> = new Set(['25P03']);

/**
 * Whether a failure of the store may pass by itself, as a database that restarts or a disk that is full does: what failed may be
 * tried again later. Anything else is a fault of this program or of the data, and trying again would hide it.
 */
export function isPassing(error: unknown): boolean {
  if (error instanceof Fault) return error.code === 'storage_full' || error.code === 'unavailable';
  // Of several addresses of one server none answered.
  if (error instanceof AggregateError) return error.errors.length > 0 && error.errors.every(isPassing);
  if (!(error instanceof Error)) return false;
  if ('errcode' in error && typeof error.errcode === 'number') return SQLITE_LOCKED.has(error.errcode & 0xff);
  if ('code' in error && typeof error.code === 'string') {
    const { code } = error;
    // A SQLSTATE has five characters too, and a digit among them: EPIPE is none.
    if (/^E(AI_)?[A-Z]+$/.test(code)) return true;
    return SQLSTATES.has(code) || (/^[0-9A-Z]{5}$/.test(code) && SQLSTATE_CLASSES.has(code.slice(0, 2)));
  }
  // pg, where the server hung up between two messages.
  return /Connection terminated|timeout exceeded|not queryable/.test(error.message);
}
