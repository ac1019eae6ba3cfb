import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { JOBS_SCHEMA } from '../src/ground/jobs/index.ts';
import { openStore } from '../src/ground/store/index.ts';

const CHILD = resolve(import.meta.dirname, 'support/jobs-child.ts');

async function runChild(file: string, dieAt: number): Promise<unknown> {
  const child = spawn(process.execPath, [CHILD, file, String(dieAt)], { stdio: ['ignore', 'ignore', 'inherit'] });
  const [, signal] = await once(child, 'exit');
  return signal;
}

test('killed at each moment of a job, each of its effects is there once', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'mr-jobs-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  // Killed at its first moment, then one later each time: every moment is met, with and without a checkpoint before it.
  for (let first = 1; first <= 2; first++) {
    const file = join(folder, `${first}.db`);
    let kills = 0;
    for (let dieAt = first; ; dieAt++) {
      if ((await runChild(file, dieAt)) !== 'SIGKILL') break;
      kills++;
      assert.ok(kills < 40);
    }
    await using store = await openStore({ file, rooms: [JOBS_SCHEMA] });
    const rows = await store.db.selectFrom('revisions').select(['name', 'value']).orderBy('name').execute();
    assert.deepEqual(
      rows.map(({ name, value }) => [name, value]),
      ['end', 'step 0', 'step 1', 'step 2'].map(name => [name, 1n]),
    );
    assert.ok(kills >= 2, `${kills} kills`);
  }
});
