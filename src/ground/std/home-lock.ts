import { statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Fault } from './fault.ts';
import { makeFolder } from './make-folder.ts';

const SQLITE_BUSY = 5;

/**
 * Makes this process the only one on a home. The lock is an exclusive transaction on a file of its own: the system releases
 * it with the process, also after kill -9, where a pid file would stay behind. Throws Fault `conflict` where another has it,
 * `config_invalid` where the folder cannot be made or written.
 */
export function lockHome(home: string): Disposable {
  let db: DatabaseSync | undefined;
  try {
    makeFolder(home);
    db = new DatabaseSync(join(home, 'lock.db'));
    db.exec('pragma busy_timeout = 0; pragma locking_mode = exclusive; begin exclusive');
  } catch (cause) {
    db?.close();
    throw isBusy(cause) ? taken(home, cause) : unusable(home, cause);
  }
  const lock = db;
  return { [Symbol.dispose]: () => lock.close() };
}

const isBusy = (error: unknown) => error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY;

function taken(home: string, cause: unknown): Fault {
  return new Fault('conflict', {
    message: `Another Millrace runs on ${home}: stop it first, or set MILLRACE_HOME`,
    messageZh: `已有另一个 Millrace 正在使用 ${home}：请先停止它，或设置 MILLRACE_HOME`,
    param: 'MILLRACE_HOME',
    cause,
  });
}

function unusable(home: string, cause: unknown): Fault {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new Fault('config_invalid', {
    message: `Cannot write to ${home} (${why}): set MILLRACE_HOME to a folder that you may write`,
    messageZh: `无法写入 ${home}（${why}）：请将 MILLRACE_HOME 设为有写权限的目录`,
    cause,
  });
}

/** Whether others than its owner may enter a folder. Windows says nothing of it in these bits. */
export function isOpenToOthers(folder: string): boolean {
  return process.platform !== 'win32' && (statSync(folder).mode & 0o077) !== 0;
}
