// What an upstream reports against what was seen and what was asked: the charge, whether it is estimated, and what is in dispute.
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

const MODEL: TestDeployment = { id: 'm', model: { operations: ['chat', 'completions', 'embeddings'] } };
const BODY = { model: 'm', messages: [{ role: 'user', content: 'Say hi' }] };

interface Asked {
  readonly path?: string;
  readonly body?: object;
  readonly deployment?: Partial<TestDeployment>;
  readonly walletNano?: bigint;
}

async function ask(plane: TestDataPlane, { path = 'chat/completions', body = {} }: Asked) {
  const text = JSON.stringify({ ...BODY, ...body });
  const answer = await fetch(`${plane.url}/v1/${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${plane.key}`, 'content-type': 'application/json' },
    body: text,
  });
  return { status: answer.status, text: await answer.text(), guess: Math.ceil(Buffer.byteLength(text) / 4) };
}

/** One request, and what was settled of it. */
async function metered(behaviour: Behaviour, asked: Asked = {}) {
  upstream.script('m', behaviour);
  const { deployment, walletNano } = asked;
  const options = walletNano === undefined ? {} : { walletNano };
  await using plane = await openDataPlane(upstream.baseUrl, [{ ...MODEL, ...deployment }], options);
  const seen = await ask(plane, asked);
  const [settlement] = plane.settlements();
  assert.ok(settlement);
  const { usage, usageSource, estimated, attempts } = settlement;
  const disputed = attempts[0]?.disputed;
  assert.equal(plane.spendableNano(), plane.walletNano - settlement.amountNano, 'nothing is held');
  return {
    ...{ ...seen, settlement, usageSource, estimated, disputed },
    counts: [usage.inputTokens, usage.outputTokens, usage.reasoningTokens],
    leftNano: plane.spendableNano(),
  };
}

const base = { id: 'c1', object: 'chat.completion.chunk', created: 1, model: 'm' };
const piece = (content: string, more: object = {}) => ({
  ...base,
  choices: [{ index: 0, delta: { content }, finish_reason: null }],
  ...more,
});
const finish = { ...base, choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] };
const report = (usage: object) => ({ ...base, choices: [], usage });
const words = Array.from({ length: 40 }, (_, index) => piece(`word${index} `));
const whole = (
  usage: object | undefined,
  message: object = { role: 'assistant', content: 'one two three four five six' },
) => ({
  json: {
    ...{ ...base, object: 'chat.completion', choices: [{ index: 0, message, finish_reason: 'stop' }] },
    ...(usage === undefined ? {} : { usage }),
  },
});
const counts = (
  prompt_tokens: number,
  completion_tokens: number,
  total_tokens = prompt_tokens + completion_tokens,
) => ({
  ...{ prompt_tokens, completion_tokens, total_tokens },
});

test('a report that came early does not beat what was said after it', async () => {
  const early = piece('', { usage: counts(12, 1) });
  const {
    counts: told,
    estimated,
    usageSource,
  } = await metered({ script: { events: [early, ...words, finish] } }, { body: { stream: true } });
  assert.equal(told[0], 12);
  assert.ok(Number(told[1]) >= 40, `${told[1]}`);
  assert.deepEqual([estimated, usageSource], [true, 'counted']);
});

test('a report that comes with the last words covers them', async () => {
  const last = { ...piece('bye'), usage: counts(12, 30) };
  const { counts: told, estimated } = await metered(
    { script: { events: [...words.slice(0, 20), last, finish] } },
    { body: { stream: true } },
  );
  assert.deepEqual([told, estimated], [[12, 30, 0], false]);
});

test('an answer that broke off is charged for what went out, whatever was reported before', async () => {
  const death = { tokens: 300, texts: ['7'], usageFirst: true, usage: 'normal', errorAfterTokens: 200 } as const;
  const { counts: told } = await metered(
    { ...death, promptTokens: 500 },
    { body: { stream: true, max_tokens: 2_000 } },
  );
  // An early report that claims more is not lowered; one that claims less is raised.
  assert.deepEqual(told, [500, 300, 0]);
  const short = piece('', { usage: counts(500, 1) });
  const digits = Array.from({ length: 300 }, () => piece('7'));
  const broken = { ...base, error: { message: 'gone', code: 500 } };
  const dead = await metered(
    { script: { events: [short, ...digits, broken] } },
    { body: { stream: true, max_tokens: 2_000 } },
  );
  assert.deepEqual([dead.settlement.outcome, dead.counts], ['failed', [500, 300, 0]]);
});

test('who reports nothing is counted, and it is said to be estimated', async () => {
  const cases: readonly [string, Behaviour, Asked, (guess: number) => readonly unknown[]][] = [
    [
      'zeros beside a stream',
      { script: { events: [...words, finish, report(counts(0, 0))] } },
      { body: { stream: true } },
      guess => [guess, 68],
    ],
    ['zeros beside an answer', { script: whole(counts(0, 0)) }, {}, guess => [guess, 7]],
    ['no report', { script: whole(undefined) }, {}, guess => [guess, 7]],
    ['input alone', { script: whole({ prompt_tokens: 10 }) }, {}, () => [10, 7]],
    ['output alone', { script: whole({ completion_tokens: 9 }) }, {}, guess => [guess, 9]],
    [
      'an empty answer without report',
      { script: whole(undefined, { role: 'assistant', content: '' }) },
      {},
      guess => [guess, 0],
    ],
    [
      'calls without report',
      {
        script: whole(undefined, {
          ...{ role: 'assistant', content: null },
          tool_calls: [{ id: 'a', type: 'function', function: { name: 'weather', arguments: '{"city":"Oslo"}' } }],
        }),
      },
      {},
      guess => [guess, 6],
    ],
  ];
  for (const [name, behaviour, asked, expected] of cases) {
    const { guess, counts: told, estimated, text } = await metered(behaviour, asked);
    assert.deepEqual([told.slice(0, 2), estimated], [expected(guess), true], `${name}: ${text}`);
  }
});

test('embeddings are charged for their input, and for nothing else', async () => {
  const body = { messages: undefined, input: 'some text to be embedded, long enough to count' };
  const asked = { path: 'embeddings', body };
  const answer = (usage: object | undefined) => ({
    script: {
      json: {
        ...{ object: 'list', model: 'm', data: [{ object: 'embedding', index: 0, embedding: [0.1, 0.2] }] },
        ...(usage === undefined ? {} : { usage }),
      },
    },
  });
  const none = await metered(answer(undefined), asked);
  assert.deepEqual([none.counts, none.estimated], [[none.guess, 0, 0], true]);
  const zeros = await metered(answer({ prompt_tokens: 0, total_tokens: 0 }), asked);
  assert.deepEqual([zeros.counts, zeros.estimated], [[zeros.guess, 0, 0], true]);
  const total = await metered(answer({ total_tokens: 11 }), asked);
  assert.deepEqual([total.counts, total.estimated], [[11, 0, 0], true]);
  const honest = await metered(answer({ prompt_tokens: 11, total_tokens: 11 }), asked);
  assert.deepEqual([honest.counts, honest.estimated, honest.disputed], [[11, 0, 0], false, undefined]);
  const output = await metered(answer({ prompt_tokens: 11, completion_tokens: 500, total_tokens: 511 }), asked);
  assert.deepEqual(output.counts, [11, 0, 0]);
  assert.equal(output.disputed?.outputTokens, 500);
  assert.equal(JSON.parse(output.text).usage.completion_tokens, 0);
});

test('thinking that stands in the total alone is output where the vendor counts so, and else in dispute', async () => {
  const script = whole(counts(20, 198, 623));
  const unknown = await metered({ script });
  assert.deepEqual(
    [unknown.counts, unknown.disputed],
    [[20, 198, 0], { inputTokens: 0, outputTokens: 405, costNano: 3_240_000n }],
  );
  assert.equal(JSON.parse(unknown.text).usage.total_tokens, 623, 'no total is told as less than it was');
  const known = await metered({ script }, { deployment: { quirks: ['thinking-in-total'] } });
  assert.deepEqual([known.counts, known.disputed], [[20, 603, 405], undefined]);
  assert.equal(JSON.parse(known.text).usage.total_tokens, 623);
});

test('nobody pays for more than was asked and can be', async () => {
  const asked = { body: { max_tokens: 100 } };
  const huge = await metered({ script: whole(counts(10, 1_000_000_000)) }, asked);
  assert.deepEqual(huge.counts, [10, 100, 0]);
  assert.deepEqual(huge.disputed, { inputTokens: 0, outputTokens: 999_999_900, costNano: 7_999_999_200_000n });
  const [attempt] = huge.settlement.attempts;
  assert.equal(attempt?.costNano, BigInt(10 * 2_000 + 100 * 8_000));
  const n = await metered({ script: whole(counts(10, 500)) }, { body: { max_tokens: 100, n: 3 } });
  assert.deepEqual([n.counts, n.disputed?.outputTokens], [[10, 300, 0], 200]);
  const input = await metered({ script: whole(counts(50_000, 5)) }, asked);
  assert.ok(Number(input.counts[0]) < 1_000, 'no more input than the request has bytes, and a template');
  assert.equal(input.disputed?.inputTokens, 50_000 - Number(input.counts[0]));
  const context = { ...asked, deployment: { model: { contextTokens: 64 } } };
  const long = await metered({ script: whole(counts(500, 5)) }, context);
  assert.deepEqual([long.counts, long.disputed?.inputTokens], [[64, 5, 0], 436]);
});

test('a stream beyond its limit ends there, as an answer that came to its limit', async () => {
  const body = { stream: true, max_tokens: 20, stream_options: { include_usage: true } };
  const {
    text,
    counts: told,
    settlement,
  } = await metered({ tokens: 3_000, ignoreMaxTokens: true, usage: 'absent' }, { body });
  assert.equal(told[1], 20);
  assert.equal(settlement.outcome, 'ok');
  assert.match(
    text,
    /"finish_reason":"length"\}\].*\n\ndata: .*"usage"[^\n]*\n\n: x-millrace-cost[^\n]*\n\ndata: \[DONE\]\n\n$/s,
  );
  const deltas = text.match(/"content"/g)?.length ?? 0;
  assert.ok(deltas >= 20 && deltas <= 2 * (20 + 32), `${deltas} pieces went out`);
});

test('what the hold does not cover does not go out, be it one event or one chunk of the network', async () => {
  // Output costs 16,000 nano a token: the wallet covers the request, and hardly more.
  const limit = { model: { maxOutputTokens: 4_096 } };
  const big = `${'lorem ipsum '.repeat(17_000)}`;
  const one = await metered(
    { script: { events: [piece('Hello'), piece(big), finish] } },
    { body: { stream: true, max_tokens: 100 }, deployment: limit, walletNano: 4_500_000n },
  );
  assert.ok(one.leftNano >= 0n);
  assert.ok(!one.text.includes('lorem'));
  assert.match(one.text, /"finish_reason":"length"/);
});

test('each choice that is cut is told so, though nothing of it went out', async () => {
  const body = { stream: true, max_tokens: 20, n: 2 };
  const big = 'lorem ipsum '.repeat(1_000);
  const second = { ...base, choices: [{ index: 1, delta: { content: big }, finish_reason: null }] };
  const both = { ...base, choices: [piece(big).choices[0], second.choices[0]] };
  for (const [events, choices] of [
    [[piece(big), finish], 1],
    [[piece('Hello'), second, finish], 2],
    [[both], 2],
  ] as const) {
    const { text, settlement } = await metered({ script: { events } }, { body });
    assert.equal(settlement.outcome, 'ok');
    assert.ok(!text.includes('lorem'));
    assert.equal(text.match(/"finish_reason":"length"/g)?.length, choices, text);
    assert.match(text, /data: \[DONE\]\n\n$/);
  }
});

test('each choice may report its own usage', async () => {
  const choice = (index: number, usage: object) => ({
    ...base,
    choices: [{ index, delta: { content: 'word' }, finish_reason: 'stop', usage }],
  });
  const events = [choice(0, counts(12, 30)), choice(1, counts(12, 50))];
  const { counts: told, estimated } = await metered({ script: { events } }, { body: { stream: true, n: 2 } });
  assert.deepEqual([told, estimated], [[12, 80, 0], false]);
});
