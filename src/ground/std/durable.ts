import { closeSync, fsyncSync, openSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** All or nothing, also at a power cut: written aside, synced, renamed over, and the folder synced. For its owner alone. */
export function writeDurably(file: string, text: string): void {
  const aside = `${file}.new`;
  writeFileSync(aside, text, { mode: 0o600, flush: true });
  renameSync(aside, file);
  syncPath(dirname(file));
}

/** Makes a file's bytes, or a folder's names, durable. Windows syncs no folders. */
export function syncPath(path: string): void {
  if (process.platform === 'win32') return;
  const handle = openSync(path, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
