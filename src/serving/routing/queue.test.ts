// Whose turn a free place is: one queue alone, and several that share their turns as threads do.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { createSlots, every, Fault, openSlots } from '../../ground/std/index.ts';
import {
  createPlaceQueue,
  createTurnCells,
  enter,
  openTurns,
  type Place,
  type PlaceQueue,
  type Target,
} from './index.ts';

const opened: PlaceQueue<Target>[] = [];
after(() => {
  for (const queue of opened) queue.close();
});

const A: Target = { slot: 1, concurrency: 1, priority: 0, weight: 1, embedded: false };
const B: Target = { ...A, slot: 2 };

/** So many queues over the same loads and turns, and a clock that stands. */
function open(threads = 1) {
  const loads = openSlots(createSlots()).deployments;
  const cells = createTurnCells();
  const at = { ms: 1_000_000 };
  const clock = { nowMs: () => at.ms, monotonicMs: () => at.ms };
  const queues = Array.from({ length: threads }, () =>
    createPlaceQueue<Target>({ loads, turns: openTurns(cells), clock, every }),
  );
  opened.push(...queues);
  const [queue] = queues;
  assert.ok(queue);
  const served: string[] = [];
  const refused: (string | undefined)[] = [];
  const wait = (
    name: string,
    more: {
      tenant?: number;
      cost?: number;
      weight?: number;
      targets?: readonly Target[];
      on?: PlaceQueue<Target>;
    } = {},
  ): Place =>
    (more.on ?? queue).wait({
      ...{ tenant: 1, cost: 100, weight: 1, targets: [A] },
      ...more,
      granted: target => served.push(more.targets && more.targets.length > 1 ? `${name}@${target.slot}` : name),
      refused: fault => refused.push(`${name}: ${fault.code}`),
    });
  return { loads, at, queues, queue, served, refused, wait };
}

/** Fills the place, then gives it back until nobody waits. */
function drain({ queue, served }: ReturnType<typeof open>, times: number, target = A) {
  for (let time = 0; time < times; time += 1) queue.giveBack(target, undefined);
  return served;
}

test('a free place is taken at once, but not past one who waits', () => {
  const it = open();
  assert.equal(it.queue.tryTake([A]), A);
  assert.equal(it.queue.tryTake([A]), undefined);
  it.wait('first');
  it.loads.set(A.slot, 'inFlight', 0);
  assert.equal(it.queue.tryTake([A]), undefined);
  assert.equal(it.queue.tryTake([A, B]), B);
});

test('one tenant’s requests in the order in which they came', () => {
  const it = open();
  it.queue.tryTake([A]);
  for (const name of ['1', '2', '3', '4']) it.wait(name, { cost: 500 - 100 * Number(name) });
  assert.deepEqual(drain(it, 4), ['1', '2', '3', '4']);
});

test('who asks for much waits for itself: two tenants take turns by cost', () => {
  const it = open();
  it.queue.tryTake([A]);
  for (const name of ['a1', 'a2', 'a3', 'a4']) it.wait(name, { tenant: 1 });
  for (const name of ['b1', 'b2']) it.wait(name, { tenant: 2 });
  assert.deepEqual(drain(it, 6), ['a1', 'b1', 'a2', 'b2', 'a3', 'a4']);
});

test('a costly request counts for more, a greater weight makes it count for less', () => {
  const costly = open();
  costly.queue.tryTake([A]);
  for (const name of ['a1', 'a2']) costly.wait(name, { tenant: 1, cost: 300 });
  for (const name of ['b1', 'b2', 'b3', 'b4']) costly.wait(name, { tenant: 2, cost: 100 });
  assert.deepEqual(drain(costly, 6), ['a1', 'b1', 'b2', 'b3', 'a2', 'b4']);
  const heavy = open();
  heavy.queue.tryTake([A]);
  for (const name of ['a1', 'a2', 'a3', 'a4']) heavy.wait(name, { tenant: 1, weight: 3 });
  for (const name of ['b1', 'b2']) heavy.wait(name, { tenant: 2 });
  // Three of it for one of the other.
  assert.deepEqual(drain(heavy, 6), ['a1', 'b1', 'a2', 'a3', 'a4', 'b2']);
});

test('a tenant that comes back has no credit for its time away', () => {
  const it = open();
  it.queue.tryTake([A]);
  for (let time = 0; time < 20; time += 1) it.wait(`a${time}`, { tenant: 1 });
  drain(it, 20);
  it.served.length = 0;
  for (const name of ['a', 'a', 'a']) it.wait(name, { tenant: 1 });
  for (const name of ['b', 'b', 'b']) it.wait(name, { tenant: 2 });
  assert.equal(drain(it, 6).join(''), 'bababa');
});

test('who left is not served, and its tenant has not paid for it', () => {
  const it = open();
  it.queue.tryTake([A]);
  const gone = Array.from({ length: 20 }, (_, index) => it.wait(`gone${index}`, { tenant: 1 }));
  for (const place of gone) place.cancel();
  gone[0]?.cancel();
  assert.equal(it.loads.get(A.slot, 'waiting'), 0);
  for (const name of ['b1', 'b2', 'b3']) it.wait(name, { tenant: 2 });
  it.wait('a1', { tenant: 1 });
  const order = drain(it, 4);
  assert.ok(order.indexOf('a1') <= 1, order.join(' '));
});

test('a place goes only to who wants that target, and the first of others does not stand in the way', () => {
  const it = open();
  it.queue.tryTake([A]);
  it.queue.tryTake([B]);
  it.wait('only A', { tenant: 1 });
  it.wait('only B', { tenant: 2, targets: [B] });
  it.wait('either', { tenant: 3, targets: [A, B] });
  it.queue.giveBack(B, undefined);
  assert.deepEqual(it.served, ['only B']);
  it.queue.giveBack(B, undefined);
  assert.deepEqual(it.served, ['only B', 'either@2']);
  it.queue.giveBack(A, undefined);
  assert.deepEqual(it.served, ['only B', 'either@2', 'only A']);
  for (const { slot } of [A, B]) assert.equal(it.loads.get(slot, 'waiting'), 0);
});

test('a target that closed meanwhile, or asked to be left alone, is not granted', () => {
  const it = open();
  it.queue.tryTake([A]);
  it.wait('waits');
  it.loads.set(A.slot, 'closedUntilS', it.at.ms / 1000 + 5);
  it.queue.giveBack(A, undefined);
  assert.deepEqual(it.served, []);
  it.loads.set(A.slot, 'busyUntilS', it.at.ms / 1000 + 9);
  it.at.ms += 5_000;
  assert.equal(enter(A, it.loads, it.at.ms), false);
  it.at.ms += 4_000;
  it.loads.add(A.slot, 'inFlight', 1);
  it.queue.giveBack(A, undefined);
  assert.deepEqual(it.served, ['waits']);
});

test('the estimate: one place per duration and concurrency; beyond the bound it is said at once', () => {
  const it = open();
  const two = { ...A, concurrency: 2 };
  it.loads.set(A.slot, 'durationMs', 4_000);
  for (const expected of [2_000, 4_000, 6_000]) assert.equal(it.wait('x', { targets: [two] }).report().etaMs, expected);
  for (let time = 0; time < 12; time += 1) it.wait('x', { targets: [two] });
  assert.throws(
    () => it.wait('x', { targets: [two] }),
    (error: unknown) => error instanceof Fault && error.code === 'capacity' && error.details.retryAfterMs === 32_000,
  );
});

test('positions are those in which they are served', () => {
  const it = open();
  it.queue.tryTake([A]);
  const places = new Map<string, Place>();
  for (const name of ['a1', 'a2', 'a3', 'a4']) places.set(name, it.wait(name, { tenant: 1 }));
  for (const name of ['b1', 'b2']) places.set(name, it.wait(name, { tenant: 2 }));
  it.at.ms += 1_000;
  const told = [...places].map(([name, place]) => ({ name, position: place.report().position }));
  const order = drain(it, 6);
  assert.deepEqual(
    told.toSorted((a, b) => a.position - b.position).map(({ name }) => name),
    order,
  );
  assert.deepEqual(told.map(({ position }) => position).toSorted(), [1, 2, 3, 4, 5, 6]);
});

test('threads share the turns: the least served goes first, on whichever it waits', () => {
  const it = open(2);
  const [one, other] = it.queues;
  assert.ok(one && other);
  one.tryTake([A]);
  for (const name of ['a1', 'a2', 'a3']) it.wait(name, { tenant: 1, on: one });
  for (const name of ['b1', 'b2', 'b3']) it.wait(name, { tenant: 2, on: other });
  for (let time = 0; time < 6; time += 1) {
    // A place comes back on either thread; each looks whether it is its turn.
    (time % 2 === 0 ? one : other).giveBack(A, undefined);
    const [mine, theirs] = time % 2 === 0 ? [other, one] : [one, other];
    for (const queue of [mine, theirs]) {
      it.loads.add(A.slot, 'inFlight', 1);
      queue.giveBack(A, undefined);
    }
  }
  assert.equal(it.served.length, 6);
  for (let count = 1; count <= 3; count += 1) {
    const pair = it.served.slice(2 * count - 2, 2 * count).map(name => name[0]);
    assert.deepEqual(pair.toSorted(), ['a', 'b'], it.served.join(' '));
  }
});

test('a thread that is stuck holds nobody up', () => {
  const it = open(2);
  const [one, other] = it.queues;
  assert.ok(one && other);
  one.tryTake([A]);
  it.wait('first', { tenant: 2, on: one });
  it.wait('second', { tenant: 2, on: one });
  it.wait('stuck', { tenant: 1, on: other });
  one.giveBack(A, undefined);
  one.giveBack(A, undefined);
  assert.deepEqual(it.served, ['first'], 'the place is left to who is due before');
  it.at.ms += 5_000;
  it.loads.set(A.slot, 'inFlight', 1);
  one.giveBack(A, undefined);
  assert.deepEqual(it.served, ['first', 'second']);
});

test('whatever comes and goes: each is served once or left, no place is lost, none is taken twice', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          tenant: fc.nat(4),
          cost: fc.integer({ min: 1, max: 900 }),
          left: fc.boolean(),
          both: fc.boolean(),
        }),
        { maxLength: 60 },
      ),
      fc.integer({ min: 1, max: 3 }),
      (asks, concurrency) => {
        const it = open();
        const [a, b] = [
          { ...A, concurrency },
          { ...B, concurrency },
        ];
        for (const target of [a, b]) for (let place = 0; place < concurrency; place += 1) it.queue.tryTake([target]);
        it.loads.set(a.slot, 'durationMs', 1);
        it.loads.set(b.slot, 'durationMs', 1);
        const places = asks.map((ask, index) => it.wait(String(index), { ...ask, targets: ask.both ? [a, b] : [a] }));
        for (const [index, { left }] of asks.entries()) if (left) places[index]?.cancel();
        const staying = asks.filter(({ left }) => !left).length;
        for (let time = 0; time < staying + 2 * concurrency; time += 1) {
          if (it.loads.get(a.slot, 'inFlight') > 0) it.queue.giveBack(a, undefined);
          if (it.loads.get(b.slot, 'inFlight') > 0) it.queue.giveBack(b, undefined);
        }
        assert.equal(it.served.length, staying);
        assert.equal(new Set(it.served.map(name => name.split('@')[0])).size, staying);
        for (const { slot } of [a, b]) assert.equal(it.loads.get(slot, 'waiting'), 0);
      },
    ),
    { numRuns: 60 },
  );
});

test('four thousand who wait and ask where they stand: some tens of milliseconds, not most of a second', () => {
  const it = open();
  it.queue.tryTake([A]);
  it.loads.set(A.slot, 'durationMs', 1);
  const places = Array.from({ length: 4_000 }, (_, index) => it.wait(String(index), { tenant: index % 97 }));
  it.at.ms += 1_000;
  const before = process.cpuUsage();
  for (const place of places) place.report();
  for (let time = 0; time < 2_000; time += 1) it.queue.giveBack(A, undefined);
  const { user, system } = process.cpuUsage(before);
  assert.ok(user + system < 200_000, `${user + system} µs`);
  assert.equal(it.served.length, 2_000);
});
