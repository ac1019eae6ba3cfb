import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
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
  /** Returns when its lines are so; fails where it ends before. */
  said(condition: (lines: readonly string[]) => boolean): Promise<void>;
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
  const said = async (condition: (lines: readonly string[]) => boolean) => {
    while (!condition(lines)) {
      const ended = await Promise.race([once(input, 'line'), exited.then(() => 'ended')]);
      assert.ok(ended !== 'ended' || condition(lines), `it ended with ${lines.at(-1)}`);
    }
  };
  const kill = async () => {
    await said(all => all.length > 0);
    process.kill(Number(lines[0]?.split(' ')[2]), 'SIGKILL');
    await exited;
  };
  return { lines, exited, kill, said };
}

/** For what no event tells. However slow the machine, the time of the test is the only limit. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(5);
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
      await child.said(lines => acknowledged(lines).length > 20 * round);
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
      await again.said(lines => acknowledged(lines).length > 0);
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
    await again.said(lines => acknowledged(lines).length > 0);
    await again.kill();
  });

  test('a sync of half a second: answers come late, the event loop lives', async t => {
    const wrapper = strace(t, 'inject=fsync,fdatasync:delay_enter=500000:when=20+');
    if (!wrapper) return;
    const child = startChild([newDir()], wrapper);
    // Were the loop held up by the sync, at most one tick of ten would come between two answers.
    const waits = (lines: readonly string[]) =>
      lines.filter((line, at) => line.startsWith('ok ') && lines.slice(at - 3, at).every(each => each === 'tick'));
    await child.said(lines => waits(lines).length >= 3);
    await child.kill();
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
    let ended = 0;
    for (const each of late) each.finally(() => ended++).catch(() => {});
    // Answered after them: a round of the journal later.
    for (let round = 0; round < 3; round++)
      await assert.rejects(append(client, [intent(`refused-behind-${round}`)]), { code: 'storage_full' });
    assert.equal(ended, 0, 'facts wait, they are not refused');
    rmSync(ballast);
    await Promise.all(late);
    await until(() => node.get('storageFull') === 0);
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
  // What is answered was sent: an answer to a batch that is still to go out would be none.
  await once(port2, 'message');
  assert.deepEqual(outcomes, ['d capacity']);
  port2.postMessage(1);
  await until(() => outcomes.length === 8);
  assert.deepEqual(outcomes.slice(1), ['a ok', 'b ok', 'c ok', 'e ok', 'f ok', 'g ok', 'h ok']);
  send('i');
  await once(port2, 'message');
  // Not sent yet when the far end goes.
  send('j');
  port2.close();
  await until(() => outcomes.length === 10);
  assert.deepEqual(outcomes.slice(8), ['i internal', 'j internal']);
  send('k');
  await until(() => outcomes.length === 11);
  assert.equal(outcomes[10], 'k internal');
});

test('a number that is none is refused, and takes nothing with it', async () => {
  const { port1, port2 } = new MessageChannel();
  const client = openJournalClient(port1);
  const sent: unknown[] = [];
  port2.on('message', message => sent.push(message));
  assert.throws(() => client.append([intent('a'), settlement('a', { durationMs: Number.NaN })], () => {}), RangeError);
  client.append([settlement('b')], () => {});
  await until(() => sent.length > 0);
  assert.match(JSON.stringify(sent), /^\[\[1,0,"",1,"3,\[\\"b\\",[^\n]*",0,""\]\]$/);
  client.close();
});
