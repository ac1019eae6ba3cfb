// Python's official client, unmodified, against the real server and the built-in model. What it checks stands in python/client.py.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
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
  for (const [where, code] of await writtenPython(server.url, server.firstKey ?? ''))
    await t.test(`what ${where} says to run runs`, () => {
      const env = { ...process.env, PYTHONUTF8: '1', MILLRACE_KEY: server.firstKey ?? '' };
      const { stdout, stderr } = spawnSync(found.python, ['-c', code], { encoding: 'utf8', env });
      assert.match(stdout, /\b85\b/, stderr);
    });
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

/** The Python that people copy from us; the READMEs name an address and a key to be replaced. */
async function writtenPython(url: string, key: string): Promise<readonly (readonly [where: string, code: string])[]> {
  const found: [where: string, code: string][] = [];
  for (const file of ['README.md', 'README.zh.md']) {
    const text = readFileSync(resolve(import.meta.dirname, '..', file), 'utf8');
    for (const [, code = ''] of text.matchAll(/^```python\n(.*?)^```$/gms))
      found.push([file, code.replace('http://127.0.0.1:8080', url).replace('mr_live_…', key)]);
  }
  for (const lang of ['en', 'zh']) {
    const page = await (await fetch(`${url}/?lang=${lang}`)).text();
    const code = /<pre># pip install openai(.*?)<\/pre>/s.exec(page)?.[1] ?? '';
    found.push([
      `the page (${lang})`,
      code.replaceAll('&quot;', '"').replaceAll('&#39;', "'").replaceAll('&amp;', '&'),
    ]);
  }
  assert.equal(found.length, 4);
  return found;
}
