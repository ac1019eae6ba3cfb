// The official client, unmodified, against the real server: the built-in model on the real engine, and another vendor behind it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { formatAmount } from '@millrace/contract';
import OpenAI, {
  APIError,
  AuthenticationError,
  BadRequestError,
  InternalServerError,
  NotFoundError,
  PermissionDeniedError,
  RateLimitError,
} from 'openai';
import { zodFunction, zodResponseFormat } from 'openai/helpers/zod';
import { z } from 'zod';
import { type Account, openAccount } from './support/account.ts';
import { type FakeUpstream, startFakeUpstream } from './support/fake-upstream.ts';
import { exampleConfig, newHome, startServer, type TestServer } from './support/server.ts';

const { home, remove } = newHome();
let upstream: FakeUpstream;
let server: TestServer;
let account: Account;
let client: OpenAI;

const VENDOR = `  - id: vendor
    prices: [{ currency: CNY, inputPerM: "4", outputPerM: "16" }]
    deployments: [{ id: vendor-a, provider: mock, upstreamModel: their-name }]
  - id: dollars
    prices: [{ currency: USD, inputPerM: "4", outputPerM: "16" }]
    deployments: [{ id: dollars-a, provider: mock }]
`;

const clientWith = (apiKey: string) => new OpenAI({ baseURL: `${server.url}/v1`, apiKey, maxRetries: 0 });

before(async () => {
  upstream = await startFakeUpstream();
  server = await startServer(home);
  const applied = await server.cli('apply', '-f', exampleConfig(home, upstream.baseUrl, VENDOR));
  assert.equal(applied.code, 0, applied.err);
  account = openAccount(home);
  assert.ok(server.firstKey);
  client = clientWith(server.firstKey);
});
after(async () => {
  await server?.signal('SIGKILL');
  await upstream?.close();
  remove();
});

const user = (content: string) => [{ role: 'user' as const, content }];
const SUM = user('What is 47 + 38?');
const nano = (more: object = {}) => ({ model: 'millrace-nano', messages: SUM, ...more });

/** Usage with what we add to it. */
const usageSchema = z.object({
  prompt_tokens: z.int(),
  completion_tokens: z.int(),
  total_tokens: z.int(),
  prompt_tokens_details: z.object({ cached_tokens: z.int() }),
  completion_tokens_details: z.object({ reasoning_tokens: z.int() }),
  cost: z.object({ currency: z.literal('CNY'), amount: z.string() }),
});
const reasonedSchema = z.object({ content: z.string(), reasoning_content: z.string().optional() });

/** What the built-in model's default prices make of a usage: 0.1, 0.01 and 0.2 CNY per million tokens. */
function priceOf(usage: unknown): string {
  const { prompt_tokens, completion_tokens, total_tokens, prompt_tokens_details, cost } = usageSchema.parse(usage);
  const cached = prompt_tokens_details.cached_tokens;
  assert.equal(total_tokens, prompt_tokens + completion_tokens);
  assert.equal(
    cost.amount,
    formatAmount(BigInt((prompt_tokens - cached) * 100 + cached * 10 + completion_tokens * 200)),
  );
  return cost.amount;
}

test('chat: an answer, its thinking apart, its price, and one settlement that says the same', async () => {
  const { data, response } = await client.chat.completions.create(nano()).withResponse();
  const { content, reasoning_content: reasoning } = reasonedSchema.parse(data.choices[0]?.message);
  assert.match(content, /\b85\b/);
  assert.match(reasoning ?? '', /= 85/);
  assert.ok(!`${content}${reasoning}`.includes('think>'));
  assert.equal(data.choices[0]?.finish_reason, 'stop');
  const amount = priceOf(data.usage);
  assert.equal(response.headers.get('x-millrace-cost'), `CNY ${amount}`);
  const line = await account.line(response.headers.get('x-request-id'));
  assert.deepEqual([line.amount, line.outcome, line.usageSource], [amount, 'ok', 'upstream']);
  assert.equal(line.outputTokens, data.usage?.completion_tokens);
});

test('chat in Chinese', async () => {
  const asked = nano({ messages: user('法国的首都是哪里？') });
  const whole = await client.chat.completions.create(asked);
  assert.match(whole.choices[0]?.message.content ?? '', /巴黎/);
  let text = '';
  for await (const chunk of await client.chat.completions.create({ ...asked, stream: true }))
    text += chunk.choices[0]?.delta.content ?? '';
  assert.equal(text, whole.choices[0]?.message.content);
});

test('a stream has a usage chunk where it is asked for, and none where it is not', async () => {
  const asked = nano({ stream_options: { include_usage: true } });
  const { data, response } = await client.chat.completions.create({ ...asked, stream: true }).withResponse();
  let content = '';
  let reasoning = '';
  let finish: string | null | undefined;
  const usages: unknown[] = [];
  for await (const { choices, usage } of data) {
    if (usage) {
      assert.equal(choices.length, 0);
      usages.push(usage);
    }
    const delta = reasonedSchema.partial().parse(choices[0]?.delta ?? {});
    content += delta.content ?? '';
    reasoning += delta.reasoning_content ?? '';
    finish = choices[0]?.finish_reason ?? finish;
  }
  assert.match(content, /\b85\b/);
  assert.match(reasoning, /= 85/);
  assert.ok(!`${content}${reasoning}`.includes('think>'));
  assert.equal(finish, 'stop');
  assert.equal(usages.length, 1);
  assert.equal((await account.line(response.headers.get('x-request-id'))).amount, priceOf(usages[0]));
  for await (const chunk of await client.chat.completions.create({ ...nano(), stream: true })) {
    assert.ok(!chunk.usage);
    assert.equal(chunk.choices.length, 1);
  }
});

test('thinking is turned off by either way of asking', async () => {
  for (const way of [{ enable_thinking: false }, { reasoning_effort: 'none' }]) {
    const { choices, usage } = await client.chat.completions.create(nano(way));
    const { content, reasoning_content } = reasonedSchema.parse(choices[0]?.message);
    assert.ok(content !== '' && reasoning_content === undefined);
    assert.equal(usage?.completion_tokens_details?.reasoning_tokens, 0);
  }
});

const WEATHER = z.strictObject({
  city: z.string(),
  unit: z.enum(['celsius', 'fahrenheit']),
  days: z.int().min(1).max(7),
});
const TOOL = {
  type: 'function' as const,
  function: {
    name: 'get_weather',
    description: 'The weather of the coming days',
    parameters: z.toJSONSchema(WEATHER),
    strict: true,
  },
};
const NAMED = { type: 'function' as const, function: { name: 'get_weather' } };

test('tools: a forced call is whole and fits its schema, streamed or not; its result goes back', async () => {
  const asked = { ...nano({ messages: user('How is the weather in Paris?') }), tools: [TOOL] };
  for (const tool_choice of ['required' as const, NAMED]) {
    const whole = await client.chat.completions.create({ ...asked, tool_choice });
    const [call] = whole.choices[0]?.message.tool_calls ?? [];
    assert.equal(whole.choices[0]?.finish_reason, 'tool_calls');
    assert.ok(call?.type === 'function' && call.id);
    assert.equal(call.function.name, 'get_weather');
    WEATHER.parse(JSON.parse(call.function.arguments));
    // The helper puts the deltas together by index.
    const streamed = await client.chat.completions.stream({ ...asked, tool_choice }).finalChatCompletion();
    const [again] = streamed.choices[0]?.message.tool_calls ?? [];
    assert.ok(again?.type === 'function');
    WEATHER.parse(JSON.parse(again.function.arguments));
    assert.equal(streamed.choices[0]?.finish_reason, 'tool_calls');
    const next = await client.chat.completions.create({
      ...asked,
      messages: [
        ...asked.messages,
        { role: 'assistant', content: null, tool_calls: [call] },
        { role: 'tool', tool_call_id: call.id, content: '{"celsius":21}' },
      ],
      tool_choice: 'none',
    });
    assert.equal(next.choices[0]?.finish_reason, 'stop');
    assert.ok(next.choices[0].message.content);
  }
});

test('tools: the helper that runs functions runs ours', async () => {
  const given: unknown[] = [];
  const add = zodFunction({
    name: 'add',
    parameters: z.object({ a: z.int(), b: z.int() }),
    function: ({ a, b }) => {
      given.push(a, b);
      return String(a + b);
    },
  });
  const runner = client.chat.completions.runTools({
    ...nano(),
    tools: [add],
    tool_choice: { type: 'function', function: { name: 'add' } },
  });
  await runner.done();
  assert.ok(given.length === 2 && given.every(value => Number.isInteger(value)));
});

test('tools: a model that did not learn to choose answers in text, and says so', async () => {
  const { data, response } = await client.chat.completions.create({ ...nano(), tools: [TOOL] }).withResponse();
  assert.equal(data.choices[0]?.finish_reason, 'stop');
  assert.ok(data.choices[0].message.content);
  assert.match(response.headers.get('x-millrace-tools') ?? '', /not offered/);
});

const PERSON = z.object({
  name: z.string(),
  age: z.int().min(0).max(150),
  emails: z.array(z.string()),
  address: z.object({ city: z.string(), zip: z.string().nullable() }),
});

test('a JSON schema is kept: by hand, by the parse helper, and by the stream helper', async () => {
  const asked = nano({ messages: user('Tell me about Ida.') });
  const response_format = zodResponseFormat(PERSON, 'person');
  const plain = await client.chat.completions.create({ ...asked, response_format });
  PERSON.parse(JSON.parse(plain.choices[0]?.message.content ?? ''));
  const parsed = await client.chat.completions.parse({ ...asked, response_format });
  assert.equal(parsed.choices[0]?.finish_reason, 'stop');
  assert.equal(typeof parsed.choices[0].message.parsed?.age, 'number');
  const streamed = await client.chat.completions.stream({ ...asked, response_format }).finalChatCompletion();
  assert.equal(typeof streamed.choices[0]?.message.parsed?.address.city, 'string');
  const free = await client.chat.completions.create({ ...asked, response_format: { type: 'json_object' } });
  assert.equal(typeof JSON.parse(free.choices[0]?.message.content ?? ''), 'object');
});

test('embeddings: several inputs, as numbers and as base64, of one length', async () => {
  const asked = { model: 'millrace-nano', input: ['water', 'wheel', '水车'] };
  // Without a format this client asks for base64 and turns it back.
  const packed = await client.embeddings.create(asked);
  const plain = await client.embeddings.create({ ...asked, encoding_format: 'float' });
  assert.deepEqual(
    packed.data.map(({ index }) => index),
    [0, 1, 2],
  );
  for (const [index, { embedding }] of plain.data.entries()) {
    assert.equal(embedding.length, 192);
    assert.deepEqual(packed.data[index]?.embedding, embedding);
    assert.ok(Math.abs(Math.hypot(...embedding) - 1) < 1e-4);
  }
  assert.notDeepEqual(plain.data[0]?.embedding, plain.data[1]?.embedding);
  assert.ok(plain.usage.prompt_tokens >= 3);
});

test('completions, whole and streamed; models', async () => {
  const asked = { model: 'millrace-nano', prompt: 'Once upon a time', max_tokens: 12, temperature: 0 };
  const whole = await client.completions.create(asked);
  assert.equal(whole.choices[0]?.finish_reason, 'length');
  assert.equal(whole.usage?.completion_tokens, 12);
  let text = '';
  for await (const chunk of await client.completions.create({ ...asked, stream: true })) text += chunk.choices[0]?.text;
  assert.equal(text, whole.choices[0].text);
  const listed: string[] = [];
  for await (const { id } of client.models.list()) listed.push(id);
  assert.deepEqual(listed.toSorted(), ['dollars', 'millrace-nano', 'mock-1', 'vendor']);
  const model = await client.models.retrieve('millrace-nano');
  assert.deepEqual([model.id, model.object], ['millrace-nano', 'model']);
});

test('aborted in mid-stream: the engine is free again, nothing stays held, one settlement', async () => {
  // Sixteen answers without an end keep every sequence of the engine busy.
  const endless = { ...nano({ ignore_eos: true, n: 16, temperature: 1, max_tokens: 384 }), stream: true as const };
  const abort = new AbortController();
  const { data, response } = await client.chat.completions.create(endless, { signal: abort.signal }).withResponse();
  for await (const _ of data) abort.abort();
  assert.match((await client.chat.completions.create(nano())).choices[0]?.message.content ?? '', /\b85\b/);
  await account.settled();
  const line = await account.line(response.headers.get('x-request-id'));
  assert.equal(line.outcome, 'client-gone');
  assert.ok(line.outputTokens < 16 * 384);
  await account.verify();
});

test('every refusal is the error class that the client has for it', async () => {
  const poor = clientWith(await account.newKey({ budget: { currency: 'CNY', amount: '0.000001', period: 'day' } }));
  const limited = clientWith(await account.newKey({ requestsPerMinute: 1 }));
  const narrow = clientWith(await account.newKey({ models: ['vendor'] }));
  await limited.chat.completions.create(nano());
  upstream.script('their-name', { status: 500 });
  const chat = (by: OpenAI, more: object = {}) => by.chat.completions.create(nano(more));
  const cases: readonly [
    ask: () => Promise<unknown>,
    kind: new (...rest: never) => APIError,
    status: number,
    code: string,
  ][] = [
    [() => chat(client, { messages: [] }), BadRequestError, 400, 'invalid_parameter'],
    [() => chat(client, { temperature: 7 }), BadRequestError, 400, 'invalid_parameter'],
    [() => chat(client, { messages: user('long '.repeat(600)) }), BadRequestError, 400, 'context_length_exceeded'],
    [() => chat(clientWith('mr_live_wrong')), AuthenticationError, 401, 'invalid_api_key'],
    [() => chat(poor), APIError, 402, 'insufficient_funds'],
    [() => chat(client, { model: 'dollars' }), PermissionDeniedError, 403, 'unpriced'],
    [() => chat(client, { model: 'nothing' }), NotFoundError, 404, 'model_not_found'],
    [() => chat(narrow), NotFoundError, 404, 'model_not_found'],
    [() => client.models.retrieve('nothing'), NotFoundError, 404, 'model_not_found'],
    [() => client.responses.create({ model: 'millrace-nano', input: 'hi' }), NotFoundError, 404, 'not_found'],
    [() => chat(limited), RateLimitError, 429, 'rate_limited'],
    [() => chat(client, { model: 'vendor' }), InternalServerError, 502, 'upstream_error'],
  ];
  for (const [ask, kind, status, code] of cases) {
    const error = await ask().then(
      () => assert.fail(`${code}: answered`),
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof kind, `${code}: ${error}`);
    assert.deepEqual([error.status, error.code], [status, code]);
    assert.ok(error.requestID && error.message && error.type);
    if (status === 429) assert.ok(Number(error.headers?.get('retry-after')) >= 1);
  }
  upstream.script('their-name', {});
});

test('a refusal is the same before a stream', async () => {
  await assert.rejects(client.chat.completions.create({ ...nano({ model: 'nothing' }), stream: true }), NotFoundError);
});

const ARGUMENTS = { city: '巴黎 "centre"\n', unit: 'celsius', days: 3 };

test('another vendor’s tool calls pass through, whole and streamed, and ours reach it as they were', async () => {
  const written = JSON.stringify(ARGUMENTS);
  upstream.script('their-name', {
    keepsBody: true,
    calls: [
      { name: 'get_weather', arguments: written },
      { name: 'get_weather', arguments: '{}' },
    ],
  });
  const messages = [
    ...SUM,
    {
      role: 'assistant' as const,
      content: null,
      tool_calls: [
        { id: 'call_1', type: 'function' as const, function: { name: 'get_weather', arguments: '{"a":1}' } },
      ],
    },
    { role: 'tool' as const, tool_call_id: 'call_1', content: '21' },
  ];
  const asked = { model: 'vendor', messages, tools: [TOOL], parallel_tool_calls: true, tool_choice: NAMED };
  const whole = await client.chat.completions.create(asked);
  const sent = z.looseObject({}).parse(upstream.calls.at(-1)?.body);
  for (const [field, value] of Object.entries(asked))
    assert.deepEqual(sent[field], field === 'model' ? 'their-name' : JSON.parse(JSON.stringify(value)), field);
  const streamed = await client.chat.completions.stream(asked).finalChatCompletion();
  for (const { model, choices } of [whole, streamed]) {
    assert.equal(model, 'vendor');
    assert.equal(choices[0]?.finish_reason, 'tool_calls');
    assert.equal(choices[0].message.content, null);
    assert.deepEqual(
      choices[0].message.tool_calls?.map(call => call.type === 'function' && [call.id, call.function.arguments]),
      [
        ['call_fake0', written],
        ['call_fake1', '{}'],
      ],
    );
  }
});

test('another vendor’s structured output passes through, whole and streamed', async () => {
  const ida = { name: 'Ida 艾达', age: 36, emails: ['a@b.c'], address: { city: '巴黎', zip: null } };
  upstream.script('their-name', { keepsBody: true, says: JSON.stringify(ida) });
  const response_format = zodResponseFormat(PERSON, 'person');
  const asked = { model: 'vendor', messages: SUM, response_format };
  const whole = await client.chat.completions.parse(asked);
  const sent = z.looseObject({}).parse(upstream.calls.at(-1)?.body);
  assert.deepEqual(sent['response_format'], JSON.parse(JSON.stringify(response_format)));
  const streamed = await client.chat.completions.stream(asked).finalChatCompletion();
  assert.deepEqual(whole.choices[0]?.message.parsed, ida);
  assert.deepEqual(streamed.choices[0]?.message.parsed, ida);
});

test('after all of it the books are right', () => account.verify());
