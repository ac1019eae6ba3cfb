import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { backup, DatabaseSync } from 'node:sqlite';
import { CompiledQuery, Kysely } from 'kysely';
import { Fault, syncPath } from '../std/index.ts';
import { readerDialect } from './reader.ts';

/** Pages copied per step, in the thread pool: 4 MiB. */
const PAGES_PER_STEP = 1_024;

/**
 * Copies a live SQLite file as it stood at the call. The copy is checked whole, and appears under `path` only when it is
 * good. From a connection of its own that holds a read snapshot: over the writer's connection the copy would see
 * transactions that may yet be rolled back, and without the snapshot it would start anew at every commit.
 */
export async function backupSqlite(file: string, path: string): Promise<void> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const partial = `${path}.partial`;
  rmSync(partial, { force: true });
  const source = new DatabaseSync(file, { readOnly: true });
  try {
    source.exec('begin');
    source.prepare('select count(*) from sqlite_schema').get();
    await backup(source, partial, { rate: PAGES_PER_STEP });
  } finally {
    source.close();
  }
  await checkWhole(partial);
  rmSync(`${partial}-shm`, { force: true });
  rmSync(`${partial}-wal`, { force: true });
  syncPath(partial);
  renameSync(partial, path);
  syncPath(dirname(path));
}

/** Reads every page, in a thread of its own. */
async function checkWhole(file: string): Promise<void> {
  const reader = new Kysely<unknown>({ dialect: readerDialect(file) });
  try {
    const { rows } = await reader.executeQuery<Record<string, unknown>>(CompiledQuery.raw('pragma quick_check(1)'));
    const [verdict] = Object.values(rows[0] ?? {});
    if (verdict !== 'ok') throw new Fault('internal', { internal: `the copy ${file} is damaged: ${String(verdict)}` });
  } finally {
    await reader.destroy();
  }
}
