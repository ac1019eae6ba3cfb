import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { FAULT_CODES } from '@millrace/contract';
import { createSlots, openSlots } from './slots.ts';

test('refusals are counted by code, and seen by all who share the slots', async () => {
  const shared = createSlots();
  const [here, there] = [openSlots(shared).refusals, openSlots(shared).refusals];
  const module = JSON.stringify(new URL('./slots.ts', import.meta.url).href);
  const count = `const { workerData } = require('node:worker_threads');
    import(${module}).then(({ openSlots }) => {
      for (let times = 0; times < 1000; times++) openSlots(workerData).refusals.count('rate_limited');
    });`;
  const workers = [1, 2].map(() => new Worker(count, { eval: true, workerData: shared }));
  await Promise.all(workers.map(worker => new Promise(done => worker.once('exit', done))));
  here.count('storage_full');
  there.count('storage_full');
  const counted: ReadonlyMap<string, bigint> = new Map([
    ['rate_limited', 2_000n],
    ['storage_full', 2n],
  ]);
  for (const code of FAULT_CODES) assert.equal(here.total(code), counted.get(code) ?? 0n, code);
});
