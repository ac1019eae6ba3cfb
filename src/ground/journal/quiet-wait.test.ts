import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { createQuietWait } from './quiet-wait.ts';

test('what waits leaves after a turn that added nothing, and at the latest after six', async () => {
  let held = 1;
  let sent = 0;
  const begin = createQuietWait(
    () => held,
    () => {
      sent = held;
      held = 0;
    },
  );
  /** Sizes at which it was sent, when so many turns each add one. */
  const after = async (turns: number) => {
    held = 1;
    sent = 0;
    begin();
    for (let count = 0; sent === 0; count++) {
      if (count < turns) held++;
      await turn();
    }
    return sent;
  };
  assert.equal(await after(0), 1);
  assert.equal(await after(3), 4);
  assert.equal(await after(100), 7, 'the one that began, and one of each of six turns');
});
