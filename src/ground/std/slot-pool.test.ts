import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createSlotPool } from './slot-pool.ts';

function pool(rows: number) {
  const state = { nowMs: 0, busy: new Set<number>() };
  const clock = { nowMs: () => state.nowMs, monotonicMs: () => state.nowMs };
  return { state, slots: createSlotPool({ rows, restMs: 100, clock, isIdle: slot => !state.busy.has(slot) }) };
}

test('a row rests before another gets it', () => {
  const { state, slots } = pool(2);
  assert.deepEqual([slots.take(), slots.take(), slots.take()], [0, 1, undefined]);
  slots.release(0);
  state.nowMs = 99;
  assert.equal(slots.hasFree(), false);
  assert.equal(slots.take(), undefined);
  state.nowMs = 100;
  assert.equal(slots.hasFree(), true);
  assert.equal(slots.take(), 0);
});

test('a row that is still counted in is passed over', () => {
  const { state, slots } = pool(2);
  slots.take();
  slots.take();
  slots.release(0);
  slots.release(1);
  state.busy.add(0);
  state.nowMs = 500;
  assert.deepEqual([slots.take(), slots.take()], [1, undefined]);
  state.busy.clear();
  assert.equal(slots.take(), 0);
});

test('no row is ever handed to two, nor handed on before its rest', () => {
  const steps = fc.array(fc.oneof(fc.constant('take' as const), fc.nat(20)), { maxLength: 200 });
  fc.assert(
    fc.property(steps, list => {
      const { state, slots } = pool(5);
      const held = new Set<number>();
      const releasedMs = new Map<number, number>();
      for (const step of list) {
        state.nowMs += 7;
        if (step === 'take') {
          const slot = slots.take();
          if (slot === undefined) continue;
          assert.ok(!held.has(slot) && slot >= 0 && slot < 5);
          assert.ok(state.nowMs - (releasedMs.get(slot) ?? -1_000) >= 100);
          held.add(slot);
        } else {
          const slot = [...held][step % Math.max(1, held.size)];
          if (slot === undefined) continue;
          held.delete(slot);
          releasedMs.set(slot, state.nowMs);
          slots.release(slot);
        }
      }
    }),
  );
});
