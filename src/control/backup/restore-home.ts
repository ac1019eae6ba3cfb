import { chmodSync, copyFileSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { NODE_MARK } from '../../ground/journal/index.ts';
import { Fault, lockHome, makeFolder, syncPath, writeDurably } from '../../ground/std/index.ts';
import { checkBackup, KEPT, type Manifest } from './backup-manifest.ts';
import { cannotWrite } from './disk-fault.ts';

/** Stands in a home while it is filled: half a home would start as if it were a whole one. */
const MARK = 'restoring';

/**
 * Puts a backup into an empty home. Everything is checked first: where it is damaged the home is not touched. Returns how to
 * take it out again. Throws Fault `config_invalid` with what is wrong with the backup, `conflict` where the home is in use.
 */
export async function restoreHome(
  from: string,
  { home, store }: { readonly home: string; readonly store: Manifest['store'] },
): Promise<() => void> {
  const manifest = await checkBackup(from);
  if (manifest.store !== store) throw otherStore(from, manifest.store);
  using _lock = lockHome(home);
  const mark = join(home, MARK);
  if (existsSync(mark)) empty(home);
  const there = readdirSync(home).find(name => KEPT.includes(name));
  if (there !== undefined)
    throw new Fault('conflict', {
      message: `${home} is in use: it has a ${there}. Restore into a new MILLRACE_HOME, or move the old one away`,
      messageZh: `${home} 已有数据（${there}）：请恢复到新的 MILLRACE_HOME，或先移走旧目录`,
    });
  try {
    writeDurably(mark, '');
    // Of the node that was here before.
    rmSync(join(home, NODE_MARK), { force: true });
    for (const { path } of manifest.files) {
      makeFolder(dirname(join(home, path)));
      copyFileSync(join(from, path), join(home, path));
      // However the backup came here, it may have been opened to others on its way.
      chmodSync(join(home, path), 0o600);
      syncPath(join(home, path));
    }
    for (const folder of new Set(manifest.files.map(({ path }) => dirname(join(home, path))))) syncPath(folder);
    rmSync(mark);
    syncPath(home);
  } catch (error) {
    empty(home);
    throw cannotWrite(home, error);
  }
  return () => {
    using _again = lockHome(home);
    empty(home);
  };
}

/** A home that a restore left half filled must not be opened. Throws Fault `config_invalid`. */
export function refuseHalfRestored(home: string): void {
  if (existsSync(join(home, MARK)))
    throw new Fault('config_invalid', {
      message: `A restore into ${home} did not come to its end: run it again`,
      messageZh: `恢复到 ${home} 的操作没有完成：请重新运行恢复`,
    });
}

function empty(home: string): void {
  for (const name of [...KEPT, NODE_MARK, MARK]) rmSync(join(home, name), { recursive: true, force: true });
}

function otherStore(from: string, store: Manifest['store']): Fault {
  return new Fault('config_invalid', {
    message:
      store === 'postgres'
        ? `${from} belongs to a store in PostgreSQL: put its dump back and set DATABASE_URL`
        : `${from} has its store in SQLite: leave DATABASE_URL unset`,
    messageZh:
      store === 'postgres'
        ? `${from} 对应的存储在 PostgreSQL 中：请先恢复其转储并设置 DATABASE_URL`
        : `${from} 自带 SQLite 存储：请不要设置 DATABASE_URL`,
  });
}
