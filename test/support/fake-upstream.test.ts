import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { startFakeUpstream } from './fake-upstream.ts';

const ask = (baseUrl: string, body: object, headers: Record<string, string> = {}) =>
  fetch(`${baseUrl}/chat/completions`, { method: 'POST', body: JSON.stringify(body), headers });

test('an honest answer, whole and streamed, is counted and reported alike', async () => {
  const fake = await startFakeUpstream({ scripts: { slow: { tokens: 5, cachedTokens: 2 } } });
  const whole = await (await ask(fake.baseUrl, { model: 'slow', messages: [] }, { 'x-request-id': 'r1' })).text();
  assert.equal(JSON.parse(whole).usage.completion_tokens, 5);
  const streamed = await (
    await ask(fake.baseUrl, { model: 'slow', stream: true, stream_options: { include_usage: true }, max_tokens: 3 })
  ).text();
  assert.match(streamed, /"completion_tokens":3.*\n\ndata: \[DONE\]\n\n$/);
  assert.deepEqual(
    fake.calls.map(call => [call.requestId, call.outcome, call.billed.completionTokens, call.billed.cachedTokens]),
    [
      ['r1', 'complete', 5, 2],
      [undefined, 'complete', 3, 2],
    ],
  );
  await fake.close();
});

test('dies at the byte it was told, and bills what it made', async () => {
  for (const how of ['fin', 'rst'] as const) {
    const fake = await startFakeUpstream({ scripts: { '*': { tokens: 50, dieAt: { byte: 2_000, how } } } });
    await assert.rejects(async () => (await ask(fake.baseUrl, { model: 'x', stream: true })).text());
    assert.equal(fake.calls[0]?.outcome, 'died');
    assert.equal(fake.calls[0]?.bytesSent, 2_000);
    await fake.close();
  }
});

test('a client that leaves stops the bill, unless the provider goes on', async () => {
  const fake = await startFakeUpstream({
    scripts: { a: { tokens: 1_000, intervalMs: 5 }, b: { tokens: 20, intervalMs: 1, billsAfterAbort: true } },
  });
  for (const model of ['a', 'b']) {
    const answer = await ask(fake.baseUrl, { model, stream: true });
    const reader = answer.body?.getReader();
    await reader?.read();
    await reader?.cancel();
  }
  while (fake.calls.some(call => call.outcome === 'running')) await new Promise(resolve => setTimeout(resolve, 5));
  assert.ok((fake.calls[0]?.billed.completionTokens ?? 1_000) < 1_000);
  assert.deepEqual([fake.calls[1]?.outcome, fake.calls[1]?.billed.completionTokens], ['aborted', 20]);
  await fake.close();
});

test('as its own process it takes scripts over HTTP and keeps a record', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'fake-'));
  const file = join(folder, 'record.jsonl');
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, 'fake-upstream.ts'), '--port', '0', '--record', file],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const { baseUrl, port } = JSON.parse(String(await new Promise(resolve => child.stdout.once('data', resolve))));
  await fetch(`http://127.0.0.1:${port}/_fake/script`, {
    method: 'PUT',
    body: '{"m":{"status":529,"retryAfter":"7"}}',
  });
  const answer = await ask(baseUrl, { model: 'm' });
  assert.deepEqual([answer.status, answer.headers.get('retry-after')], [529, '7']);
  await answer.text();
  const seen = await (await fetch(`http://127.0.0.1:${port}/_fake/calls`)).text();
  assert.equal(JSON.parse(seen)[0].outcome, 'complete');
  const closed = new Promise(resolve => child.once('close', resolve));
  child.kill('SIGKILL');
  await closed;
  const lines = readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map(line => JSON.parse(line));
  assert.deepEqual(
    lines.map(line => [line.event, line.model, line.outcome]),
    [
      ['call', 'm', 'running'],
      ['end', 'm', 'complete'],
    ],
  );
  await rm(folder, { recursive: true });
});
