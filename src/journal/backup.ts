import { rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { backup, DatabaseSync } from 'node:sqlite';
import { openHead, readOrigin, writeOrigin } from './node-state.ts';
import { lastSeqOf } from './reader.ts';
import { listAllSegments, listSegments, makeJournalDir } from './segments.ts';

/**
 * Copies what a store needs that has loaded up to `afterSeq`: every segment with later entries, archived meanwhile or not. Each
 * is a consistent copy while the writer goes on. The store is copied first, so that the journal has at least what it has.
 */
export async function backupJournal(dir: string, folder: string, afterSeq: number): Promise<void> {
  const origin = readOrigin(dir);
  if (!origin) return;
  makeJournalDir(folder);
  const segments = listAllSegments(dir);
  const from = Math.max(
    0,
    segments.findLastIndex(({ firstSeq }) => firstSeq <= afterSeq + 1),
  );
  for (const { path } of segments.slice(from)) {
    const db = new DatabaseSync(path, { readOnly: true });
    try {
      await backup(db, join(folder, basename(path)));
    } finally {
      db.close();
    }
  }
  writeOrigin(folder, origin);
  const copies = listSegments(folder);
  const lastSeq = lastSeqOf(copies);
  const head = openHead(folder);
  head.write(lastSeq);
  head.close();
  // Reading a copy made them, and nothing is in them.
  for (const { path } of copies) for (const tail of ['-wal', '-shm']) rmSync(path + tail, { force: true });
}
