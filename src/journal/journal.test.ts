import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { createSlots, openSlots } from '../std/index.ts';
import { type JournalClient, openJournalClient } from './client.ts';
import { startJournal } from './journal.ts';
import { createJournalReader } from './reader.ts';
import { ENTRY_KIND, type Intent, type JournalRecord, type Settlement } from './records.ts';
import { listSegments } from './segments.ts';

const root = mkdtempSync(join(tmpdir(), 'mr-journal-'));
after(() => rmSync(root, { recursive: true, force: true }));
let count = 0;
const newDir = () => join(root, String(++count));

const intent = (id: string, holdNano = 5n): JournalRecord => ({
  kind: ENTRY_KIND.intent,
  value: {
    id,
    atMs: 1,
    organizationId: 'acme',
    projectId: 'web',
    keyId: 'key_1',
    operation: 'chat',
    model: 'm',
    stream: true,
    currency: 'CNY',
    holdNano,
    inputTokensMax: 1,
    outputTokensMax: 2,
    priceVersion: 'p',
    deploymentId: 'd',
    providerId: 'x',
    expiresAtMs: 9,
  } satisfies Intent,
});
const settlement = (id: string): JournalRecord => ({
  kind: ENTRY_KIND.settlement,
  value: {
    id,
    atMs: 2,
    outcome: 'ok',
    status: 200,
    usage: { inputTokens: 1, cachedInputTokens: 0, outputTokens: 2, reasoningTokens: 0 },
    usageSource: 'upstream',
    estimated: false,
    amountNano: 2n ** 62n,
    currency: 'CNY',
    priceVersion: 'p',
    attempts: [
      {
        number: 1,
        deploymentId: 'd',
        providerId: 'x',
        status: 200,
        outcome: 'ok',
        usage: { inputTokens: 1, cachedInputTokens: 0, outputTokens: 2, reasoningTokens: 0 },
        costNano: 7n,
        durationMs: 3,
      },
    ],
    durationMs: 3,
  } satisfies Settlement,
});
const append = (client: JournalClient, records: readonly JournalRecord[]) =>
  new Promise<void>((resolve, reject) => client.append(records, fault => (fault ? reject(fault) : resolve())));
const start = (dir: string, more: { segmentRows?: number; reserveBytes?: number } = {}) => {
  const shared = createSlots();
  return startJournal({
    dir,
    shared,
    reserveBytes: 0,
    ...more,
    onCrash: error => {
      throw error;
    },
  }).then(journal => ({ journal, slots: openSlots(shared) }));
};

test('what was answered is on disk, in order, from many clients, with amounts exact', async () => {
  const dir = newDir();
  const { journal } = await start(dir);
  const clients = [1, 2, 3].map(() => openJournalClient(journal.connect()));
  await Promise.all(
    Array.from({ length: 300 }, (_, index) =>
      append(clients[index % 3] ?? assert.fail(), [intent(`r${index}`, BigInt(index)), settlement(`r${index}`)]),
    ),
  );
  const entries = journal.reader.read(0, 1_000);
  assert.equal(entries.length, 600);
  assert.deepEqual(
    entries.map(({ seq }) => seq),
    Array.from({ length: 600 }, (_, index) => index + 1),
  );
  assert.equal(journal.reader.lastSeq(), 600);
  const settled = entries.find(({ record }) => record.kind === ENTRY_KIND.settlement)?.record;
  assert.deepEqual(settled, settlement(settled?.value.id ?? ''));
  assert.deepEqual(
    journal.reader.read(598, 10).map(({ seq }) => seq),
    [599, 600],
  );
  for (const client of clients) client.close();
  await journal[Symbol.asyncDispose]();
});

test('goes on after a restart, over segments, and archives only what was loaded', async () => {
  const dir = newDir();
  for (let round = 0; round < 3; round++) {
    const { journal } = await start(dir, { segmentRows: 10 });
    const client = openJournalClient(journal.connect());
    for (let index = 0; index < 12; index++) await append(client, [intent(`${round}-${index}`)]);
    client.close();
    await journal[Symbol.asyncDispose]();
  }
  const reader = createJournalReader(dir);
  assert.deepEqual(
    reader.read(0, 100).map(({ seq }) => seq),
    Array.from({ length: 36 }, (_, index) => index + 1),
  );
  assert.ok(listSegments(dir).length >= 3);
  const before = listSegments(dir).length;
  reader.archive(5);
  assert.equal(listSegments(dir).length, before);
  reader.archive(25);
  assert.deepEqual(reader.read(25, 100).map(({ seq }) => seq)[0], 26);
  assert.ok(readdirSync(join(dir, 'archive')).length > 0);
  reader.close();
});

for (const [name, harm, message] of [
  ['a missing entry', 'delete from entries where seq = 4', /entry 4 is missing/],
  [
    'a changed byte',
    "update entries set body = replace(body, 'acme', 'acmf') where seq = 4",
    /entry 4 does not match its checksum/,
  ],
] as const) {
  test(`${name} is found and named`, async () => {
    const dir = newDir();
    const { journal } = await start(dir);
    const client = openJournalClient(journal.connect());
    await append(
      client,
      Array.from({ length: 9 }, (_, index) => intent(`r${index}`)),
    );
    client.close();
    await journal[Symbol.asyncDispose]();
    const db = new DatabaseSync(listSegments(dir)[0]?.path ?? '');
    db.exec(harm);
    db.close();
    const reader = createJournalReader(dir);
    assert.throws(() => reader.read(0, 100), { code: 'config_invalid', message });
    reader.close();
  });
}

test('a missing segment is found', async () => {
  const dir = newDir();
  const { journal } = await start(dir, { segmentRows: 3 });
  const client = openJournalClient(journal.connect());
  for (let index = 0; index < 9; index++) await append(client, [intent(`r${index}`)]);
  client.close();
  await journal[Symbol.asyncDispose]();
  rmSync(listSegments(dir)[1]?.path ?? '');
  const reader = createJournalReader(dir);
  assert.throws(() => reader.read(0, 100), { code: 'config_invalid', message: /entries 4 to 6 are missing/ });
  reader.close();
});

test('a disk with too little room stops admission', async () => {
  const { journal, slots } = await start(newDir(), { reserveBytes: Number.MAX_SAFE_INTEGER });
  assert.equal(slots.node.get('storageFull'), 1);
  await journal[Symbol.asyncDispose]();
});

test('notes are coalesced, and one that was overtaken by its settlement is not written', async () => {
  const { journal } = await start(newDir());
  const client = openJournalClient(journal.connect());
  const note = (id: string, outputTokens: number) =>
    client.note({
      kind: ENTRY_KIND.progress,
      value: { id, deploymentId: 'd', inputTokens: 1, outputTokens, holdNano: 1n },
    });
  for (let tokens = 1; tokens <= 50; tokens++) note('a', tokens);
  note('b', 7);
  await append(client, [settlement('b')]);
  while (journal.reader.lastSeq() < 2) await new Promise(resolve => setTimeout(resolve, 20));
  const entries = journal.reader.read(0, 10).map(({ record }) => record);
  assert.deepEqual(
    entries.map(({ kind, value }) => [kind, value.id]),
    [
      [3, 'b'],
      [2, 'a'],
    ],
  );
  assert.equal(entries[1]?.kind === 2 && entries[1].value.outputTokens, 50);
  client.close();
  await journal[Symbol.asyncDispose]();
});
