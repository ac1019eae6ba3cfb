import { rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { copySqlite, Fault } from '../std/index.ts';
import { openHead, readOrigin, writeOrigin } from './node-state.ts';
import { lastSeqOf } from './reader.ts';
import { LOCKED_MS, listAllSegments, listSegments, makeJournalDir } from './segments.ts';

/**
 * Copies what a store needs that has loaded up to `afterSeq`: every segment with later entries, archived meanwhile or not. Each
 * is a consistent copy while the writer goes on. The store is copied first, so that the journal has at least what it has. Throws
 * Fault `conflict` where a segment left even the archive before it was copied.
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
  for (const { firstSeq } of segments.slice(from)) {
    // Copying takes its time, in which the segment may have been archived.
    const segment = listAllSegments(dir).find(each => each.firstSeq === firstSeq);
    if (!segment) throw overtaken();
    // From its first read on until it is copied, nobody moves it.
    await copySqlite(segment.path, join(folder, basename(segment.path)), { lockedMs: LOCKED_MS });
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

function overtaken(): Fault {
  return new Fault('conflict', {
    message: 'The journal went on faster than it could be copied: take the backup again, when less is going on',
    messageZh: '日志增长快于备份复制速度：请在负载较低时重新备份',
  });
}
