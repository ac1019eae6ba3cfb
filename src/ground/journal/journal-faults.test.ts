import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { after, describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { MessageChannel } from 'node:worker_threads';
import { append, intent, note, settlement } from '../../../test/support/records.ts';
import { createSlots, openSlots } from '../std/index.ts';
import { openJournalClient } from './client.ts';
import { startJournal } from './journal.ts';
import { createJournalReader } from './reader.ts';
import { ENTRY_KIND } from './records.ts';

const root = mkdtempSync(join(tmpdir(), 'mr-journal-faults-'));
after(() => rmSync(root, { recursive: true, force: true }));
let count = 0;
const newDir = () => join(root, String(++count));
const CHILD = resolve(import.meta.dirname, '../../../test/support/journal-child.ts');

interface Child {
  /** Kills the appending process itself, not what wraps it. */
  kill(): Promise<void>;
  readonly lines: string[];
  readonly exited: Promise<unknown>;
}

/** Starts the appending process, under `wrapper` where given (strace). */
function startChild(args: readonly string[], wrapper: readonly string[] = []): Child {
  const [command = process.execPath, ...rest] = [...wrapper, process.execPath, CHILD, ...args];
  const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'ignore'] });
  const lines: string[] = [];
  const input = createInterface({ input: child.stdout });
  input.on('line', line => lines.push(line));
  const exited = new Promise(done => input.once('close', done));
  const kill = async () => {
    await until(() => lines.length > 0, 'the start');
    process.kill(Number(lines[0]?.split(' ')[2]), 'SIGKILL');
    await exited;
  };
  return { lines, exited, kill };
}

async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!condition()) {
    assert.ok(Date.now() < deadline, `waited too long for ${what}`);
    await sleep(5);
  }
}

const acknowledged = (lines: readonly string[]) =>
  lines.filter(line => line.startsWith('ok ')).map(line => line.slice(3));

/** Every entry there is: without a gap, each id once. */
function idsIn(dir: string): Set<string> {
  const reader = createJournalReader(dir);
  const entries = reader.read(0, 1_000_000);
  reader.close();
  const ids = new Set(entries.map(({ record }) => record.value.id));
  assert.equal(ids.size, entries.length, 'no entry is written twice');
  return ids;
}

describe('kill -9', () => {
  test('at any time: what was answered is there after each of eight kills', async () => {
    const dir = newDir();
    const seen: string[] = [];
    for (let round = 1; round <= 8; round++) {
      const child = startChild([dir, '', '100']);
      await until(() => acknowledged(child.lines).length > 20 * round, 'answers');
      await child.kill();
      assert.equal(child.lines[0]?.split(' ')[1], String(round), 'every start is counted');
      seen.push(...acknowledged(child.lines));
      const ids = idsIn(dir);
      for (const id of seen) assert.ok(ids.has(id), `${id} was answered in round ${round} or before, and is gone`);
    }
  });

  for (const point of ['journal.before-commit:5', 'journal.after-commit:5', 'journal.rotate:2']) {
    test(`at ${point}`, async () => {
      const dir = newDir();
      const child = startChild([dir, point, '30']);
      await child.exited;
      const seen = acknowledged(child.lines);
      assert.ok(seen.length > 0, 'it came as far as the point');
      const ids = idsIn(dir);
      for (const id of seen) assert.ok(ids.has(id));
      const again = startChild([dir, '', '30']);
      await until(() => acknowledged(again.lines).length > 0, 'the next start');
      await again.kill();
      assert.ok(idsIn(dir).size > ids.size);
    });
  }
});

describe('a disk that fails', () => {
  const strace = (t: TestContext, inject: string): readonly string[] | undefined => {
    if (spawnSync('strace', ['-qq', '-o', '/dev/null', 'true']).status === 0)
      return ['strace', '-f', '-qq', '-o', '/dev/null', '-e', 'trace=fsync,fdatasync', '-e', inject];
    t.skip('needs strace, and leave to use it');
    return undefined;
  };

  test('EIO of a sync: no answer, admission stops, the process ends and the next start goes on', async t => {
    const wrapper = strace(t, 'inject=fsync,fdatasync:error=EIO:when=40+');
    if (!wrapper) return;
    const dir = newDir();
    const child = startChild([dir], wrapper);
    await child.exited;
    assert.ok(acknowledged(child.lines).length > 0);
    assert.equal(child.lines.filter(line => line === 'fault internal').length, 16, 'every waiter was told');
    assert.match(child.lines.find(line => line.startsWith('crash')) ?? '', /^crash 1 .*(I\/O|disk)/);
    const ids = idsIn(dir);
    for (const id of acknowledged(child.lines)) assert.ok(ids.has(id));
    const again = startChild([dir]);
    await until(() => acknowledged(again.lines).length > 0, 'the next start');
    await again.kill();
  });

  test('a sync of half a second: answers come late, the event loop lives', async t => {
    const wrapper = strace(t, 'inject=fsync,fdatasync:delay_enter=500000:when=20+');
    if (!wrapper) return;
    const child = startChild([newDir()], wrapper);
    await until(() => child.lines.includes('tick'), 'the start');
    const from = child.lines.length;
    await sleep(1_600);
    await child.kill();
    const ticks = child.lines.slice(from).filter(line => line === 'tick').length;
    const answers = acknowledged(child.lines.slice(from)).length;
    assert.ok(ticks >= 8, `${ticks} ticks of 16`);
    assert.ok(answers > 0 && answers <= 4 * 16, `${answers} answers`);
  });

  test('a full disk: promises refused, facts written from the reserve or later, notes dropped; goes on by itself', async t => {
    const dir = newDir();
    mkdirSync(dir);
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'tmpfs', dir]).status !== 0)
      return t.skip('needs leave to mount a tmpfs');
    t.after(() => spawnSync('umount', ['-l', dir]));
    const shared = createSlots();
    const { node } = openSlots(shared);
    const onCrash = (error: Error) => {
      throw error;
    };
    const journal = await startJournal({ dir, shared, reserveBytes: 2_000_000, onCrash });
    const client = openJournalClient(journal.connect(), { noteMs: 10 });
    await append(client, [intent('before')]);
    // Everything is taken, at once, as another program would: the watch has not looked yet.
    const ballast = join(dir, 'ballast');
    const { bavail, bsize } = statfsSync(dir);
    writeFileSync(ballast, Buffer.alloc(bavail * bsize));
    const big = 'x'.repeat(60_000);
    await assert.rejects(append(client, [intent('refused', 1n, { model: big })]), { code: 'storage_full' });
    assert.equal(node.get('storageFull'), 1, 'admission stops');
    await assert.rejects(append(client, [intent('refused-too')]), { code: 'storage_full' });
    // In one batch, the promise is refused and the fact is kept.
    await Promise.all([
      assert.rejects(append(client, [intent('refused-as-well')]), { code: 'storage_full' }),
      append(client, [settlement('before')]),
    ]);
    client.note(note('dropped', 1));
    // More than the reserve has room for.
    const late = Array.from({ length: 20 }, (_, index) =>
      append(client, [settlement(`late${index}`, { faultCode: big })]),
    );
    const waiting = await Promise.race([Promise.all(late), sleep(300, 'waiting')]);
    assert.equal(waiting, 'waiting', 'facts wait, they are not refused');
    rmSync(ballast);
    await Promise.all(late);
    await until(() => node.get('storageFull') === 0, 'admission to go on');
    await append(client, [intent('after')]);
    const records = journal.reader.read(0, 100).map(({ record }) => record);
    assert.ok(!records.some(({ kind }) => kind === ENTRY_KIND.progress));
    assert.deepEqual(
      records.map(({ value }) => value.id),
      ['before', 'before', ...late.map((_, index) => `late${index}`), 'after'],
    );
    client.close();
    await journal[Symbol.asyncDispose]();
  });
});

test('a disk that is behind pushes back: promises are refused beyond the bound, facts are not', async () => {
  const { port1, port2 } = new MessageChannel();
  const client = openJournalClient(port1, { waitingMax: 3 });
  const outcomes: string[] = [];
  const send = (id: string, records = [intent(id)]) =>
    client.append(records, fault => outcomes.push(`${id} ${fault?.code ?? 'ok'}`));
  for (const id of ['a', 'b', 'c', 'd']) send(id);
  for (const id of ['e', 'f', 'g', 'h']) send(id, [settlement(id)]);
  await until(() => outcomes.length > 0, 'the refusal');
  assert.deepEqual(outcomes, ['d capacity']);
  port2.postMessage(1);
  await until(() => outcomes.length === 8, 'the answers');
  assert.deepEqual(outcomes.slice(1), ['a ok', 'b ok', 'c ok', 'e ok', 'f ok', 'g ok', 'h ok']);
  send('i');
  await sleep(1);
  port2.close();
  await until(() => outcomes.length === 9, 'the end');
  assert.equal(outcomes[8], 'i internal');
  send('j');
  await until(() => outcomes.length === 10, 'the refusal after the end');
  assert.equal(outcomes[9], 'j internal');
});

test('a number that is none is refused, and takes nothing with it', async () => {
  const { port1, port2 } = new MessageChannel();
  const client = openJournalClient(port1);
  const sent: unknown[] = [];
  port2.on('message', message => sent.push(message));
  assert.throws(() => client.append([intent('a'), settlement('a', { durationMs: Number.NaN })], () => {}), RangeError);
  client.append([settlement('b')], () => {});
  await until(() => sent.length > 0, 'the batch');
  assert.match(JSON.stringify(sent), /^\[\[1,0,"",1,"3,\[\\"b\\",[^\n]*",0,""\]\]$/);
  client.close();
});
