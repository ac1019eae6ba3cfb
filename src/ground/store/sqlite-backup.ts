import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { CompiledQuery, Kysely } from 'kysely';
import { copySqlite, Fault, syncPath } from '../std/index.ts';
import { readerDialect } from './reader.ts';
import { BUSY_MS } from './sqlite.ts';

/** Copies a live SQLite file as it stood at the call. The copy is checked whole, and appears under `path` only when it is good. */
export async function backupSqlite(file: string, path: string): Promise<void> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const partial = `${path}.partial`;
  rmSync(partial, { force: true });
  await copySqlite(file, partial, { lockedMs: BUSY_MS });
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
