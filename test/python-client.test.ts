// Python's official client, unmodified, against the real server and the built-in model. What it checks stands in python/client.py.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { z } from 'zod';
import { type Account, openAccount } from './support/account.ts';
import { findPython } from './support/python.ts';
import { newHome, startServer } from './support/server.ts';

const SCRIPT = resolve(import.meta.dirname, 'python/client.py');
const lineSchema = z.object({
  check: z.string(),
  facts: z.record(z.string(), z.string()),
  error: z.string().nullable(),
});

const found = findPython();

test('the Python client', { skip: 'reason' in found && found.reason }, async t => {
  assert.ok('python' in found);
  const { home, remove } = newHome();
  const server = await startServer(home);
  t.after(async () => {
    await server.signal('SIGKILL');
    remove();
  });
  const account = openAccount(home);
  const child = spawn(found.python, [SCRIPT], {
    env: {
      ...process.env,
      PYTHONUTF8: '1',
      BASE_URL: `${server.url}/v1`,
      API_KEY: server.firstKey ?? '',
      POOR_KEY: await account.newKey({ budget: { currency: 'CNY', amount: '0.000001', period: 'day' } }),
      LIMITED_KEY: await account.newKey({ requestsPerMinute: 1 }),
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = new Promise(done => child.once('exit', done));
  const names: string[] = [];
  for await (const text of createInterface({ input: child.stdout })) {
    const { check, facts, error } = lineSchema.parse(JSON.parse(text));
    names.push(check);
    await t.test(check.replaceAll('_', ' '), async () => {
      assert.equal(error, null);
      await FOLLOWING[check]?.(account, facts);
    });
  }
  assert.equal(await exited, 0);
  assert.ok(names.length > 10 && Object.keys(FOLLOWING).every(check => names.includes(check)));
  await t.test('after all of it the books are right', () => account.verify());
});

/** What the client cannot see: how its request was settled. */
const FOLLOWING: Readonly<
  Record<string, (account: Account, facts: Readonly<Record<string, string>>) => Promise<void>>
> = {
  async chat(account, { request_id, amount }) {
    assert.equal((await account.line(request_id)).amount, amount);
  },
  async closed_in_mid_stream(account, { request_id }) {
    await account.settled();
    const line = await account.line(request_id);
    assert.equal(line.outcome, 'client-gone');
    assert.ok(line.outputTokens < 16 * 384);
  },
};
