import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openTestPlane } from '../../../test/support/control-plane.ts';
import { applyDocument } from './apply.ts';

test('wallets pay in the order of the configuration, and in that of their codes where there is none', async () => {
  await using plane = await openTestPlane();
  const { identity } = plane.deps;
  const applied = async (organization: object) => {
    const document = { organizations: [{ id: 'acme', projects: [{ id: 'web' }], ...organization }] };
    const outcome = await applyDocument(plane.deps, document, { dryRun: false });
    assert.ok(outcome.ok);
    return outcome.value.changes.filter(({ kind }) => kind === 'organization').flatMap(({ fields }) => fields);
  };
  const order = () =>
    identity
      .callers()
      .find(({ organizationId }) => organizationId === 'acme')
      ?.wallets.map(({ currency }) => currency);
  const wallets = (...currencies: string[]) => ({ wallets: currencies.map(currency => ({ currency })) });

  await applied({ wallet: { currency: 'USD' } });
  await applied({ wallet: { currency: 'CNY' } });
  await identity.createKey({ organizationId: 'acme', projectId: 'web', scopes: {} });
  await identity.refresh();
  assert.deepEqual(order(), ['CNY', 'USD']);

  assert.deepEqual(await applied(wallets('USD', 'CNY')), [{ field: 'wallets', from: null, to: 'USD CNY' }]);
  await identity.refresh();
  assert.deepEqual(order(), ['USD', 'CNY']);
  assert.deepEqual(await applied(wallets('USD', 'CNY')), [], 'the same again is no change');

  // One that is not named comes last; a document that names one wallet leaves the order alone.
  await applied({ wallet: { currency: 'AUD' } });
  await identity.refresh();
  assert.deepEqual(order(), ['USD', 'CNY', 'AUD']);
  await applied(wallets('CNY', 'AUD', 'USD'));
  await identity.refresh();
  assert.deepEqual(order(), ['CNY', 'AUD', 'USD']);
});
