import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fault } from '../../std/index.ts';
import { openaiChat } from './index.ts';

const decode = (body: unknown, operation: 'chat' | 'completions' | 'embeddings' = 'chat') =>
  openaiChat.decodeRequest(operation, Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)));
const chat = (more: object = {}) => ({ model: 'm', messages: [{ role: 'user', content: '你好' }], ...more });
const refused = (body: unknown, param: string | undefined, operation?: 'chat' | 'completions' | 'embeddings') =>
  assert.throws(
    () => decode(body, operation),
    (error: unknown) =>
      error instanceof Fault &&
      error.status === 400 &&
      error.details.param === param &&
      error.details.messageZh !== undefined,
  );

test('refuses what is no request, and names the field', () => {
  for (const body of ['', 'x', '[]', 'null', '"a"', '{"a":', '\u0000', `${'['.repeat(100_000)}`])
    refused(body, undefined);
  refused({ messages: [] }, 'model');
  refused({ model: 3, messages: [] }, 'model');
  for (const messages of [undefined, null, 'x', [], {}]) refused({ model: 'm', messages }, 'messages');
  refused(chat({ messages: [3] }), 'messages[0]');
  refused(chat({ messages: [{ content: 'x' }] }), 'messages[0].role');
  refused(chat({ stream: 'yes' }), 'stream');
  refused({ model: 'm', input: 'x', stream: true }, 'stream', 'embeddings');
  for (const input of [undefined, '{}', [], [1.5], [[]], {}])
    if (input !== '{}') refused({ model: 'm', input }, 'input', 'embeddings');
});

test('what decides about money is a whole number in range', () => {
  for (const field of ['max_tokens', 'max_completion_tokens', 'n']) {
    for (const bad of [0, -1, 1.5, '5', 1e9, true, [], {}]) refused(chat({ [field]: bad }), field);
    refused(`{"model":"m","messages":[{"role":"user"}],"${field}":1e400}`, field);
    assert.ok(decode(chat({ [field]: null })));
  }
  assert.equal(decode(chat({ max_tokens: 9, max_completion_tokens: 7 })).maxOutputTokens, 7);
  assert.equal(decode(chat({ n: 4 })).choices, 4);
  assert.equal(decode({ model: 'm', prompt: ['a', 'b'], n: 2, best_of: 3 }, 'completions').choices, 6);
});

test('the input bound covers every byte, message and part', () => {
  const text = '字'.repeat(1_000);
  const one = decode(chat({ messages: [{ role: 'user', content: text }] }));
  assert.ok(one.inputTokensMax >= 3_000);
  const image = decode(
    chat({ messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'https://x' } }] }] }),
  );
  assert.ok(image.inputTokensMax > 16_000);
});

test('the upstream gets every field, its own model name, usage asked for and the output bounded', () => {
  const body = chat({ stream: true, seed: 5, unknown_field: { deep: [1, 'x'] }, stream_options: { extra: 1 } });
  const sent = (more: object, quirks: string[] = []) =>
    JSON.parse(openaiChat.encodeRequest(decode({ ...body, ...more }), { model: 'up', maxOutputTokens: 64, quirks }));
  assert.deepEqual(sent({}), {
    ...body,
    model: 'up',
    stream_options: { extra: 1, include_usage: true },
    max_tokens: 64,
  });
  assert.equal(sent({ max_tokens: 5 }).max_tokens, 5);
  // One field, that which the upstream honours, whatever name the client used.
  assert.equal(sent({ max_completion_tokens: 5 }).max_tokens, 5);
  assert.equal(sent({ max_completion_tokens: 5 }).max_completion_tokens, undefined);
  assert.equal(sent({ max_tokens: 5 }, ['max-completion-tokens']).max_tokens, undefined);
  assert.equal(sent({ max_tokens: 5 }, ['max-completion-tokens']).max_completion_tokens, 5);
  assert.equal(sent({}, ['no-stream-options']).stream_options, undefined);
  const big = openaiChat.encodeRequest(
    decode('{"model":"m","messages":[{"role":"user"}],"seed":9007199254740993,"__proto__":{"x":1}}'),
    { model: 'up', maxOutputTokens: 1, quirks: [] },
  );
  assert.match(big, /"seed":9007199254740993/);
  assert.equal(({} as { x?: number }).x, undefined);
});

test('an upstream fault becomes ours, without its secrets', () => {
  const cases: readonly [number, object | string, string][] = [
    [401, { error: { message: 'bad key sk-abcdef123456' } }, 'upstream_error'],
    [402, { error: { message: 'no balance' } }, 'upstream_error'],
    [404, { error: { message: 'model not found' } }, 'upstream_error'],
    [429, { error: { message: 'slow down' } }, 'capacity'],
    [503, 'busy', 'capacity'],
    [529, {}, 'capacity'],
    [500, '<html>', 'upstream_error'],
    [504, '', 'upstream_timeout'],
    [
      400,
      { error: { message: "This model's maximum context length is 10", code: 'context_length_exceeded' } },
      'context_length_exceeded',
    ],
    [400, { error: { message: 'bad temperature at https://host/x', param: 'temperature' } }, 'invalid_parameter'],
  ];
  for (const [status, body, code] of cases) {
    const fault = openaiChat.decodeFault(
      status,
      {},
      Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
    );
    assert.equal(fault.code, code, `${status}`);
    assert.doesNotMatch(fault.message, /sk-abc|https?:/);
  }
  assert.equal(openaiChat.decodeFault(429, { 'retry-after': '7' }, Buffer.from('')).details.retryAfterMs, 7_000);
  assert.equal(openaiChat.decodeFault(429, { 'retry-after-ms': '1500' }, Buffer.from('')).details.retryAfterMs, 1_500);
});

test('a fault in the shape that clients know, in both languages', () => {
  const fault = new Fault('rate_limited', { retryAfterMs: 1_200 });
  const en = openaiChat.encodeFault(fault, { requestId: 'r', lang: 'en' });
  assert.equal(en.status, 429);
  assert.equal(en.headers['retry-after'], '2');
  assert.deepEqual(JSON.parse(en.body).error, {
    message: fault.message,
    type: 'rate_limit_error',
    param: null,
    code: 'rate_limited',
    request_id: 'r',
  });
  assert.match(openaiChat.encodeFault(fault, { requestId: 'r', lang: 'zh' }).body, /上限/);
});

test('an answer that is an error, and a stream that breaks, are faults', () => {
  assert.throws(() => openaiChat.decodeResponse('chat', Buffer.from('{"error":{"message":"boom"}}')), {
    code: 'upstream_error',
  });
  assert.throws(() => openaiChat.decodeResponse('chat', Buffer.from('{"id":1}')), { code: 'upstream_error' });
  assert.throws(() => openaiChat.decodeResponse('chat', Buffer.from('<html>')), { code: 'upstream_error' });
  for (const usage of [
    { prompt_tokens: -1, completion_tokens: 1 },
    { prompt_tokens: 1, completion_tokens: 1.5 },
    { prompt_tokens: '1' },
    { prompt_tokens: 1e300 },
  ]) {
    assert.equal(
      openaiChat.decodeResponse('chat', Buffer.from(JSON.stringify({ choices: [], usage }))).usage,
      undefined,
    );
  }
  const decoder = openaiChat.decoder('chat', { rename: undefined });
  const frame = decoder.push(Buffer.from('data: {"error":{"message":"overloaded","code":"overloaded"}}\n\n'));
  assert.ok(frame.events.some(event => event.type === 'error' && event.fault.code === 'capacity'));
  const noise = openaiChat.decoder('chat', { rename: undefined });
  assert.throws(() => noise.push(Buffer.from('data: <html>\n\n')), { code: 'upstream_error' });
});
