import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { crashRounds, NAMED, ROUNDS_MIN } from './crash/rounds.ts';

test('every point that is in the code is one at which the server is killed, or one at which a throw is injected', () => {
  const src = resolve(import.meta.dirname, '../src');
  const found = readdirSync(src, { recursive: true, encoding: 'utf8' })
    .filter(file => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .flatMap(file => [...readFileSync(join(src, file), 'utf8').matchAll(/crashPoint\('([^']+)'\)/g)])
    .map(([, name]) => name);
  assert.deepEqual([...new Set(found)].toSorted(), NAMED.toSorted());
});

test('killed in each way once, the books stay right (short form of npm run test:crash)', async () => {
  const scale = { streams: 40, pauseMs: 1_000, kills: 1 };
  const report = await crashRounds({ rounds: ROUNDS_MIN, seed: 7, scale, say: () => {} });
  assert.deepEqual(report.failures, [], JSON.stringify(report));
  assert.ok(report.acknowledged > 200 && report.recovered > 10, JSON.stringify(report));
});
