import { backup, DatabaseSync } from 'node:sqlite';

/** Pages copied per step, in the thread pool: some 4 to 8 MiB. */
const PAGES_PER_STEP = 1_024;

/**
 * Copies a SQLite file as it stands at the call, while others write to it. From a connection of its own that holds a read
 * snapshot: over a writer's connection the copy would see transactions that may yet be rolled back; without the snapshot it would
 * start anew at every commit, and under load never end; and a file that is locked at that moment, as by who folds its write-ahead
 * log in, would fail it with SQLite's "not an error" (node:sqlite asks the wrong connection what is wrong). Here it is waited for,
 * `lockedMs` at most.
 */
export async function copySqlite(file: string, to: string, { lockedMs }: { readonly lockedMs: number }): Promise<void> {
  const source = new DatabaseSync(file, { readOnly: true, timeout: lockedMs });
  try {
    source.exec('begin');
    source.prepare('select count(*) from sqlite_schema').get();
    await backup(source, to, { rate: PAGES_PER_STEP });
  } finally {
    source.close();
  }
}
