// Order, breaker and the policy of attempts, over values.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FAULT_CODES, FAULTS, type FaultCode } from '@millrace/contract/words';
import { createSlots, openSlots } from '../../ground/std/index.ts';
import {
  busyMs,
  enter,
  healthOf,
  type Loads,
  leave,
  mayTryElsewhere,
  nextTargets,
  orderTargets,
  recordAnswering,
  recordFailure,
  recordSuccess,
  type Target,
  tellsOfHealth,
} from './index.ts';

const NOW = 1_000_000_000;
const target = (slot: number, more: Partial<Target> = {}): Target => ({
  ...{ slot, priority: 0, weight: 1, embedded: false },
  ...more,
});
const open = (): Loads => openSlots(createSlots()).deployments;

function fail(
  loads: Loads,
  slot: number,
  times: number,
  more: { code?: FaultCode; nowMs?: number; retryAfterMs?: number } = {},
) {
  for (let time = 0; time < times; time += 1)
    recordFailure({ slot }, loads, { code: 'upstream_error', nowMs: NOW, ...more });
}

describe('order', () => {
  const slots = (ordered: { readonly targets: readonly Target[] }) => ordered.targets.map(({ slot }) => slot);

  test('by priority, then by load per weight', () => {
    const loads = open();
    const targets = [target(0, { priority: 1 }), target(1), target(2, { weight: 4 }), target(3)];
    loads.set(1, 'inFlight', 1);
    loads.set(2, 'inFlight', 3);
    loads.set(3, 'inFlight', 2);
    // Per weight: (1+1)/1, (3+1)/4, (2+1)/1.
    assert.deepEqual(slots(orderTargets(targets, loads, NOW)), [2, 1, 3, 0]);
    loads.set(2, 'inFlight', 8);
    assert.deepEqual(slots(orderTargets(targets, loads, NOW)), [1, 2, 3, 0]);
  });

  test('equal ones stay as they are listed', () => {
    assert.deepEqual(slots(orderTargets([target(5), target(2), target(9)], open(), NOW)), [5, 2, 9]);
  });

  test('closed ones and engines that are not ready are left out; where none is left, when the first may be', () => {
    const loads = open();
    const targets = [target(0), target(1, { embedded: true }), target(2)];
    loads.set(0, 'closedUntilS', NOW / 1000 + 3);
    assert.deepEqual(slots(orderTargets(targets, loads, NOW)), [2]);
    loads.set(2, 'closedUntilS', NOW / 1000 + 2);
    loads.set(1, 'closedUntilS', NOW / 1000 + 30);
    assert.deepEqual(orderTargets(targets, loads, NOW), { targets: [], soonestMs: 2_000 });
    assert.deepEqual(orderTargets([target(1)], loads, NOW), { targets: [], soonestMs: 5_000 });
    loads.set(1, 'ready', 1);
    loads.set(1, 'closedUntilS', 0);
    assert.deepEqual(slots(orderTargets(targets, loads, NOW)), [1]);
  });

  test('one that asked to be left alone comes last, but it comes', () => {
    const loads = open();
    fail(loads, 0, 1, { code: 'capacity', retryAfterMs: 5_000 });
    assert.deepEqual(slots(orderTargets([target(0), target(1, { priority: 9 })], loads, NOW)), [1, 0]);
    assert.deepEqual(slots(orderTargets([target(0)], loads, NOW)), [0]);
  });
});

describe('breaker', () => {
  test('five failures in a row close it for 1, 2, 4 … s, at most 30; one success opens it', () => {
    const loads = open();
    fail(loads, 0, 4);
    assert.equal(healthOf(target(0), loads, NOW), 'open');
    const rests = Array.from({ length: 8 }, () => {
      fail(loads, 0, 1);
      assert.equal(healthOf(target(0), loads, NOW), 'closed');
      return loads.get(0, 'closedUntilS') - NOW / 1000;
    });
    assert.deepEqual(rests, [1, 2, 4, 8, 16, 30, 30, 30]);
    recordSuccess({ slot: 0 }, loads, undefined);
    assert.equal(healthOf(target(0), loads, NOW), 'open');
    fail(loads, 0, 4);
    assert.equal(healthOf(target(0), loads, NOW), 'open', 'the row begins anew');
  });

  test('only what tells of its health counts, by the table of faults', () => {
    const counted = FAULT_CODES.filter(code => tellsOfHealth(code));
    assert.deepEqual(counted, ['upstream_error', 'unavailable', 'upstream_timeout']);
    const loads = open();
    for (const code of FAULT_CODES.filter(each => !tellsOfHealth(each))) fail(loads, 0, 9, { code });
    assert.equal(loads.get(0, 'failures'), 0);
  });

  test('after its rest one request finds out whether it is well', () => {
    const loads = open();
    const it = target(0);
    fail(loads, 0, 5);
    assert.equal(enter(it, loads, NOW), false);
    const later = NOW + 1_000;
    assert.equal(healthOf(it, loads, later), 'half-open');
    assert.ok(enter(it, loads, later), 'the probe');
    assert.equal(healthOf(it, loads, later), 'closed');
    assert.equal(enter(it, loads, later), false, 'and no other beside it');
    fail(loads, 0, 1, { nowMs: later });
    leave(it, loads, undefined);
    assert.equal(enter(it, loads, later + 1_999), false, 'it failed: twice the rest');
    assert.ok(enter(it, loads, later + 2_000));
    recordAnswering(it, loads);
    assert.ok(enter(it, loads, later + 2_000), 'it answers: others follow');
    fail(loads, 0, 1, { nowMs: later + 2_000 });
    assert.equal(enter(it, loads, later + 2_000), false, 'and one failure closes it again');
  });

  test('a probe without a verdict leaves the turn to another, at the latest after a minute', () => {
    const loads = open();
    const it = target(0, { concurrency: 1 });
    fail(loads, 0, 5);
    const later = NOW + 1_000;
    assert.ok(enter(it, loads, later));
    leave(it, loads, undefined);
    assert.ok(enter(it, loads, later));
    loads.set(0, 'inFlight', 0);
    assert.equal(enter(it, loads, later + 59_000), false);
    assert.ok(enter(it, loads, later + 60_000));
    // Full: the probe is not used up by who found no place.
    assert.equal(enter(it, loads, later + 120_000), false);
    leave(it, loads, undefined);
    assert.ok(enter(it, loads, later + 120_000));
  });

  test('a vendor’s Retry-After is kept to, within bounds', () => {
    const loads = open();
    for (const [retryAfterMs, kept] of [
      [undefined, 0],
      [1_000, 0],
      [1_500, 2_000],
      [20_000, 20_000],
      [3_600_000, 60_000],
    ] as const) {
      loads.set(0, 'busyUntilS', 0);
      recordFailure({ slot: 0 }, loads, { code: 'capacity', retryAfterMs, nowMs: NOW });
      assert.equal(busyMs({ slot: 0 }, loads, NOW), kept);
      assert.equal(enter(target(0), loads, NOW), kept === 0);
      assert.ok(enter(target(0), loads, NOW + kept));
    }
    assert.equal(healthOf(target(0), loads, NOW), 'open', '"busy" is no failure');
  });

  test('places: no more than there are, each given back', () => {
    const loads = open();
    const two = target(0, { concurrency: 2 });
    assert.deepEqual([enter(two, loads, NOW), enter(two, loads, NOW), enter(two, loads, NOW)], [true, true, false]);
    assert.equal(loads.get(0, 'inFlight'), 2);
    leave(two, loads, 800);
    leave(two, loads, 1_600);
    assert.deepEqual([loads.get(0, 'inFlight'), loads.get(0, 'durationMs')], [0, 900]);
    for (let time = 0; time < 100; time += 1) assert.ok(enter(target(1), loads, NOW));
  });

  test('times are smoothed by an eighth', () => {
    const loads = open();
    for (const ttftMs of [800, 1_600, undefined]) recordSuccess({ slot: 0 }, loads, ttftMs);
    assert.equal(loads.get(0, 'ttftMs'), 900);
  });
});

describe('attempts', () => {
  const all = { reached: true, retriesTimeouts: false };

  test('another target may do better where the table says whose matter it is', () => {
    const codes = FAULT_CODES.filter(code => mayTryElsewhere(code, all));
    assert.deepEqual(codes, ['internal', 'upstream_error', 'capacity', 'unavailable', 'storage_full']);
    for (const code of codes) assert.ok(FAULTS[code].status >= 500);
  });

  test('a timeout is repeated where nothing arrived, or the deployment says so', () => {
    assert.equal(mayTryElsewhere('upstream_timeout', all), false);
    assert.equal(mayTryElsewhere('upstream_timeout', { ...all, reached: false }), true);
    assert.equal(mayTryElsewhere('upstream_timeout', { ...all, retriesTimeouts: true }), true);
  });

  test('three in all, each target once; the only one twice where it was not reached', () => {
    const next = (targets: string[], tried: string[], unreached?: string) => nextTargets(targets, { tried, unreached });
    assert.deepEqual(next(['a', 'b', 'c'], ['a']), ['b', 'c']);
    assert.deepEqual(next(['a', 'b', 'c', 'd'], ['a', 'b', 'c']), []);
    assert.deepEqual(next(['a'], ['a'], 'a'), ['a']);
    assert.deepEqual(next(['a'], ['a', 'a'], 'a'), []);
    assert.deepEqual(next(['a'], ['a']), []);
    assert.deepEqual(next(['a', 'b'], ['a'], 'a'), ['b'], 'others before it');
    assert.deepEqual(next(['a', 'b'], ['a', 'b'], 'b'), []);
  });
});
