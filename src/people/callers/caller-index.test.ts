import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createSlots, openSlots, Secret } from '../../ground/std/index.ts';
import type { CallerRecord, KeyScopes } from './caller.ts';
import { createCallerIndex, ipAllowed, modelAllowed, parseCidr } from './caller-index.ts';
import { createKeyHasher, createKeyText, keyKindOf } from './key-text.ts';

const hash = createKeyHasher(new Secret('pepper'));
const caller = (key: string, more: Partial<CallerRecord> = {}): CallerRecord => ({
  keyId: 'key_1',
  mac: hash(key),
  organizationId: 'acme',
  projectId: 'web',
  slot: 3,
  wallets: [],
  scopes: {},
  weight: 1,
  ...more,
});
const scoped = (scopes: KeyScopes) => caller('k', { scopes });

test('a key text says its kind, and a wrong letter is seen offline', () => {
  const key = createKeyText('live');
  assert.match(key, /^mr_live_[0-9A-Za-z]{26}_[0-9A-Za-z]{6}$/);
  assert.equal(keyKindOf(key), 'live');
  assert.equal(keyKindOf(createKeyText('admin')), 'admin');
  for (let at = 8; at < key.length; at++) {
    if (key[at] === '_') continue;
    const wrong = key.slice(0, at) + (key[at] === 'a' ? 'b' : 'a') + key.slice(at + 1);
    assert.equal(keyKindOf(wrong), undefined, wrong);
  }
  for (const bad of [
    '',
    'sk-123',
    `${key} `,
    key.replace('live', 'test'),
    "mr_live_' OR 1=1--_000000",
    'x'.repeat(10_000),
  ])
    assert.equal(keyKindOf(bad), undefined);
});

test('finds a caller by key, and none that is unknown, revoked, expired or changed', () => {
  const slots = openSlots(createSlots()).keys;
  const index = createCallerIndex({ hash, slots });
  const [key, other] = [createKeyText('live'), createKeyText('live')];
  index.apply({ upserted: [caller(key, { expiresAtMs: 1_000 })], removed: [] });
  assert.equal(index.lookup(key, 0)?.organizationId, 'acme');
  assert.equal(index.lookup(other, 0), undefined);
  assert.equal(index.lookup(key, 1_000), undefined);
  slots.setRevoked(3, true);
  assert.equal(index.lookup(key, 0), undefined);
  slots.setRevoked(3, false);
  index.apply({ upserted: [caller(key, { projectId: 'app' })], removed: [] });
  assert.equal(index.lookup(key, 0)?.projectId, 'app');
  index.apply({ upserted: [], removed: ['key_1'] });
  assert.equal(index.lookup(key, 0), undefined);
});

test('an admin key is no caller', () => {
  const index = createCallerIndex({ hash, slots: openSlots(createSlots()).keys });
  const key = createKeyText('admin');
  index.apply({ upserted: [caller(key)], removed: [] });
  assert.equal(index.lookup(key, 0), undefined);
});

test('scopes: models and addresses', () => {
  assert.ok(modelAllowed(scoped({}), 'any'));
  assert.ok(modelAllowed(scoped({ models: ['a', 'deepseek-*'] }), 'deepseek-chat'));
  assert.ok(!modelAllowed(scoped({ models: ['a', 'deepseek-*'] }), 'A'));
  assert.ok(!modelAllowed(scoped({ models: [] }), 'a'));
  const ranges = scoped({ ipRanges: ['10.0.0.0/8', '2001:db8::/32', '192.0.2.7'] });
  for (const [address, allowed] of [
    ['10.1.2.3', true],
    ['::ffff:10.1.2.3', true],
    ['::FFFF:0a01:0203', true],
    ['::ffff:11.1.2.3', false],
    ['fe80::1%eth0', false],
    ['11.0.0.1', false],
    ['2001:db8::1', true],
    ['2001:db9::1', false],
    ['192.0.2.7', true],
    ['192.0.2.8', false],
    ['', false],
    ['evil', false],
  ] as const) {
    assert.equal(ipAllowed(ranges, address), allowed, address);
  }
  for (const bad of ['10.0.0.0/33', '10.0.0.0/-1', '10.0.0.0/8/8', '300.1.1.1', '::/129', 'localhost', '10.0.0.0/'])
    assert.equal(parseCidr(bad), undefined, bad);
});

test('every key text is read back, and every change of one character is refused', () => {
  const letter = fc.constantFrom(...'0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_ é');
  fc.assert(
    fc.property(fc.constantFrom('live' as const, 'admin' as const), fc.nat(), letter, (kind, place, other) => {
      const key = createKeyText(kind);
      assert.equal(keyKindOf(key), kind);
      const at = place % key.length;
      if (key[at] !== other) assert.equal(keyKindOf(key.slice(0, at) + other + key.slice(at + 1)), undefined);
    }),
  );
});

test('a remembered key is found within a microsecond, and without its HMAC', () => {
  let hashed = 0;
  const counting = (key: string) => {
    hashed++;
    return hash(key);
  };
  const index = createCallerIndex({ hash: counting, slots: openSlots(createSlots()).keys });
  const keys = Array.from({ length: 1_000 }, () => createKeyText('live'));
  index.apply({ upserted: keys.map((key, at) => caller(key, { keyId: `key_${at}`, slot: at })), removed: [] });
  for (const key of keys) assert.ok(index.lookup(key, 0));
  assert.equal(hashed, 1_000);
  // As they come from the socket: texts whose hash V8 has not computed yet.
  const head = 'Bearer ';
  let bestNs = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 20; round++) {
    const presented = keys.map(key =>
      Buffer.from(head + key)
        .toString('latin1')
        .slice(head.length),
    );
    const startMs = performance.now();
    for (const key of presented) index.lookup(key, 0);
    bestNs = Math.min(bestNs, ((performance.now() - startMs) * 1e6) / keys.length);
  }
  assert.equal(hashed, 1_000);
  assert.ok(bestNs < 1_000, `${bestNs.toFixed(0)} ns`);
});

test('more keys than are remembered are all found', () => {
  const index = createCallerIndex({ hash: key => key, slots: openSlots(createSlots()).keys });
  const keys = Array.from({ length: 60_000 }, () => createKeyText('live'));
  index.apply({
    upserted: keys.map((key, at) => ({ ...caller(''), keyId: `key_${at}`, mac: key, slot: at })),
    removed: [],
  });
  for (let round = 0; round < 2; round++)
    for (const [at, key] of keys.entries()) assert.equal(index.lookup(key, 0)?.slot, at);
  index.apply({ upserted: [], removed: ['key_5', 'key_59999'] });
  assert.equal(index.lookup(keys[5] ?? '', 0), undefined);
  assert.equal(index.lookup(keys[59_999] ?? '', 0), undefined);
});
