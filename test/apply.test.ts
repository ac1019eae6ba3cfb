// A configuration that changes under running requests: what was agreed at admission holds, and nothing is cut off.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { applyResultSchema, modelListSchema } from '@millrace/contract';
import { type FakeUpstream, startFakeUpstream } from './support/fake-upstream.ts';
import { exampleConfig, newHome, startServer, type TestServer } from './support/server.ts';

const { home, remove } = newHome();
let upstream: FakeUpstream;
let server: TestServer;
let key = '';

before(async () => {
  upstream = await startFakeUpstream();
  server = await startServer(home);
  const applied = await server.cli('apply', '-f', exampleConfig(home, upstream.baseUrl));
  assert.equal(applied.code, 0, applied.err);
  key = (await server.cli('key', 'create', '--org', 'acme', '--project', 'web')).json['key'] ?? '';
});
after(async () => {
  await server?.signal('SIGKILL');
  await upstream?.close();
  remove();
});

/** A model with one deployment, as a file of its own. */
function document(name: string, { outputPerM, deployment }: { outputPerM: string; deployment: string }): string {
  const file = `${home}-${name}.yaml`;
  writeFileSync(
    file,
    `models:
  - id: mock-1
    prices: [{ currency: CNY, inputPerM: "4", outputPerM: "${outputPerM}" }]
    deployments: [{ id: ${deployment}, provider: mock, upstreamModel: mock-1 }]
`,
  );
  return file;
}
const ask = () =>
  fetch(`${server.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}` },
    body: JSON.stringify({ model: 'mock-1', stream: true, messages: [{ role: 'user', content: 'Hi' }] }),
  });
const lastLine = async () => (await server.cli('usage', '--org', 'acme', '--limit', '1')).json['lines']?.[0];

test('a stream is charged by the price of its admission, and survives its deployment', async () => {
  upstream.script('mock-1', { tokens: 60, intervalMs: 20, promptTokens: 10 });
  const running = await ask();
  const applied = await server.cli('apply', '-f', document('new', { outputPerM: '32', deployment: 'mock-1-b' }));
  assert.equal(applied.code, 0, applied.err);
  const actions = applyResultSchema.parse(applied.json).changes.map(({ action, id }) => `${action} ${id}`);
  assert.deepEqual(actions, ['changed mock-1', 'created mock-1-b', 'removed mock-1-a']);
  assert.match(await running.text(), /x-millrace-cost CNY 0\.001\n\n/);
  upstream.script('mock-1', { tokens: 60, promptTokens: 10 });
  assert.match(await (await ask()).text(), /x-millrace-cost CNY 0\.00196\n\n/);
  assert.deepEqual([(await lastLine())?.['amount'], (await lastLine())?.['deploymentId']], ['0.00196', 'mock-1-b']);
});

test('documents that are applied at once are applied one after the other, each whole', async () => {
  const files = ['1', '2', '3', '4'].map(n => document(`p${n}`, { outputPerM: n, deployment: `mock-1-${n}` }));
  const stop = new AbortController();
  const load = (async () => {
    const statuses = new Set<number>();
    while (!stop.signal.aborted) {
      const answer = await ask();
      statuses.add(answer.status);
      await answer.text();
    }
    return statuses;
  })();
  const applied = await Promise.all(files.map(file => server.cli('apply', '-f', file)));
  stop.abort();
  assert.deepEqual(
    applied.map(({ code }) => code),
    [0, 0, 0, 0],
  );
  assert.deepEqual(await load, new Set([200]), 'no request met a model in between');
  const { models } = modelListSchema.parse((await server.cli('model', 'list')).json);
  const model = models.find(({ id }) => id === 'mock-1');
  assert.equal(
    model?.deployments[0]?.id,
    `mock-1-${model?.prices[0]?.outputPerM}`,
    'price and deployment of one document',
  );
  assert.equal((await server.cli('ledger', 'verify')).code, 0);
});
