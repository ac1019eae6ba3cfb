// Weights that llama.cpp cannot load beside some that it can: said at once and everywhere, and no hindrance to the others.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { modelListSchema } from '@millrace/contract';
import { newHome, startServer, type TestServer } from './support/server.ts';

const NANO = resolve(import.meta.dirname, '../models/nano/millrace-nano.gguf');
const { home, remove } = newHome();
let server: TestServer;
let key = '';

before(async () => {
  server = await startServer(home);
  key = server.firstKey ?? '';
  const odd = `${home}-odd.gguf`;
  // Whole, by its head, of an architecture that no engine knows.
  const bytes = readFileSync(NANO).toString('latin1').replaceAll('llama.', 'llamz.');
  writeFileSync(odd, bytes.replace('\x05\0\0\0\0\0\0\0llama', '\x05\0\0\0\0\0\0\0llamz'), 'latin1');
  const file = `${home}-odd.yaml`;
  writeFileSync(
    file,
    `models:
  - id: odd
    prices: [{ currency: CNY, inputPerM: "0", outputPerM: "0" }, { currency: USD, inputPerM: "0", outputPerM: "0" }]
    deployments: [{ id: odd-1, engine: { file: ${JSON.stringify(odd)} } }]
`,
  );
  const applied = await server.cli('apply', '-f', file);
  assert.equal(applied.code, 0, applied.err);
});
after(async () => {
  await server?.signal('SIGKILL');
  remove();
});

const ask = (model: string, more: object = {}) =>
  fetch(`${server.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}` },
    body: JSON.stringify({ model, messages: [{ role: 'user', content: 'What is 1 + 2?' }], ...more }),
  });
const ready = async () => {
  const response = await fetch(`${server.url}/readyz`);
  return { status: response.status, text: await response.text() };
};
const deployment = async (id: string) =>
  modelListSchema.parse((await server.cli('model', 'list')).json).models.find(model => model.id === id)?.deployments[0];

async function failed(): Promise<void> {
  while (!(await ready()).text.includes('"alarms":["engine_failed:odd-1"]')) await sleep(100);
}

test('a model that cannot be loaded: its state and reason, a clear answer at once, and a node that is ready', async () => {
  await failed();
  const odd = await deployment('odd');
  assert.equal(odd?.state, 'failed');
  assert.match(odd?.reason ?? '', /llamz/);
  const response = await ask('odd');
  assert.equal(response.status, 503);
  assert.ok(Number(response.headers.get('retry-after')) >= 10);
  assert.match(
    await response.text(),
    /"message":"The engine of this model failed .*"code":"unavailable"|"code":"unavailable".*The engine of this model failed/,
  );
  const { status, text } = await ready();
  assert.deepEqual([status, JSON.parse(text).reasons, JSON.parse(text).alarms], [200, [], ['engine_failed:odd-1']]);
});

test('the models beside it serve; what an engine could not do as asked comes through as a header', async () => {
  const plain = await ask('millrace-nano');
  assert.equal(plain.status, 200, await plain.text());
  assert.equal(plain.headers.get('x-millrace-tools'), null);
  const tools = [{ type: 'function', function: { name: 'add' } }];
  for (const stream of [false, true]) {
    const told = await ask('millrace-nano', { tools, stream });
    assert.equal(told.status, 200, await told.text());
    assert.match(told.headers.get('x-millrace-tools') ?? '', /not offered/);
  }
});

test('a start does not wait for it, and a node that has nothing else is not ready, and says why', async () => {
  assert.equal(await server.signal('SIGTERM'), 0);
  server = await startServer(home);
  await failed();
  assert.equal((await ready()).status, 200);
  assert.equal((await server.cli('model', 'remove', 'millrace-nano')).code, 0);
  const { status, text } = await ready();
  assert.deepEqual([status, JSON.parse(text).reasons], [503, ['engine_failed:odd-1']]);
});
