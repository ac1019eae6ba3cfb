import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Secret } from '../../ground/std/index.ts';
import { createSeal } from './seal.ts';

const seal = createSeal(new Secret('master'));

test('what is sealed opens for its binding alone, and never looks the same twice', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.string(), (text, binding, other) => {
      const sealed = seal.seal(text, binding);
      assert.equal(seal.open(sealed, binding), text);
      assert.notEqual(seal.seal(text, binding), sealed);
      if (other !== binding) assert.throws(() => seal.open(sealed, other), { code: 'config_invalid' });
    }),
    { numRuns: 50 },
  );
});

test('another master, another version, and any changed byte do not open', () => {
  const sealed = seal.seal('sk-canary', 'provider x');
  assert.throws(() => createSeal(new Secret('other')).open(sealed, 'provider x'), { code: 'config_invalid' });
  assert.throws(() => seal.open(`v2${sealed.slice(2)}`, 'provider x'), { code: 'config_invalid' });
  assert.throws(() => seal.open('', 'provider x'), { code: 'config_invalid' });
  for (let at = 3; at < sealed.length; at++) {
    // The last letter carries bits that stand for no byte.
    if (at === sealed.length - 1) continue;
    const changed = sealed.slice(0, at) + (sealed[at] === 'A' ? 'B' : 'A') + sealed.slice(at + 1);
    assert.throws(() => seal.open(changed, 'provider x'), { code: 'config_invalid' });
  }
});
