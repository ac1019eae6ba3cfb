import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createDeadlines, type Deadlined } from './deadlines.ts';

const TICK_MS = 20;

function setUp() {
  const clock = { now: 1_000, nowMs: () => 0, monotonicMs: () => clock.now };
  const deadlines = createDeadlines(clock);
  const fired: [string, number][] = [];
  const entry = (name: string, dueMs: number): Deadlined & { due: number } => {
    const made = {
      due: dueMs,
      dueMs: () => made.due,
      onDue: (nowMs: number) => void fired.push([name, nowMs]),
      wheelPrevious: undefined,
      wheelNext: undefined,
      wheelTicks: -1,
      wheelLate: false,
    };
    return made;
  };
  const walk = (untilMs: number, step = TICK_MS) => {
    while (clock.now < untilMs) {
      clock.now += step;
      deadlines.tick();
    }
  };
  return { clock, deadlines, fired, entry, walk };
}

test('each is due once, never early, at most two ticks late, however far off', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 60_000 }), { maxLength: 40 }), delays => {
      const { deadlines, fired, entry, walk } = setUp();
      for (const [index, delay] of delays.entries()) deadlines.add(entry(String(index), 1_000 + delay));
      walk(62_000);
      assert.equal(fired.length, delays.length);
      for (const [name, at] of fired) {
        const late = at - 1_000 - (delays[Number(name)] ?? 0);
        assert.ok(late >= 0 && late <= 3 * TICK_MS, `${late} ms late`);
      }
      deadlines.close();
    }),
    { numRuns: 30 },
  );
});

test('a deadline that moves on is not met; one that was taken out neither', () => {
  const { deadlines, fired, entry, walk } = setUp();
  const [moved, removed, kept] = [entry('moved', 1_100), entry('removed', 1_100), entry('kept', 1_100)];
  for (const each of [moved, removed, kept]) deadlines.add(each);
  moved.due = 5_000;
  deadlines.remove(removed);
  deadlines.remove(removed);
  walk(4_900);
  assert.deepEqual(
    fired.map(([name]) => name),
    ['kept'],
  );
  walk(5_100);
  assert.equal(fired.at(-1)?.[0], 'moved');
  deadlines.close();
});

test('after the thread stood still, what can be saved gets one round of the event loop', () => {
  const { clock, deadlines, fired, entry } = setUp();
  const [saved, lost] = [entry('saved', 1_100), entry('lost', 1_100)];
  deadlines.add(saved);
  deadlines.add(lost);
  clock.now = 30_000;
  deadlines.tick();
  assert.equal(fired.length, 0);
  // The bytes that waited in its socket have been read meanwhile.
  saved.due = 60_000;
  clock.now += 2 * TICK_MS;
  deadlines.tick();
  assert.deepEqual(
    fired.map(([name]) => name),
    ['lost'],
  );
  deadlines.close();
});

test('an entry may add and remove others when it is due', () => {
  const { deadlines, fired, entry, walk } = setUp();
  const other = entry('other', 1_100);
  const first = entry('first', 1_100);
  const again = entry('again', 1_100);
  first.onDue = nowMs => {
    fired.push(['first', nowMs]);
    deadlines.remove(other);
    deadlines.add(again);
  };
  deadlines.add(first);
  deadlines.add(other);
  walk(1_400);
  assert.deepEqual(
    fired.map(([name]) => name),
    ['first', 'again'],
  );
  deadlines.close();
});

test('a deadline that moves nearer is met when the wheel is told', () => {
  const { deadlines, fired, entry, walk } = setUp();
  const moved = entry('moved', 50_000);
  deadlines.add(moved);
  walk(1_200);
  moved.due = 1_300;
  deadlines.nearer(moved);
  walk(1_400);
  assert.equal(fired.length, 1);
  deadlines.nearer(moved);
  walk(1_600);
  assert.equal(fired.length, 1);
  deadlines.close();
});

test('an idle wheel still knows the time', () => {
  const { clock, deadlines } = setUp();
  clock.now = 99_000;
  assert.equal(deadlines.nowMs, 99_000);
});
