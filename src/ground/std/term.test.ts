import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSlots } from './slots.ts';
import { openTerm } from './term.ts';

test('a term is over when either clock is past it, on every thread, and before it was first extended', () => {
  const { term: shared } = createSlots();
  const at = { wallMs: 1_000_000, bootMs: 5_000 };
  const open = () => openTerm(shared, { nowMs: () => at.wallMs, bootMs: () => at.bootMs });
  const [main, gateway] = [open(), open()];
  assert.equal(gateway.holds(), false);
  main.extend(main.now(), 1_000);
  assert.equal(gateway.holds(), true);
  // A process that stood still: both went on. A machine that was suspended: the wall clock alone.
  for (const passed of [
    { wallMs: 1_000, bootMs: 1_000 },
    { wallMs: 1_000, bootMs: 0 },
    { wallMs: 0, bootMs: 1_000 },
  ]) {
    const from = main.now();
    main.extend(from, 1_000);
    assert.equal(gateway.holds(), true);
    at.wallMs += passed.wallMs;
    at.bootMs += passed.bootMs;
    assert.equal(gateway.holds(), false, JSON.stringify(passed));
    main.extend(from, 1_000);
    assert.equal(gateway.holds(), false, 'it counts from before the database was asked');
    main.extend(main.now(), 1_000);
    assert.equal(gateway.holds(), true);
  }
  at.wallMs -= 10_000;
  assert.equal(gateway.holds(), true, 'a wall clock that steps back ends nothing');
});
