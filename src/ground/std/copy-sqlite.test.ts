import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { copySqlite } from './copy-sqlite.ts';

const folder = mkdtempSync(join(tmpdir(), 'mr-copy-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function make(name: string, rows: number): { readonly file: string; readonly db: DatabaseSync } {
  const file = join(folder, name);
  const db = new DatabaseSync(file);
  db.exec('pragma journal_mode = wal; create table t (a integer primary key, b text); begin');
  const insert = db.prepare('insert into t (b) values (?)');
  for (let row = 0; row < rows; row++) insert.run('x'.repeat(3_000));
  db.exec('commit');
  return { file, db };
}
const count = (file: string) => {
  const db = new DatabaseSync(file, { readOnly: true });
  const rows = db.prepare('select count(*) as n from t').get()?.['n'];
  db.close();
  return rows;
};

test('a file that changes all the time is copied as it stood at the call', async () => {
  // Some twelve steps of copying, with commits between all of them.
  const { file, db } = make('busy.db', 12_000);
  let copying = true;
  let commits = 0;
  const write = () => {
    if (!copying) return;
    db.exec(`insert into t (b) values ('later')`);
    commits++;
    setImmediate(write);
  };
  const copy = join(folder, 'busy-copy.db');
  const copied = copySqlite(file, copy, { lockedMs: 1_000 });
  write();
  await copied;
  copying = false;
  assert.ok(commits > 1, 'it was written to meanwhile');
  assert.equal(count(copy), 12_000);
  db.close();
});

test('a file that is locked at the moment is waited for', async () => {
  const { file, db } = make('locked.db', 10);
  db.close();
  const holder = new Worker(
    `const { DatabaseSync } = require('node:sqlite');
     const { parentPort, workerData } = require('node:worker_threads');
     const db = new DatabaseSync(workerData);
     db.exec("pragma locking_mode = exclusive; begin immediate; insert into t (b) values ('more')");
     parentPort.postMessage('held');
     Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
     db.exec('commit');
     db.close();`,
    { eval: true, workerData: file },
  );
  await new Promise(resolve => holder.once('message', resolve));
  const copy = join(folder, 'locked-copy.db');
  await copySqlite(file, copy, { lockedMs: 10_000 });
  assert.equal(count(copy), 11);
});

test('a file that stays locked is said to be', async () => {
  const { file, db } = make('kept.db', 10);
  db.exec(`pragma locking_mode = exclusive; begin immediate; insert into t (b) values ('more')`);
  await assert.rejects(copySqlite(file, join(folder, 'kept-copy.db'), { lockedMs: 10 }), /database is locked/);
  db.exec('rollback');
  db.close();
});
