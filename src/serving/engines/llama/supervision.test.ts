import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { backoffMs, CRASH_BACKOFF } from './backoff.ts';
import { openSocketFolder } from './socket-path.ts';

test('back-off doubles up to its cap, with the upper half random', () => {
  const at = (random: number) => [1, 2, 3, 8, 100].map(failures => backoffMs(CRASH_BACKOFF, failures, random));
  assert.deepEqual(at(0), [125, 250, 500, 15_000, 15_000]);
  assert.deepEqual(at(1), [250, 500, 1_000, 30_000, 30_000]);
});

test('socket paths fit into a socket address, and are stable and distinct', () => {
  using near = openSocketFolder('/tmp/home/run');
  assert.equal(dirname(near.pathOf('a')), '/tmp/home/run');
  assert.equal(near.pathOf('a'), near.pathOf('a'));
  assert.notEqual(near.pathOf('a'), near.pathOf('b'));
  const deep = join('/tmp', 'd'.repeat(120));
  using far = openSocketFolder(deep);
  assert.ok(Buffer.byteLength(far.pathOf('x'.repeat(500))) < 104);
  assert.ok(!far.pathOf('a').startsWith(deep));
  rmSync(deep, { recursive: true, force: true });
});
