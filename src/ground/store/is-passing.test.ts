import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { testStores } from '../../../test/support/stores.ts';
import { Fault } from '../std/index.ts';
import { isPassing } from './is-passing.ts';

const stores = testStores();

const coded = (code: string) => Object.assign(new Error('no'), { code });

test('what may pass by itself, and what may not', () => {
  const passing: readonly unknown[] = [
    // Sockets: five letters are no SQLSTATE.
    ...['EPIPE', 'ECONNRESET', 'ECONNREFUSED', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH'].map(coded),
    new AggregateError([coded('ECONNREFUSED'), coded('ECONNREFUSED')]),
    // PostgreSQL: connection, deadlock, disk full, lock wait, shutdown, hung up on while it stood still.
    ...['08006', '40P01', '40001', '53100', '53300', '55P03', '57P01', '57014', '25P03'].map(coded),
    new Error('Connection terminated unexpectedly'),
    new Error('timeout exceeded when trying to connect'),
    new Error('Client has encountered a connection error and is not queryable'),
    new Fault('storage_full', {}),
    new Fault('unavailable', {}),
  ];
  const lasting: readonly unknown[] = [
    // Unique violation, syntax, a table that is missing, a transaction that failed, damaged data.
    ...['23505', '42601', '42P01', '25P02', 'XX001', 'ERR_INVALID_ARG_TYPE', 'ERR_SQLITE_ERROR'].map(coded),
    new AggregateError([coded('ECONNREFUSED'), coded('23505')]),
    new AggregateError([]),
    new Error('a hold that was not known is in the store'),
    new Fault('config_invalid', {}),
    new Fault('conflict', {}),
    new Fault('internal', {}),
    'no error',
    undefined,
  ];
  for (const error of passing) assert.equal(isPassing(error), true, String(error));
  for (const error of lasting) assert.equal(isPassing(error), false, String(error));
});

test('SQLite: another connection that has the file lets it go; a constraint stays', () => {
  const file = join(stores.folder, 'locked.db');
  const holder = new DatabaseSync(file);
  holder.exec('create table t (a integer primary key); insert into t values (1); begin immediate');
  const other = new DatabaseSync(file, { timeout: 0 });
  const failure = (text: string): unknown => {
    try {
      other.exec(text);
    } catch (error) {
      return error;
    }
    return assert.fail('it was carried out');
  };
  assert.equal(isPassing(failure('insert into t values (2)')), true);
  holder.exec('commit');
  assert.equal(isPassing(failure('insert into t values (1)')), false);
  holder.close();
  other.close();
});
