import { randomFillSync } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, rmSync, statfsSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** Where the room on a journal's disk is watched, and some of it is kept back. */
export interface DiskSpace {
  /** Less is free than what must stay free. */
  isLow(): boolean;
  /** So much is free again that admission does not stop at the next request. */
  isAmple(): boolean;
  /** Sets the reserve aside, unless it is; false where the disk has no room for it. It is also the probe that the disk takes writes. */
  keepReserve(): boolean;
  /** Gives the reserve up, so that what was admitted can still be settled on a full disk. */
  spendReserve(): void;
}

/** A settlement takes about 1 kB: room for those of 10,000 requests in flight, and for SQLite's checkpoint beside them. */
const RESERVE_FILE_BYTES = 16 * 1024 * 1024;
const CHUNK_BYTES = 1024 * 1024;

/** `freeBytesMin` must stay free on the disk of `dir`; 0 keeps nothing back (for tests). */
export function watchDisk(dir: string, freeBytesMin: number): DiskSpace {
  const file = join(dir, 'reserve');
  const bytes = Math.min(RESERVE_FILE_BYTES, Math.floor(freeBytesMin / 4));
  const free = () => {
    const { bavail, bsize } = statfsSync(dir);
    return bavail * bsize;
  };
  return {
    isLow: () => free() < freeBytesMin,
    isAmple: () => free() >= freeBytesMin + freeBytesMin / 4,
    keepReserve() {
      if (existsSync(file) && statSync(file).size >= bytes) return true;
      try {
        fill(file, bytes);
        return true;
      } catch {
        rmSync(file, { force: true });
        return false;
      }
    },
    spendReserve: () => rmSync(file, { force: true }),
  };
}

/** Real bytes: a file of zeros takes no room on disks that compress. */
function fill(file: string, bytes: number): void {
  const handle = openSync(file, 'w', 0o600);
  try {
    const chunk = randomFillSync(Buffer.alloc(Math.min(CHUNK_BYTES, bytes)));
    for (let written = 0; written < bytes; )
      written += writeSync(handle, chunk, 0, Math.min(chunk.length, bytes - written));
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
