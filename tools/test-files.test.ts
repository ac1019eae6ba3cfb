import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

const RUNNER = join(import.meta.dirname, 'test-files.mjs');

function run(files: Readonly<Record<string, string>>) {
  const folder = mkdtempSync(join(tmpdir(), 'mr-tests-'));
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    // A runner that is told to be part of another's run reports to that one.
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const done = spawnSync(process.execPath, [RUNNER, '*.test.mjs'], { cwd: folder, env, encoding: 'utf8' });
    return { status: done.status, out: done.stdout + done.stderr };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const GOOD =
  "import { test } from 'node:test'; test('one', () => {}); test('later', { todo: true }, () => { throw 1; });";
const BAD =
  "import { describe, test } from 'node:test'; describe('all', () => { test('two', () => { throw new Error('no two'); }); });";

test('files run side by side; each is said as it ends, a failure with its place, and the counts at the end', () => {
  const { status, out } = run({ 'a.test.mjs': GOOD, 'b.test.mjs': BAD, 'c.test.mjs': "throw new Error('no file');" });
  assert.equal(status, 1);
  for (const number of [1, 2, 3])
    assert.match(out, new RegExp(`^[✔✖] \\[${number}/3, [\\d.]+ s\\] [abc]\\.test\\.mjs`, 'm'));
  assert.match(out, /^✔ .*a\.test\.mjs/m);
  assert.match(out, /^✖ .*b\.test\.mjs/m);
  assert.match(out, /^✖ two \(.*b\.test\.mjs:1, .*\)\n +Error: no two/m);
  assert.match(out, /Error: no file/);
  assert.match(out, /^ℹ fail 2$/m);
});

test('what passes exits with 0; no file at all is a failure', () => {
  const { status, out } = run({ 'a.test.mjs': GOOD });
  assert.equal(status, 0, out);
  assert.match(out, /^ℹ pass 1$/m);
  assert.equal(run({}).status, 1);
});
