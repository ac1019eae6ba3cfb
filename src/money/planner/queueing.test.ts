import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { unitsWithFailures, waitChance, waitQuantile } from './queueing.ts';

// Erlang C from published tables (ITU-T teletraffic handbook): servers, offered erlangs, chance to wait.
const TABLE: readonly [number, number, number][] = [
  [1, 0.5, 0.5],
  [2, 1, 1 / 3],
  [5, 4, 0.5541],
  [10, 8, 0.4092],
  [100, 90, 0.2169],
];
for (const [servers, offered, expected] of TABLE) {
  test(`Erlang C of ${servers} servers at ${offered} erlangs`, () =>
    assert.ok(Math.abs(waitChance(servers, offered) - expected) < 5e-4, String(waitChance(servers, offered))));
}

test('the heavy-traffic limit continues the exact recursion', () => {
  assert.ok(Math.abs(waitChance(401, 380) / waitChance(400, 379.05) - 1) < 0.05);
  assert.equal(waitChance(10, 10), 1);
  assert.equal(waitChance(10, 0), 0);
});

test('M/M/1 waits as in the textbook, and without end at full load', () => {
  const queue = { servers: 1, arrivalsPerSecond: 0.8, serviceSeconds: 1, arrivalVariation: 1, serviceVariation: 1 };
  assert.ok(Math.abs(waitQuantile(queue, 0.9) - Math.log(8) / 0.2) < 1e-9);
  assert.equal(waitQuantile({ ...queue, arrivalsPerSecond: 1 }, 0.5), Number.POSITIVE_INFINITY);
  assert.equal(waitQuantile({ ...queue, arrivalsPerSecond: 0 }, 0.99), 0);
  assert.ok(waitQuantile({ ...queue, serviceVariation: 0 }, 0.9) < waitQuantile(queue, 0.9));
});

test('spares cover failures: exact small cases, growth, agreement at the seam', () => {
  assert.equal(unitsWithFailures(10, 1, 0.999), 10);
  assert.equal(unitsWithFailures(1, 0.9, 0.95), 2);
  assert.equal(unitsWithFailures(1, 0.9, 0.995), 3);
  assert.equal(unitsWithFailures(0, 0.9, 0.99), 0);
  assert.ok(Math.abs(unitsWithFailures(201, 0.98, 0.999) - unitsWithFailures(200, 0.98, 0.999)) <= 2);
});

test('property: waits grow with the load and shrink with servers', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 900 }), fc.double({ min: 0.05, max: 0.97, noNaN: true }), (servers, load) => {
      const at = (count: number, share: number) =>
        waitQuantile(
          {
            servers: count,
            arrivalsPerSecond: servers * share,
            serviceSeconds: 1,
            arrivalVariation: 1,
            serviceVariation: 1,
          },
          0.99,
        );
      assert.ok(at(servers, Math.min(0.99, load * 1.02)) >= at(servers, load) - 1e-9);
      assert.ok(at(servers + 1, load) <= at(servers, load) + 1e-9);
    }),
  );
});
