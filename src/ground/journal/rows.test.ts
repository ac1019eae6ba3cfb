import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { intent, settlement } from '../../../test/support/records.ts';
import { linesOf } from './lines.ts';
import { writeOrigin } from './node-state.ts';
import { createJournalReader } from './reader.ts';
import { entriesOf, readRow, rowOf } from './rows.ts';
import { listSegments, makeJournalDir, segmentPath } from './segments.ts';
import { openWriter } from './writer.ts';

const root = mkdtempSync(join(tmpdir(), 'mr-rows-'));
after(() => rmSync(root, { recursive: true, force: true }));
let count = 0;
const origin = { nodeId: 'here', epoch: 1 };

/** A journal of rows with so many entries each: `r1`, `r2` and on, by their numbers. */
function written(sizes: readonly number[], rows = 1_000): string {
  const dir = join(root, String(++count));
  makeJournalDir(dir);
  writeOrigin(dir, origin);
  const writer = openWriter(dir, origin, { rows, bytes: 1_000_000 });
  let seq = 0;
  for (const size of sizes)
    writer.commit([linesOf(Array.from({ length: size }, () => intent(`r${++seq}`, 5n, { model: '重点 "m"\n' })))]);
  writer.close();
  return dir;
}

function harm(dir: string, sql: string): void {
  const db = new DatabaseSync(listSegments(dir)[0]?.path ?? '');
  db.exec(sql);
  db.close();
}

function idsIn(dir: string, afterSeq: number, limit: number): readonly string[] {
  const reader = createJournalReader(dir);
  try {
    return reader.read(afterSeq, limit).map(({ seq, record }) => `${seq} ${record.value.id}`);
  } finally {
    reader.close();
  }
}

const expected = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => `${from + index} r${from + index}`);

test('reading begins and ends anywhere in a row, and goes over rows and segments', () => {
  const sizes = [1, 4, 7, 1, 2, 12];
  const dir = written(sizes, 10);
  assert.deepEqual(
    listSegments(dir).map(({ firstSeq }) => firstSeq),
    [1, 13, 28],
    'limits count entries, not rows',
  );
  const last = sizes.reduce((sum, size) => sum + size, 0);
  for (let from = 0; from <= last + 1; from++)
    for (const limit of [1, 2, 5, 1_000])
      assert.deepEqual(idsIn(dir, from, limit), expected(from + 1, Math.min(last, from + limit)));
  const reader = createJournalReader(dir);
  assert.equal(reader.lastSeq(), last);
  reader.close();
});

/** Harm to a row of the entries 3 to 8, which follows one of 1 and 2 and is followed by one of 9. */
const HARMS: readonly { readonly name: string; readonly sql: string; readonly message: RegExp }[] = [
  { name: 'a changed byte', sql: "body = replace(body, 'r5', 'x5')", message: /entry 5 does not match its checksum/ },
  {
    name: 'an entry that passes for another kind',
    sql: `body = replace(body, '1,["r6"', '3,["r6"')`,
    message: /entry 6 does not match its checksum/,
  },
  {
    name: 'entries that changed places',
    sql: "body = replace(replace(replace(body, 'r4', 'r-'), 'r7', 'r4'), 'r-', 'r7')",
    message: /entry 4 does not match its checksum/,
  },
  { name: 'a cut line', sql: 'body = substr(body, 1, length(body) - 3)', message: /entry 8 does not match/ },
  {
    name: 'lines that are cut off',
    sql: `body = substr(body, 1, instr(body, '1,["r6"') - 2)`,
    message: /entry 6 does not match/,
  },
  { name: 'a line too many', sql: `body = body || ',\n' || '1,["r9"]'`, message: /entry 8 does not match/ },
  { name: 'a line end that is gone', sql: "body = replace(body, char(10), ' ')", message: /entry 3 does not match/ },
  {
    name: 'a line end that came',
    sql: "body = replace(body, 'r7', char(10) || '7')",
    message: /entry 7 does not match/,
  },
  { name: 'a text that is not UTF-8', sql: "body = cast(x'ff' || body as text)", message: /entry 3 does not match/ },
  { name: 'a text that is gone', sql: "body = ''", message: /entry 3 does not match/ },
  { name: 'a count too small', sql: 'count = 5', message: /the row of entry 3 holds 6 in place of 5/ },
  { name: 'a count too large', sql: 'count = 7', message: /the row of entry 3 holds 6 in place of 7/ },
  { name: 'a count of nothing', sql: 'count = 0', message: /entry 3 is missing/ },
  { name: 'another checksum', sql: 'crc = crc + 1', message: /entries 3 to 8 do not match their checksum/ },
  {
    name: 'checksums of lines cut off',
    sql: 'line_crcs = substr(line_crcs, 1, 10)',
    message: /entry 5 does not match/,
  },
  { name: 'a row with another number', sql: 'first_seq = 4', message: /entry 3 is missing/ },
  { name: 'a row that runs into the one before', sql: 'first_seq = 2', message: /entry 2 is there twice/ },
];

for (const { name, sql, message } of HARMS) {
  test(`${name} is found and named`, () => {
    const dir = written([2, 6, 1]);
    harm(dir, `update batches set ${sql} where first_seq = 3`);
    assert.throws(() => idsIn(dir, 0, 100), { code: 'config_invalid', message });
    assert.deepEqual(idsIn(dir, 0, 2), expected(1, 2), 'what lies before is readable');
  });
}

test('a last row whose count says less than it holds does not pass for the end', () => {
  const dir = written([2, 6]);
  harm(dir, 'update batches set count = 3 where first_seq = 3');
  for (const from of [2, 4, 5, 6])
    assert.throws(() => idsIn(dir, from, 100), { code: 'config_invalid', message: /holds 6 in place of 3/ });
});

test('one damaged byte costs one entry: those beside it in the row are read', () => {
  const dir = written([2, 6, 1]);
  harm(dir, "update batches set body = replace(body, 'r5\",1700', 'r5\",1800') where first_seq = 3");
  assert.deepEqual(idsIn(dir, 0, 4), expected(1, 4));
  assert.deepEqual(idsIn(dir, 5, 100), expected(6, 9));
  assert.deepEqual(idsIn(dir, 7, 1), expected(8, 8));
  for (const [from, limit] of [
    [4, 1],
    [3, 3],
    [0, 100],
  ] as const)
    assert.throws(() => idsIn(dir, from, limit), { code: 'config_invalid', message: /entry 5 does not match/ });
});

test('any changed byte of a row, in any column, is found', () => {
  const records = Array.from({ length: 5 }, (_, index) => [intent(`a${index}`), settlement(`a${index}`)]).flat();
  const row = rowOf(7, linesOf(records));
  const columns = [row.firstSeq, row.count, row.crc, row.lineCrcs, row.body] as const;
  const read = (changed: readonly unknown[]) => entriesOf(readRow({ ...changed }), 0, Number.MAX_SAFE_INTEGER);
  assert.deepEqual(
    read(columns).map(({ record }) => record),
    records,
  );
  const change = (bytes: Uint8Array, at: number, by: number) =>
    Uint8Array.from(bytes, (byte, index) => (index === at % bytes.length ? byte ^ by : byte));
  fc.assert(
    fc.property(fc.nat(), fc.integer({ min: 1, max: 255 }), fc.nat({ max: 4 }), (at, by, column) => {
      const changed: unknown[] = [...columns];
      if (column === 4) changed[4] = Buffer.from(change(Buffer.from(row.body), at, by)).toString();
      else if (column === 3) changed[3] = change(row.lineCrcs, at, by);
      else changed[column] = Number(changed[column]) + by;
      assert.throws(() => read(changed), /match|in place of/);
    }),
    { numRuns: 2_000 },
  );
  for (const [index] of columns.entries())
    assert.throws(() => read([...columns.slice(0, index), null, ...columns.slice(index + 1)]), /not one of a journal/);
});

test('lines that are not as many as they say are not written', () => {
  const { text } = linesOf([intent('a'), intent('b')]);
  for (const count of [1, 3]) assert.throws(() => rowOf(1, { count, text }), /other than its/);
});

for (const [form, schema] of [
  [
    0,
    'create table entries (seq integer primary key, kind integer not null, crc integer not null, body text not null)',
  ],
  [2, 'create table batches (first_seq integer primary key)'],
] as const) {
  test(`a segment of form ${form} is refused in one sentence, and not touched`, () => {
    const dir = join(root, String(++count));
    makeJournalDir(dir);
    const db = new DatabaseSync(segmentPath(dir, 1));
    db.exec(
      `${schema}; create table origin (node_id text not null, epoch integer not null); pragma user_version = ${form}`,
    );
    db.prepare('insert into origin values (?, ?)').run(origin.nodeId, 1);
    db.close();
    const reader = createJournalReader(dir);
    for (const use of [
      () => openWriter(dir, origin, { rows: 10, bytes: 1_000 }),
      () => reader.read(0, 10),
      reader.lastSeq,
    ])
      assert.throws(use, {
        code: 'config_invalid',
        message: new RegExp(`0001\\.db is of form ${form}, .* reads form 1:`),
      });
    reader.close();
  });
}
