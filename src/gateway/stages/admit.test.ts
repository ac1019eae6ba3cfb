// What is refused before anything is spent, and what the refusal says.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openDataPlane, type TestDataPlane, testPrice } from '../../../test/support/data-plane.ts';
import { type FakeUpstream, startFakeUpstream } from '../../../test/support/fake-upstream.ts';

let upstream: FakeUpstream;
before(async () => {
  upstream = await startFakeUpstream();
});
after(() => upstream.close());

async function refused({ url, key }: TestDataPlane, path: string, body: object) {
  const answer = await fetch(`${url}/v1/${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'm', ...body }),
  });
  const { error } = JSON.parse(await answer.text());
  return { status: answer.status, code: error.code, param: error.param, message: String(error.message) };
}

test('more answers than can be counted are the client’s mistake', async () => {
  const model = { operations: ['completions'], maxOutputTokens: 100_000 } as const;
  await using plane = await openDataPlane(upstream.baseUrl, [{ id: 'm', model }]);
  const prompt = Array.from({ length: 128 }, () => 'Say hi');
  const { status, code, param } = await refused(plane, 'completions', { prompt, n: 128 });
  assert.deepEqual([status, code, param], [400, 'invalid_parameter', 'n']);
});

test('who is short of money is told of what, how much is left, and when there will be more', async () => {
  const chat = { messages: [{ role: 'user', content: 'Say hi' }], max_tokens: 4_096 };
  await using poor = await openDataPlane(upstream.baseUrl, [{ id: 'm' }], { walletNano: 5_000_000n });
  const wallet = await refused(poor, 'chat/completions', chat);
  assert.equal(wallet.status, 402);
  assert.match(
    wallet.message,
    /^The wallet does not cover it: 0\.005 CNY can be spent now; this request may cost up to /,
  );
  for (const [period, words] of [
    [
      'day',
      /^The daily budget of this key does not cover it: 0 CNY of 0\.01 CNY is left, until it resets at \d{4}-\d\d-\d\dT00:00Z; /,
    ],
    ['month', /^The monthly budget .* until it resets at \d{4}-\d\d-01T00:00Z; /],
    ['total', /^The budget .* is left, and it does not renew itself; /],
  ] as const) {
    const budget = { currency: 'CNY', amountNano: 10_000_000n, period };
    await using plane = await openDataPlane(upstream.baseUrl, [{ id: 'm' }], { scopes: { budget } });
    const { status, message } = await refused(plane, 'chat/completions', chat);
    assert.equal(status, 402);
    assert.match(message, words);
  }
  const budget = { currency: 'USD', amountNano: 10_000_000n, period: 'day' } as const;
  await using other = await openDataPlane(upstream.baseUrl, [{ id: 'm' }], { scopes: { budget } });
  const { message } = await refused(other, 'chat/completions', chat);
  assert.equal(message, 'The budget of this key is in USD, and m is paid in CNY here');
});

test('the first wallet that covers a request pays; an almost empty one does not hide a full one', async () => {
  const prices = [testPrice('cny', 4_000_000_000n), testPrice('usd', 1_000_000_000n, 'USD')];
  const otherWallets = [{ currency: 'USD', slot: 9 }];
  await using plane = await openDataPlane(upstream.baseUrl, [{ id: 'm', model: { prices } }], {
    walletNano: 5_000_000n,
    otherWallets,
  });
  plane.slots.wallets.add(9, 1_000_000_000n);
  const ask = (max_tokens: number) =>
    fetch(`${plane.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${plane.key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'Say hi' }], max_tokens }),
    });
  for (const max of [4_096, 10]) assert.equal((await ask(max)).status, 200);
  assert.deepEqual(
    plane.settlements().map(({ currency, priceVersion }) => [currency, priceVersion]),
    [
      ['USD', 'usd'],
      ['CNY', 'cny'],
    ],
  );
  const [dear, cheap] = plane.settlements();
  assert.equal(plane.slots.wallets.spendable(9), 1_000_000_000n - (dear?.amountNano ?? 0n));
  assert.equal(plane.spendableNano(), 5_000_000n - (cheap?.amountNano ?? 0n));
});
