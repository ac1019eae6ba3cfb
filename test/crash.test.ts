import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crashRounds, POINTS } from './crash/rounds.ts';

test('killed at random and at every named point, the books stay right (short form)', async () => {
  const report = await crashRounds({ rounds: POINTS.length + 1, seed: 7, points: POINTS, say: () => {} });
  assert.deepEqual(report.failures, [], JSON.stringify(report));
  assert.ok(report.acknowledged > 50, JSON.stringify(report));
});
