import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shareBatch } from './load-engine.ts';
import { createStepper } from './stepper.ts';

const items = (...lengths: number[]) => lengths.map(length => ({ tokens: new Array<number>(length).fill(0) }));

test('a batch gives everyone a token, and the rest to prompts in their order', () => {
  const amounts = (size: number, ...lengths: number[]) =>
    shareBatch(items(...lengths), size).map(item => item.processAmount);
  assert.deepEqual(amounts(512, 1, 1, 300), [1, 1, 300]);
  assert.deepEqual(amounts(512, 1, 600, 400), [1, 510, 1]);
  assert.deepEqual(amounts(4, 1, 1, 1, 1), [1, 1, 1, 1]);
  assert.deepEqual(amounts(8, 3, 9), [3, 5]);
});

test('steps go in rounds: who comes during one is in the next, and a failed one ends it too', async () => {
  const step = createStepper();
  const seen: string[] = [];
  const first = Promise.withResolvers<void>();
  const one = step(async () => {
    seen.push('one');
    await first.promise;
  });
  const two = step(() => Promise.reject(new Error('two')));
  await assert.rejects(two, /two/);
  const late = [3, 4].map(name => step(async () => void seen.push(String(name))));
  await new Promise(setImmediate);
  await new Promise(setImmediate);
  assert.deepEqual(seen, ['one']);
  first.resolve();
  await Promise.all([one, ...late]);
  assert.deepEqual(seen, ['one', '3', '4']);
});
