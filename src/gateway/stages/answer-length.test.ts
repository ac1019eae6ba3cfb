// How long an answer may become, and what is held for it, where the client says and where nobody says.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openDataPlane, type TestDataPlane, type TestDeployment } from '../../../test/support/data-plane.ts';
import type { Behaviour } from '../../../test/support/fake-behaviour.ts';
import { type FakeUpstream, startFakeUpstream } from '../../../test/support/fake-upstream.ts';

let upstream: FakeUpstream;
before(async () => {
  upstream = await startFakeUpstream();
});
after(() => upstream.close());

/** Of one output token. */
const OUTPUT_NANO = 16_000n;

async function ask(plane: TestDataPlane, body: object) {
  const answer = await fetch(`${plane.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${plane.key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'Say hi' }], ...body }),
  });
  return { status: answer.status, text: await answer.text() };
}

const open = (deployment: Partial<TestDeployment> = {}, walletNano?: bigint) =>
  openDataPlane(
    upstream.baseUrl,
    [{ id: 'm', isUnlimited: true, ...deployment }],
    walletNano === undefined ? {} : { walletNano },
  );

/** One request, how its upstream was asked, and what was settled of it. */
async function answered(
  behaviour: Behaviour,
  from: { body?: object; deployment?: Partial<TestDeployment>; walletNano?: bigint },
) {
  upstream.script('m', behaviour);
  const before = upstream.calls.length;
  await using plane = await open(from.deployment, from.walletNano);
  const seen = await ask(plane, from.body ?? {});
  const [settlement] = plane.settlements();
  const left = plane.spendableNano();
  if (settlement) assert.equal(left, plane.walletNano - settlement.amountNano, 'nothing is held');
  return { ...seen, settlement, left, told: upstream.calls[before]?.maxTokens };
}

test('where nobody set a limit none is sent, and the answer comes whole, however it comes', async () => {
  for (const stream of [true, false]) {
    const { status, told, settlement, text } = await answered({ tokens: 9_000 }, { body: { stream } });
    assert.deepEqual([status, told, settlement?.usage.outputTokens], [200, undefined, 9_000]);
    assert.match(text, /"finish_reason":"stop"/);
    assert.ok((settlement?.holdNano ?? 0n) >= 9_000n * OUTPUT_NANO, 'the hold grew with it');
  }
});

test('the operator’s limit is sent, and a client that asks for more is told both', async () => {
  const deployment = { isUnlimited: false };
  const { told, settlement } = await answered({ tokens: 9_000 }, { deployment });
  assert.deepEqual([told, settlement?.usage.outputTokens], [4_096, 4_096]);
  const { status, text } = await answered({}, { deployment, body: { max_tokens: 8_192 } });
  assert.equal(status, 400);
  assert.match(text, /8192 are asked for, and the operator allows at most 4096/);
});

test('what a client asks for is taken where the operator set nothing, also beyond what the vendor is known to give', async () => {
  for (const model of [{}, { longestAnswerTokens: 50_000 }]) {
    const { status, told } = await answered({}, { deployment: { model }, body: { max_tokens: 100_000 } });
    assert.deepEqual([status, told], [200, 100_000]);
  }
});

test('streams begin with a slice: one wallet serves many at once', async () => {
  upstream.script('m', { tokens: 20 });
  // Two longest answers of a whole kind would take all of it.
  await using plane = await open({ model: { longestAnswerTokens: 393_216 } }, 2n * 393_216n * OUTPUT_NANO);
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask(plane, { stream: true })));
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
  assert.ok(plane.settlements().every(({ holdNano }) => holdNano < 4_096n * OUTPUT_NANO));
});

test('a stream that the wallet does not cover any more is cut with an error event, and settled', async () => {
  const { text, settlement, left } = await answered(
    { tokens: 20_000 },
    { body: { stream: true }, walletNano: 5_000n * OUTPUT_NANO },
  );
  assert.match(text, /set aside for this answer is used up/);
  assert.ok(left >= 0n, `${left}`);
  assert.ok((settlement?.usage.outputTokens ?? 0) > 2_500, `${settlement?.usage.outputTokens}`);
});

test('a whole answer that the wallet does not cover at its longest is asked for as long as it does', async () => {
  const walletNano = 12_000n * OUTPUT_NANO;
  const known = { deployment: { model: { longestAnswerTokens: 16_384 } }, walletNano };
  const cut = await answered({ tokens: 20_000 }, known);
  assert.deepEqual([cut.status, cut.told, cut.settlement?.usage.outputTokens], [200, 8_192, 8_192]);
  assert.match(cut.text, /"finish_reason":"length"/);
  assert.ok(cut.left >= 0n);
  // What a vendor is not known to take is not asked for.
  const unknown = await answered({ tokens: 20 }, { walletNano: 100_000n * OUTPUT_NANO });
  assert.ok(Number(unknown.told) <= 8_192 && Number(unknown.told) > 4_000, `${unknown.told}`);
});

test('choices share what is held, and each is told its part', async () => {
  const deployment = { model: { longestAnswerTokens: 16_384 } };
  const { told, left } = await answered(
    { tokens: 3 },
    { deployment, body: { n: 2 }, walletNano: 20_000n * OUTPUT_NANO },
  );
  assert.equal(told, 8_192);
  assert.ok(left >= 0n);
});

test('too little for any answer is said, with what it needs at least', async () => {
  for (const stream of [true, false]) {
    const { status, text } = await answered({}, { body: { stream }, walletNano: 100n * OUTPUT_NANO });
    assert.equal(status, 402);
    assert.match(text, /this request needs at least 0\.00/);
  }
});

test('no more is owed than an answer is known to come to, whatever is reported, and thinking that is not shown is held for next time', async () => {
  const usage = { prompt_tokens: 10, completion_tokens: 40_000, total_tokens: 40_010 };
  const base = { id: 'c1', object: 'chat.completion.chunk', created: 1, model: 'm' };
  const words = Array.from({ length: 80 }, (_, index) => ({
    ...base,
    choices: [{ index: 0, delta: { content: `word${index} ` }, finish_reason: null }],
  }));
  const finish = { ...base, choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] };
  upstream.script('m', {
    script: {
      events: [
        ...words,
        finish,
        { ...base, choices: [], usage: { ...usage, completion_tokens_details: { reasoning_tokens: 39_900 } } },
      ],
    },
  });
  await using plane = await open({ model: { longestAnswerTokens: 30_000 } });
  for (let round = 0; round < 2; round += 1) await ask(plane, { stream: true });
  const [first, second] = plane.settlements();
  assert.equal(first?.usage.outputTokens, 30_000);
  assert.equal(first?.attempts[0]?.disputed?.outputTokens, 10_000);
  assert.ok((first?.holdNano ?? 0n) >= (first?.amountNano ?? 1n), 'the wallet covered what was reported at the end');
  assert.ok((second?.holdNano ?? 0n) >= 30_000n * OUTPUT_NANO);
});
