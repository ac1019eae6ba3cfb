// `.ci/run` in a folder of its own, with an npm that does what it is told.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

const HANGS = 'echo "ℹ pass 3"; sleep 1000';

for (const [name, tests, closing, status] of [
  ['all that passes', 'echo "ℹ pass 3"; echo "ℹ fail 0"', '8 passed, 0 failed', 0],
  ['a test that fails', 'echo "ℹ pass 3"; echo "ℹ fail 2"; exit 1', '8 passed, 2 failed', 1],
  ['a runner that dies', 'exit 1', '5 passed, 1 failed', 1],
  ['a runner that hangs', HANGS, '8 passed, 1 failed', 1],
] as const)
  test(`the checks end with their count: ${name}`, { skip: process.platform !== 'linux' }, () => {
    const root = mkdtempSync(join(tmpdir(), 'mr-ci-'));
    try {
      mkdirSync(join(root, '.ci'));
      mkdirSync(join(root, 'bin'));
      cpSync(join(import.meta.dirname, '../.ci/run'), join(root, '.ci/run'));
      writeFileSync(join(root, 'bin/npm'), `#!/bin/sh\n[ "$1" = test ] || exit 0\n${tests}\n`);
      chmodSync(join(root, 'bin/npm'), 0o755);
      const env = {
        PATH: `${join(root, 'bin')}:${process.env['PATH']}`,
        ...(tests === HANGS && { MILLRACE_TESTS_S: '1' }),
      };
      const done = spawnSync('bash', ['.ci/run'], { cwd: root, env, encoding: 'utf8' });
      assert.equal(done.stdout.trim().split('\n').at(-1), closing);
      assert.equal(done.status, status);
    } finally {
      rmSync(root, { recursive: true });
    }
  });
