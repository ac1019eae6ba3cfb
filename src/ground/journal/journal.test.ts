import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { append, intent, note, settlement } from '../../../test/support/records.ts';
import { createSlots, openSlots } from '../std/index.ts';
import { openJournalClient } from './client.ts';
import { findEntries } from './find-entries.ts';
import { type Journal, startJournal } from './journal.ts';
import { createJournalReader } from './reader.ts';
import { ENTRY_KIND } from './records.ts';
import { listSegments } from './segments.ts';

const root = mkdtempSync(join(tmpdir(), 'mr-journal-'));
after(() => rmSync(root, { recursive: true, force: true }));
let count = 0;
const newDir = () => join(root, String(++count));

const start = async (
  dir: string,
  more: { segmentRows?: number; segmentBytes?: number; reserveBytes?: number } = {},
) => {
  const shared = createSlots();
  const onCrash = (error: Error) => {
    throw error;
  };
  const journal = await startJournal({ dir, shared, reserveBytes: 0, ...more, onCrash });
  return { journal, slots: openSlots(shared) };
};
const write = async (dir: string, ids: readonly string[], more: { segmentRows?: number } = {}) => {
  const { journal } = await start(dir, more);
  const client = openJournalClient(journal.connect());
  for (const id of ids) await append(client, [intent(id)]);
  client.close();
  await journal[Symbol.asyncDispose]();
  return journal;
};
const names = (length: number, prefix = 'r') => Array.from({ length }, (_, index) => `${prefix}${index}`);
const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

test('what was answered is on disk, in order, from many clients, with amounts exact', async () => {
  const { journal } = await start(newDir());
  const clients = [1, 2, 3].map(() => openJournalClient(journal.connect()));
  await Promise.all(
    names(300).map((id, index) =>
      append(clients[index % 3] ?? assert.fail(), [intent(id, BigInt(index)), settlement(id)]),
    ),
  );
  const entries = journal.reader.read(0, 1_000);
  assert.deepEqual(
    entries.map(({ seq }) => seq),
    numbers(1, 600),
  );
  assert.equal(journal.reader.lastSeq(), 600);
  const settled = entries.find(({ record }) => record.kind === ENTRY_KIND.settlement)?.record;
  assert.deepEqual(settled, settlement(settled?.value.id ?? ''));
  assert.deepEqual(
    journal.reader.read(598, 10).map(({ seq }) => seq),
    [599, 600],
  );
  assert.deepEqual(
    (await findEntries(journal.reader, 'r7')).map(({ record }) => record.kind),
    [ENTRY_KIND.intent, ENTRY_KIND.settlement],
  );
  assert.deepEqual(await findEntries(journal.reader, 'nobody'), []);
  for (const client of clients) client.close();
  await journal[Symbol.asyncDispose]();
});

test('goes on after a restart, over segments; archives only what was loaded, and still reads it', async () => {
  const dir = newDir();
  const starts = [];
  for (const round of ['a', 'b', 'c']) starts.push(await write(dir, names(12, round), { segmentRows: 10 }));
  assert.equal(new Set(starts.map(({ nodeId }) => nodeId)).size, 1);
  assert.deepEqual(
    starts.map(({ epoch }) => epoch),
    [1, 2, 3],
  );
  const reader = createJournalReader(dir);
  const seqs = (after: number, limit: number) => reader.read(after, limit).map(({ seq }) => seq);
  assert.deepEqual(seqs(0, 100), numbers(1, 36));
  const before = listSegments(dir).length;
  assert.ok(before >= 3);
  reader.archive(5);
  assert.equal(listSegments(dir).length, before, 'nothing is archived before all of it is loaded');
  reader.archive(25);
  assert.ok(listSegments(dir).length < before);
  assert.deepEqual(
    readdirSync(join(dir, 'archive')).filter(name => name.endsWith('-wal')),
    [],
  );
  assert.deepEqual(seqs(0, 100), numbers(1, 36), 'a store restored from an older backup loads from the archive');
  assert.deepEqual(seqs(25, 5), numbers(26, 30));
  reader.close();
});

test('a new segment is begun by size too, and readers pass from one to the next while it is written', async () => {
  const { journal } = await start(newDir(), { segmentBytes: 2_000 });
  const client = openJournalClient(journal.connect());
  let seen = 0;
  for (const id of names(40)) {
    await append(client, [intent(id)]);
    for (const { seq } of journal.reader.read(seen, 100)) {
      assert.equal(seq, seen + 1);
      seen = seq;
    }
    journal.reader.archive(seen);
  }
  assert.equal(seen, 40);
  client.close();
  await journal[Symbol.asyncDispose]();
});

const HARMS: readonly { name: string; harm: (dir: string) => void; message: RegExp; atStart?: boolean }[] = [
  { name: 'a missing entry', harm: sql('delete from batches where first_seq = 4'), message: /entry 4 is missing/ },
  {
    name: 'a missing tail',
    harm: sql('delete from batches where first_seq > 7'),
    message: /entries 8 to 9 were written and are gone/,
    atStart: true,
  },
  {
    name: 'a damaged last row',
    harm: sql("update batches set body = replace(body, 'acme', 'acmf') where first_seq = 9"),
    message: /entry 9 does not match its checksum/,
    atStart: true,
  },
  {
    name: 'another node’s segment',
    harm: sql("update origin set node_id = 'other'"),
    message: /written by the node other/,
    atStart: true,
  },
  {
    name: 'a truncated file',
    harm: dir => truncateSync(listSegments(dir)[0]?.path ?? '', 4_096),
    message: /is damaged/,
    atStart: true,
  },
  {
    name: 'a missing last segment',
    harm: dir => rmSync(listSegments(dir)[0]?.path ?? ''),
    message: /entries 1 to 9 were written and are gone/,
    atStart: true,
  },
  {
    name: 'a lost node file',
    harm: dir => rmSync(join(dir, 'node.json')),
    message: /node\.json cannot be used/,
    atStart: true,
  },
  {
    name: 'a damaged node file',
    harm: dir => writeFileSync(join(dir, 'node.json'), '{"nodeId":""'),
    message: /node\.json cannot be used/,
    atStart: true,
  },
];

function sql(text: string): (dir: string) => void {
  return dir => {
    const db = new DatabaseSync(listSegments(dir)[0]?.path ?? '');
    db.exec(text);
    db.close();
  };
}

for (const { name, harm, message, atStart } of HARMS) {
  test(`${name} is found and named`, async () => {
    const dir = newDir();
    await write(dir, names(9));
    harm(dir);
    if (atStart) return assert.rejects(start(dir), { code: 'config_invalid', message });
    const reader = createJournalReader(dir);
    assert.throws(() => reader.read(0, 100), { code: 'config_invalid', message });
    reader.close();
  });
}

/** Many short segments, written while `look` is called again and again. */
async function whileSegmentsChange(look: (at: { dir: string; journal: Journal }) => void) {
  const dir = newDir();
  const { journal } = await start(dir, { segmentRows: 10 });
  const client = openJournalClient(journal.connect());
  let writing = true;
  const write = async () => {
    for (let wave = 0; wave < 80; wave++)
      await Promise.all(names(10, `w${wave}-`).map(id => append(client, [intent(id)])));
    writing = false;
  };
  const read = async () => {
    for (; writing; await nextTurn()) look({ dir, journal });
  };
  const ends = await Promise.allSettled([write(), read()]);
  client.close();
  await journal[Symbol.asyncDispose]();
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}

test('a reader that comes at any moment of a change of segments finds none of them locked', () =>
  whileSegmentsChange(({ dir, journal: { reader } }) => {
    // One that is behind: it opens segments at the moment in which the writer leaves them.
    const late = createJournalReader(dir, () => reader.lastSeq());
    const last = late.lastSeq();
    assert.ok(late.read(Math.max(0, last - 25), 100).length >= Math.min(last, 25));
    late.close();
  }));

test('a segment is archived at the moment in which the writer leaves it, or later', () => {
  let seen = 0;
  return whileSegmentsChange(({ journal: { reader } }) => {
    seen = reader.read(seen, 1_000).at(-1)?.seq ?? seen;
    reader.archive(seen);
  });
});

test('a backup has every segment, those that were archived under its hands too', async () => {
  let seen = 0;
  let from = 0;
  let copying: Promise<void> | undefined;
  const copies: string[] = [];
  const failures: unknown[] = [];
  await whileSegmentsChange(({ journal }) => {
    const { reader } = journal;
    seen = reader.read(seen, 1_000).at(-1)?.seq ?? seen;
    if (!copying) {
      from = Math.max(0, seen - 20);
      const copy = newDir();
      copying = journal.backup(copy, from).then(
        () => void copies.push(copy),
        error => void failures.push(error),
      );
      copying.finally(() => {
        copying = undefined;
      });
    }
    // No more are archived meanwhile than are kept there.
    if (seen - from < 70) reader.archive(seen);
  });
  await copying;
  assert.deepEqual(failures, []);
  assert.ok(copies.length > 0);
  for (const copy of copies) {
    const reader = createJournalReader(copy);
    const first = reader.firstSeq() - 1;
    assert.equal(reader.read(first, 10_000).at(-1)?.seq ?? 0, reader.lastSeq());
    reader.close();
  }
});

test('a missing segment in the middle is found', async () => {
  const dir = newDir();
  await write(dir, names(9), { segmentRows: 3 });
  rmSync(listSegments(dir)[1]?.path ?? '');
  const reader = createJournalReader(dir);
  assert.throws(() => reader.read(0, 100), { code: 'config_invalid', message: /entries 4 to 6 are missing/ });
  reader.close();
});

test('a head that is lost or unreadable is made again', async () => {
  const dir = newDir();
  await write(dir, names(3));
  rmSync(join(dir, 'head'));
  await write(dir, names(3, 's'));
  writeFileSync(join(dir, 'head'), 'noise that is no head');
  await write(dir, names(3, 't'));
  const reader = createJournalReader(dir);
  assert.equal(reader.lastSeq(), 9);
  reader.close();
});

test('a disk with too little room stops admission; room stops the stop', async () => {
  const dir = newDir();
  const full = await start(dir, { reserveBytes: Number.MAX_SAFE_INTEGER });
  assert.equal(full.slots.node.get('storageFull'), 1);
  const client = openJournalClient(full.journal.connect());
  await assert.rejects(append(client, [intent('a')]), { code: 'storage_full' });
  await append(client, [settlement('a')]);
  client.close();
  await full.journal[Symbol.asyncDispose]();
  const roomy = await start(dir, { reserveBytes: 4_096 });
  assert.equal(roomy.slots.node.get('storageFull'), 0);
  assert.ok(existsSync(join(dir, 'reserve')));
  assert.equal(roomy.journal.reader.lastSeq(), 1);
  await roomy.journal[Symbol.asyncDispose]();
});

test('notes are coalesced, and one that was overtaken by its settlement is not written', async () => {
  const { journal } = await start(newDir());
  const client = openJournalClient(journal.connect(), { noteMs: 30 });
  for (let tokens = 1; tokens <= 50; tokens++) client.note(note('a', tokens));
  client.note(note('b', 7));
  await append(client, [settlement('b')]);
  while (journal.reader.lastSeq() < 2) await new Promise(resolve => setTimeout(resolve, 5));
  assert.deepEqual(
    journal.reader.read(0, 10).map(({ record }) => [record.kind, record.value.id]),
    [
      [ENTRY_KIND.settlement, 'b'],
      [ENTRY_KIND.progress, 'a'],
    ],
  );
  assert.deepEqual(journal.reader.read(1, 1)[0]?.record, note('a', 50));
  client.close();
  await journal[Symbol.asyncDispose]();
});

test('what is waiting at close is written', async () => {
  const dir = newDir();
  const { journal } = await start(dir);
  const client = openJournalClient(journal.connect());
  const done = names(20).map(id => append(client, [intent(id)]));
  await Promise.all([
    ...done,
    new Promise(resolve => setImmediate(resolve)).then(() => journal[Symbol.asyncDispose]()),
  ]);
  const reader = createJournalReader(dir);
  assert.equal(reader.lastSeq(), 20);
  reader.close();
});

test('a backup taken under load starts elsewhere and has all that its store had', async () => {
  const dir = newDir();
  const copy = newDir();
  const { journal } = await start(dir, { segmentRows: 10 });
  const client = openJournalClient(journal.connect());
  for (const id of names(35)) await append(client, [intent(id)]);
  journal.reader.archive(35);
  const writing = Promise.all(names(50, 's').map(id => append(client, [intent(id)])));
  await Promise.all([journal.backup(copy, 15), writing]);
  client.close();
  await journal[Symbol.asyncDispose]();
  assert.equal(existsSync(join(copy, '0000000000000001.db')), false, 'what the store had is not copied');
  const { journal: other } = await start(copy);
  assert.equal(other.nodeId, journal.nodeId);
  assert.equal(other.epoch, journal.epoch + 1);
  const last = other.reader.lastSeq();
  assert.ok(last >= 35);
  assert.deepEqual(
    other.reader.read(15, 1_000).map(({ seq }) => seq),
    numbers(16, last),
  );
  await other[Symbol.asyncDispose]();
});

test('a copy of the folder without the tail of its write-ahead log is found out', async () => {
  const dir = newDir();
  const { journal } = await start(dir);
  const client = openJournalClient(journal.connect());
  for (const id of names(5)) await append(client, [intent(id)]);
  const copy = newDir();
  cpSync(dir, copy, { recursive: true });
  const wal = readdirSync(copy).find(name => name.endsWith('-wal')) ?? assert.fail();
  truncateSync(join(copy, wal), statSync(join(copy, wal)).size - 100);
  client.close();
  await journal[Symbol.asyncDispose]();
  await assert.rejects(start(copy), { code: 'config_invalid', message: /were written and are gone/ });
});
