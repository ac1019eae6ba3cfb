import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const MAIN = join(import.meta.dirname, 'main.ts');

/** The real process; `stdout` is where its answer goes. */
function run(line: readonly string[], stdout: 'pipe' | number) {
  const child = spawn(process.execPath, [MAIN, ...line], {
    env: { ...process.env, MILLRACE_LANG: 'en' },
    stdio: ['ignore', stdout, 'pipe'],
  });
  let err = '';
  child.stderr?.on('data', chunk => {
    err += chunk;
  });
  const ended = new Promise<number | null>(done => child.once('close', done));
  return { child, ended: ended.then(code => ({ code, err })) };
}

test('a reader that has seen enough is no failure', async () => {
  const { child, ended } = run(['plan', 'case', 'all', '--json'], 'pipe');
  child.stdout?.once('data', () => child.stdout?.destroy());
  assert.deepEqual(await ended, { code: 0, err: '' });
  const gone = run(['help'], 'pipe');
  gone.child.stdout?.destroy();
  assert.deepEqual(await gone.ended, { code: 0, err: '' });
});

test('an answer that cannot be written is one', async t => {
  if (!existsSync('/dev/full')) return t.skip('there is no /dev/full');
  const full = openSync('/dev/full', 'w');
  const { code, err } = await run(['help'], full).ended;
  closeSync(full);
  assert.equal(code, 1);
  assert.match(err, /^stdout: ENOSPC.*\n$/);
});
