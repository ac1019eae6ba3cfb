import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createSlots, ENGINE_FAILED, openSlots, silentLog, systemClock } from '../../../ground/std/index.ts';
import { NANO, startNano } from './engine-fixture.ts';
import { superviseEngines } from './supervise-engines.ts';

const SUM = { messages: [{ role: 'user', content: 'What is 47 + 38?' }] };
const CHAT = '/v1/chat/completions';

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function gone(pid: number): Promise<void> {
  const endMs = Date.now() + 60_000;
  while (isAlive(pid)) {
    assert.ok(Date.now() < endMs, `process ${pid} still lives`);
    await sleep(5);
  }
}

test('a start answers, and a stop leaves nothing behind', async () => {
  const nano = await startNano();
  const ready = nano.engines.status()[0];
  await nano.post(CHAT, { ...SUM, max_tokens: 1 });
  assert.equal(ready?.state, 'ready');
  assert.equal(ready?.facts?.name, 'millrace-nano');
  assert.ok(ready?.pid !== undefined);
  await nano[Symbol.asyncDispose]();
  assert.ok(!isAlive(ready.pid));
  assert.ok(!existsSync(nano.socketPath));
  assert.equal(nano.slots.get(1, 'ready'), 0);
  assert.deepEqual(nano.engines.status(), []);
});

test('a crash costs what was in flight: ready falls, the host comes back, and serves again', async () => {
  await using nano = await startNano();
  const pid = nano.engines.status()[0]?.pid ?? 0;
  const inFlight = nano.post(CHAT, { ...SUM, ignore_eos: true });
  await nano.until(async () => (await nano.metric('requests_processing')) === 1);
  process.kill(pid, 'SIGKILL');
  await assert.rejects(inFlight);
  await nano.until(() => nano.slots.get(1, 'ready') === 0);
  await assert.rejects(nano.post(CHAT, SUM), /ENOENT|ECONNREFUSED/);
  await nano.until(() => nano.slots.get(1, 'ready') === 1);
  const status = nano.engines.status()[0];
  assert.equal(status?.restarts, 1);
  assert.match(status?.lastFailure?.message ?? '', /SIGKILL/);
  assert.match(status?.lastFailure?.messageZh ?? '', /SIGKILL/);
  assert.notEqual(status?.pid, pid);
  assert.match((await nano.post(CHAT, SUM)).json.choices[0].message.content, /85/);
});

test('a host sees none of our environment, and runs below the gateway', {
  skip: process.platform !== 'linux',
}, async () => {
  process.env['SECRET_OF_OURS'] = 'x';
  await using nano = await startNano();
  delete process.env['SECRET_OF_OURS'];
  const pid = nano.engines.status()[0]?.pid ?? 0;
  const own = ['HOME', 'LANG', 'PATH', 'UV_THREADPOOL_SIZE', 'NODE_CHANNEL_FD', 'NODE_CHANNEL_SERIALIZATION_MODE'];
  const names = readFileSync(`/proc/${pid}/environ`, 'utf8')
    .split('\0')
    .map(each => each.split('=')[0] ?? '')
    .filter(name => name !== '' && !own.includes(name));
  assert.deepEqual(names, []);
  await nano.post(CHAT, { ...SUM, max_tokens: 3 });
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const fields = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    assert.equal(fields[16], '5', `thread ${thread}`);
  }
});

test('SIGTERM and SIGINT to the whole group do not end a host before its supervisor does', async () => {
  await using nano = await startNano();
  const pid = nano.engines.status()[0]?.pid ?? 0;
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.kill(pid, signal);
  assert.match((await nano.post(CHAT, SUM)).json.choices[0].message.content, /85/);
  assert.equal(nano.engines.status()[0]?.restarts, 0);
});

test('a host dies with its parent, however that dies', async () => {
  const index = new URL('./engine-fixture.ts', import.meta.url).href;
  const script = `const { startNano } = await import(${JSON.stringify(index)}); const nano = await startNano();
    void nano.post('${CHAT}', ${JSON.stringify({ ...SUM, ignore_eos: true, n: 8 })}).catch(() => {});
    await nano.until(async () => (await nano.metric('requests_processing')) === 8);
    process.stdout.write(String(nano.engines.status()[0].pid));`;
  const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const { promise, resolve } = Promise.withResolvers<number>();
  parent.stdout.setEncoding('utf8').once('data', (text: string) => resolve(Number(text)));
  const pid = await promise;
  assert.ok(isAlive(pid));
  parent.kill('SIGKILL');
  await gone(pid);
});

test('what cannot be served is refused with its reason, and tried again until it can', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'mr-'));
  const file = join(folder, 'model.gguf');
  writeFileSync(file, 'no model');
  const slots = openSlots(createSlots()).deployments;
  const deployments = [
    { deploymentId: 'broken', slot: 2, file },
    { deploymentId: 'hungry', slot: 3, file: NANO, sequences: 1_000_000 },
    { deploymentId: 'greedy', slot: 4, file: NANO, contextTokens: 4096 },
  ];
  await using engines = superviseEngines({
    node: process.execPath,
    runDir: join(folder, 'run'),
    deployments,
    slots,
    log: silentLog,
    // Stands still, so that what is said of the next start does not depend on how long the others took.
    clock: { ...systemClock, monotonicMs: () => 1_000_000 },
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  engines.onChange(() => {
    if (engines.status().filter(status => status.state === 'waiting').length === 3) resolve();
  });
  await promise;
  const [broken, hungry, greedy] = engines.status();
  assert.match(broken?.lastFailure?.message ?? '', /not a GGUF file/);
  assert.match(broken?.lastFailure?.messageZh ?? '', /不是 GGUF/);
  assert.match(hungry?.lastFailure?.message ?? '', /needs about \d+ MiB/);
  assert.match(greedy?.lastFailure?.message ?? '', /trained for 1024/);
  for (const { slot } of deployments) assert.equal(slots.get(slot, 'ready'), ENGINE_FAILED);
  assert.deepEqual(
    engines.status().map(({ phase }) => phase),
    ['failed', 'failed', 'failed'],
  );
  assert.ok((broken?.nextStartInMs ?? 0) > 1_000, 'not in a hurry: only a person changes that');
  rmSync(folder, { recursive: true, force: true });
});

test('update starts, ends and restarts what changed, and leaves the rest alone', async () => {
  await using nano = await startNano({ sequences: 2 });
  const first = nano.engines.status()[0]?.pid;
  const one = { deploymentId: 'nano', slot: 1, file: NANO, sequences: 2 };
  const two = { deploymentId: 'second', slot: 2, file: NANO, sequences: 1 };
  await nano.engines.update([one, two]);
  await nano.until(() => nano.slots.get(2, 'ready') === 1);
  assert.equal(nano.engines.status().find(status => status.deploymentId === 'nano')?.pid, first);
  assert.notEqual(nano.engines.baseUrl('nano'), nano.engines.baseUrl('second'));
  await nano.engines.update([{ ...one, sequences: 3 }]);
  assert.equal(nano.slots.get(2, 'ready'), 0);
  await nano.until(() => nano.slots.get(1, 'ready') === 1);
  const [only, ...none] = nano.engines.status();
  assert.deepEqual(none, []);
  assert.equal(only?.facts?.sequences, 3);
  assert.notEqual(only?.pid, first);
});
