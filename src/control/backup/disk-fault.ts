import { statfsSync } from 'node:fs';
import { Fault, isNoSpace } from '../../ground/std/index.ts';

const SQLITE_FULL = 13;
const REFUSED = new Set([
  'EACCES',
  'EPERM',
  'EROFS',
  'ENOTDIR',
  'ENOENT',
  'ENAMETOOLONG',
  'EEXIST',
  'ENOTEMPTY',
  'ELOOP',
]);
const SQLITE_CANTOPEN = 14;
/** With less, whatever failed failed for that: SQLite says of it that it "cannot open" or "is damaged", as it comes. */
const FULL_BELOW_BYTES = 65_536;

export function isDiskFull(folder: string): boolean {
  const { bavail, bsize, files, ffree } = statfsSync(folder);
  // Some file systems do not count their files.
  return bavail * bsize < FULL_BELOW_BYTES || (files > 0 && ffree === 0);
}

export function diskFull(folder: string, cause: unknown): Fault {
  return new Fault('storage_full', {
    message: `The disk of ${folder} is full: nothing was kept there`,
    messageZh: `${folder} 所在的磁盘已满：没有留下任何内容`,
    cause,
  });
}

/** What went wrong with a folder that a person named, in words about that folder. What is no trouble of the disk stays as it is. */
export function cannotWrite(folder: string, error: unknown): unknown {
  if (error instanceof Fault || !(error instanceof Error)) return error;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const sqlite = 'errcode' in error && typeof error.errcode === 'number' ? error.errcode & 0xff : 0;
  if (isNoSpace(error) || sqlite === SQLITE_FULL) return diskFull(folder, error);
  if (!REFUSED.has(code) && sqlite !== SQLITE_CANTOPEN) return error;
  return new Fault('config_invalid', {
    message: `Cannot write to ${folder} (${error.message}): name a folder that you may write`,
    messageZh: `无法写入 ${folder}（${error.message}）：请指定有写权限的目录`,
    cause: error,
  });
}
