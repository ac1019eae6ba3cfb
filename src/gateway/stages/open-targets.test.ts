import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSlots, ENGINE_FAILED, Fault, openSlots } from '../../ground/std/index.ts';
import { openTargets } from './plan.ts';

const NOW_MS = 1_000_000_000;

/** Why nothing can be asked, with deployments whose engines are in these states; undefined: a vendor that rests for 3 s. */
function refusal(states: readonly (number | undefined)[]): Fault {
  const slots = openSlots(createSlots()).deployments;
  const deployments = states.map((ready, slot) => {
    if (ready === undefined) slots.set(slot, 'closedUntilS', NOW_MS / 1000 + 3);
    else slots.set(slot, 'ready', ready);
    return { slot, embedded: ready !== undefined, weight: 1, priority: 0 };
  });
  try {
    openTargets(deployments, slots, NOW_MS);
  } catch (error) {
    assert.ok(error instanceof Fault);
    return error;
  }
  throw new Error('a target was found');
}

for (const [what, states, seconds, words] of [
  ['failed', [ENGINE_FAILED], 30, /engine .* failed/],
  ['all failed', [ENGINE_FAILED, ENGINE_FAILED], 30, /failed/],
  ['new', [-1], 1, /loading/],
  ['between two lives', [0, ENGINE_FAILED], 1, /loading/],
  ['failed, and a vendor that rests', [ENGINE_FAILED, undefined], 1, /No healthy deployment/],
] as const)
  test(`no target: ${what}`, () => {
    const fault = refusal(states);
    assert.equal(fault.code, 'unavailable');
    assert.equal(fault.details.retryAfterMs, seconds * 1000);
    assert.match(fault.messageIn('en'), words);
    assert.match(fault.messageIn('zh'), /[一-龥]/);
  });
