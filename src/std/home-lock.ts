import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Fault } from './fault.ts';

/**
 * Makes this process the only one on a home. The lock is an exclusive transaction on a file of its own: the system releases
 * it with the process, also after kill -9, where a pid file would stay behind. Throws Fault `conflict`.
 */
export function lockHome(home: string): Disposable {
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const db = new DatabaseSync(join(home, 'lock.db'));
  try {
    db.exec('pragma busy_timeout = 0; pragma locking_mode = exclusive; begin exclusive');
  } catch (cause) {
    db.close();
    throw new Fault('conflict', {
      message: `Another Millrace runs on ${home}: stop it first, or set MILLRACE_HOME`,
      messageZh: `已有另一个 Millrace 正在使用 ${home}：请先停止它，或设置 MILLRACE_HOME`,
      cause,
    });
  }
  return { [Symbol.dispose]: () => db.close() };
}
