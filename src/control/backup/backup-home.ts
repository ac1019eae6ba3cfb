import { copyFileSync, existsSync, readdirSync, renameSync, rmdirSync, rmSync, statfsSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Journal } from '../../ground/journal/index.ts';
import { type Clock, Fault, makeFolder, SECRETS_FILE, syncPath } from '../../ground/std/index.ts';
import type { Store } from '../../ground/store/index.ts';
import type { Loader } from '../../money/ledger/index.ts';
import { KEPT, sealBackup } from './backup-manifest.ts';
import { cannotWrite, diskFull, isDiskFull } from './disk-fault.ts';

/** What stays free on a home's own disk: a backup must not be what stops admission. Four times the journal's reserve. */
const LEFT_FREE_BYTES = 256 * 1_048_576;

export interface BackupParts {
  readonly home: string;
  readonly store: Pick<Store, 'dialect' | 'backup'>;
  readonly journal: Pick<Journal, 'backup'>;
  readonly loader: Pick<Loader, 'cursor'>;
  readonly clock: Clock;
}

/**
 * Copies a home into a new folder while it runs, one backup at a time. It appears under its name only when it is whole and
 * durable; what fails half-way leaves nothing. Throws Fault `conflict` where the folder is there, `storage_full`, `config_invalid`.
 */
export function createBackup(parts: BackupParts): (folder: string) => Promise<void> {
  let last: Promise<unknown> = Promise.resolve();
  return folder => {
    const turn = last.then(() => backupHome(parts, resolve(folder)));
    last = turn.catch(() => undefined);
    return turn;
  };
}

async function backupHome(parts: BackupParts, to: string): Promise<void> {
  if (existsSync(to)) throw alreadyThere(to);
  const partial = `${to}.partial`;
  let made: readonly string[] = [];
  try {
    removeLeftover(partial);
    made = makeFolder(partial);
    checkRoom(parts.home, partial);
    await copyInto(partial, parts);
    renameSync(partial, to);
    syncPath(dirname(to));
  } catch (error) {
    const isFull = made.length > 0 && isDiskFull(partial);
    undo(made);
    throw isFull ? diskFull(to, error) : cannotWrite(to, error);
  }
}

/** Store first, journal second: the journal holds at least what the store has, so that a restore only loads more, never less. */
async function copyInto(folder: string, { home, store, journal, loader, clock }: BackupParts): Promise<void> {
  const loaded = loader.cursor();
  if (store.dialect === 'sqlite') await store.backup(join(folder, 'store.db'));
  await journal.backup(join(folder, 'journal'), loaded);
  copyFileSync(join(home, SECRETS_FILE), join(folder, SECRETS_FILE));
  await sealBackup(folder, { store: store.dialect, madeAt: new Date(clock.nowMs()).toISOString() });
}

/** Of a process that died in the midst of it; a folder that has anything else is not ours to remove. */
function removeLeftover(partial: string): void {
  if (!existsSync(partial)) return;
  const ours = (name: string) =>
    KEPT.some(kept => name === kept || name.startsWith(`${kept}.`) || name.startsWith(`${kept}-`)) ||
    name.startsWith('backup.json');
  if (!statSync(partial).isDirectory() || !readdirSync(partial).every(ours)) throw alreadyThere(partial);
  rmSync(partial, { recursive: true });
}

/** Told before rather than found out half-way, with the disk full for all who write there. */
function checkRoom(home: string, partial: string): void {
  const { bavail, bsize } = statfsSync(partial);
  const free = bavail * bsize - (statSync(partial).dev === statSync(home).dev ? LEFT_FREE_BYTES : 0);
  const needed = bytesOf(home);
  if (needed <= free) return;
  const mib = (bytes: number) => Math.max(0, Math.ceil(bytes / 1_048_576));
  throw new Fault('storage_full', {
    message: `No room for a backup in ${dirname(partial)}: it needs ${mib(needed)} MiB, ${mib(free)} MiB may be used`,
    messageZh: `${dirname(partial)} 空间不足，无法备份：需要 ${mib(needed)} MiB，可用 ${mib(free)} MiB`,
  });
}

/** A write-ahead log may be folded into its file at any moment, so it counts too. */
function bytesOf(home: string): number {
  const journal = readdirSync(join(home, 'journal'), { recursive: true, encoding: 'utf8' });
  return ['store.db', 'store.db-wal', ...journal.map(name => join('journal', name))].reduce(
    (sum, name) => sum + (statSync(join(home, name), { throwIfNoEntry: false })?.size ?? 0),
    0,
  );
}

/** Folders above that were made for it go too, unless somebody has put something there meanwhile. */
function undo(made: readonly string[]): void {
  const [partial, ...above] = made.toReversed();
  if (partial === undefined) return;
  rmSync(partial, { recursive: true, force: true });
  try {
    for (const folder of above) rmdirSync(folder);
  } catch {
    // Not empty: somebody's.
  }
}

function alreadyThere(folder: string): Fault {
  return new Fault('conflict', {
    message: `${folder} is there already: name a new folder`,
    messageZh: `${folder} 已存在：请指定一个新目录`,
  });
}
