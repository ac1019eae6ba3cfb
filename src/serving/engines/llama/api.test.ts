import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { NANO, type RunningEngine, startNano } from './engine-fixture.ts';
import { entry, inTwoParts, TEMPLATE_KEY, withEntries } from './gguf-fixture.ts';

let nano: RunningEngine;
before(async () => {
  nano = await startNano();
});
after(() => nano[Symbol.asyncDispose]());

const COMPLETE = '/v1/completions';
const EMBED = '/v1/embeddings';
const CHAT = '/v1/chat/completions';

test('completions: a text, several, tokens; each with its choices', async () => {
  const one = await nano.post(COMPLETE, { prompt: 'Hello', max_tokens: 8, temperature: 0 });
  assert.equal(one.json.object, 'text_completion');
  const { text, index, finish_reason: finish } = one.json.choices[0];
  assert.deepEqual([index, finish], [0, 'length']);
  assert.ok(text.length > 0);
  const two = await nano.post(COMPLETE, { prompt: ['Hello', '你好'], n: 2, max_tokens: 8, temperature: 0 });
  assert.deepEqual(
    two.json.choices.map((each: { index: number }) => each.index),
    [0, 1, 2, 3],
  );
  assert.equal(two.json.choices[1].text, text);
  assert.equal(two.json.usage.completion_tokens, 32);
  assert.equal(two.json.usage.prompt_tokens, one.json.usage.prompt_tokens + 1);
  const echoed = await nano.post(COMPLETE, { prompt: 'Hello', max_tokens: 8, temperature: 0, echo: true });
  assert.equal(echoed.json.choices[0].text, `Hello${text}`);
  const logged = await nano.post(COMPLETE, { prompt: 'Hello', max_tokens: 8, temperature: 0, logprobs: 2 });
  const { tokens, token_logprobs: logprobs, top_logprobs: top, text_offset: offsets } = logged.json.choices[0].logprobs;
  assert.equal(tokens.join(''), text);
  assert.equal(logprobs.length, 8);
  assert.equal(Object.keys(top[0]).length, 2);
  assert.equal(offsets[1], tokens[0].length);
});

test('a prompt that fills the context but for two tokens gets two, in parts', async () => {
  const prompt = Array.from({ length: 1022 }, (_, index) => 300 + ((index * 7) % 2000));
  const { json } = await nano.post(COMPLETE, { prompt, temperature: 0, ignore_eos: true });
  assert.equal(json.usage.prompt_tokens, 1022);
  assert.deepEqual([json.usage.completion_tokens, json.choices[0].finish_reason], [2, 'length']);
  const whole = await nano.post(COMPLETE, { prompt: prompt.slice(0, 992), max_tokens: 5, temperature: 0 });
  assert.equal(whole.json.usage.prompt_tokens_details.cached_tokens, 991);
});

test('fields that have no effect are named', async () => {
  const { headers } = await nano.post(COMPLETE, { prompt: 'a', max_tokens: 1, user: 'u', typo_k: 3, 'x\ny': 1 });
  assert.equal(headers['x-millrace-ignored'], 'typo_k');
  assert.equal((await nano.post(EMBED, { input: 'a', user: 'u' })).headers['x-millrace-ignored'], undefined);
});

test('completions: streamed they are the same, echo included', async () => {
  const body = { prompt: ['Hello', 'What is Millrace?'], max_tokens: 20, temperature: 0, echo: true };
  const whole = await nano.post(COMPLETE, body);
  const texts = ['', ''];
  let usage: unknown;
  for await (const data of nano.stream(COMPLETE, { ...body, stream_options: { include_usage: true } })) {
    if (data === '[DONE]') continue;
    const chunk = JSON.parse(data);
    usage = chunk.usage ?? usage;
    for (const choice of chunk.choices) texts[choice.index] += choice.text;
  }
  assert.deepEqual(
    texts,
    whole.json.choices.map((each: { text: string }) => each.text),
  );
  assert.equal(
    JSON.stringify(usage).replace(/"cached_tokens":\d+/, ''),
    JSON.stringify(whole.json.usage).replace(/"cached_tokens":\d+/, ''),
  );
});

test('completions: what cannot be done is refused', async () => {
  for (const [body, param] of [
    [{}, 'prompt'],
    [{ prompt: '' }, 'prompt'],
    [{ prompt: [] }, 'prompt'],
    [{ prompt: [1, 3072] }, 'prompt'],
    [{ prompt: [1.5] }, 'prompt'],
    [{ prompt: [['a']] }, 'prompt'],
    [{ prompt: 'a', suffix: 'b' }, 'suffix'],
    [{ prompt: 'a', best_of: 3 }, 'best_of'],
    [{ prompt: 'a', logprobs: 6 }, 'logprobs'],
    [{ prompt: 'a', logprobs: 1, echo: true }, 'logprobs'],
    [{ prompt: new Array(1024).fill(1) }, 'prompt'],
  ] as const) {
    const { status, json } = await nano.post(COMPLETE, body);
    assert.equal(status, 400, JSON.stringify(body).slice(0, 80));
    assert.equal(json.error.param, param);
  }
});

test('embeddings: unit vectors, alike for like texts, in both encodings', async () => {
  const input = ['What is the capital of France?', 'capital of France', '讲一个小故事。'];
  const { json } = await nano.post(EMBED, { input, dimensions: 192 });
  const vectors: number[][] = json.data.map((each: { embedding: number[] }) => each.embedding);
  for (const vector of vectors) {
    assert.equal(vector.length, 192);
    assert.ok(Math.abs(Math.hypot(...vector) - 1) < 1e-5);
  }
  const likeness = (a = 0, b = 0) =>
    (vectors[a] ?? []).reduce((sum, value, index) => sum + value * (vectors[b]?.[index] ?? 0), 0);
  assert.ok(likeness(0, 1) > likeness(0, 2) + 0.2);
  assert.equal(json.usage.prompt_tokens, json.usage.total_tokens);
  const packed = await nano.post(EMBED, { input: input[1], encoding_format: 'base64' });
  const bytes = Buffer.from(packed.json.data[0].embedding, 'base64');
  const unpacked = Array.from({ length: 192 }, (_, index) => bytes.readFloatLE(index * 4));
  assert.deepEqual(unpacked, vectors[1]);
  assert.ok(packed.json.usage.prompt_tokens > 1);
});

test('embeddings: what cannot be done is refused', async () => {
  for (const [body, param, code] of [
    [{}, 'input', 'invalid_parameter'],
    [{ input: '' }, 'input', 'invalid_parameter'],
    [{ input: 'a', dimensions: 64 }, 'dimensions', 'invalid_parameter'],
    [{ input: 'a', encoding_format: 'hex' }, 'encoding_format', 'invalid_parameter'],
    [{ input: 'long '.repeat(600) }, 'input', 'context_length_exceeded'],
  ] as const) {
    const { status, json } = await nano.post(EMBED, body);
    assert.deepEqual([status, json.error.param, json.error.code], [400, param, code]);
  }
});

test('other pages: health, models, props with the readings, metrics', async () => {
  assert.deepEqual((await nano.get('/health')).json, { status: 'ok' });
  const models = (await nano.get('/v1/models')).json;
  assert.equal(models.data[0].id, 'millrace-nano');
  assert.equal(models.data[0].meta.n_ctx, 1024);
  const props = (await nano.get('/props')).json;
  assert.equal(props.total_slots, 8);
  assert.equal(props.default_generation_settings.params.thinking, true);
  assert.ok(props.tuning.readings.length >= 2);
  assert.ok(props.tuning.readings.every((reading: { tokensPerSecond: number }) => reading.tokensPerSecond > 0));
  assert.equal(await nano.metric('requests_processing'), 0);
  assert.ok((await nano.metric('tokens_predicted_total')) > 0);
});

test('malformed requests are refused in the OpenAI shape, and the connection goes on', async () => {
  for (const [path, body, status] of [
    [CHAT, '{"messages":', 400],
    [CHAT, '[]', 400],
    [CHAT, 'null', 400],
    [CHAT, '', 400],
    [CHAT, '\u0000'.repeat(100), 400],
    ['/v1/nothing', '{}', 404],
    ['//', '{}', 404],
    ['http://[/v1', '{}', 404],
    [`${CHAT}?api-version=1`, '{}', 400],
    ['/health', '{}', 405],
  ] as const) {
    const reply = await nano.post(path, body);
    assert.equal(reply.status, status);
    assert.equal(typeof reply.json.error.message, 'string');
  }
  assert.equal((await nano.get(CHAT)).status, 405);
  const large = await nano.post(CHAT, 'x'.repeat(17_000_000)).catch((error: Error) => error);
  // The refusal comes while the body is still on its way: some clients see it, others a closed connection.
  if (!(large instanceof Error)) assert.equal(large.status, 413);
  assert.equal((await nano.get('/health')).status, 200);
});

test('bytes that are no HTTP, and requests that never end, harm no one', async () => {
  const rough = connect(nano.socketPath);
  rough.on('error', () => {});
  rough.end('GARBAGE\r\n\r\n');
  const slow = connect(nano.socketPath);
  slow.write(`POST ${CHAT} HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{"mess`);
  assert.equal((await nano.get('/health')).status, 200);
  slow.destroy();
  assert.equal((await nano.get('/health')).status, 200);
});

test('only the owner can reach the socket', { skip: process.platform === 'win32' }, () => {
  assert.equal(statSync(nano.socketPath).mode & 0o777, 0o600);
});

test('a model of vectors alone makes those, and says so of the rest', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'mr-'));
  const file = join(folder, 'vectors.gguf');
  withEntries(NANO, file, [entry.u32('llama.pooling_type', 1)]);
  await using engine = await startNano({ file });
  assert.equal((await engine.post(EMBED, { input: 'Hello' })).json.data[0].embedding.length, 192);
  for (const path of [CHAT, COMPLETE]) {
    const { status, json } = await engine.post(path, { messages: [], prompt: 'a' });
    assert.deepEqual([status, json.error.param], [400, 'model']);
  }
  assert.deepEqual((await engine.get('/props')).json.model.operations, ['embeddings']);
  rmSync(folder, { recursive: true });
});

test('a model in two parts is loaded by its first', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'mr-'));
  const file = join(folder, 'n-00001-of-00002.gguf');
  inTwoParts(NANO, [file, join(folder, 'n-00002-of-00002.gguf')]);
  await using engine = await startNano({ file });
  const { json } = await engine.post(CHAT, { messages: [{ role: 'user', content: 'What is 1 + 2?' }] });
  assert.match(json.choices[0].message.content, /3/);
  rmSync(folder, { recursive: true });
});

test('other templates: tools that the model was taught, thinking that never stops, and none', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'mr-'));
  const messages = [{ role: 'user', content: 'What is 1 + 2?' }];
  const withNano = async (template: string | undefined, use: (engine: RunningEngine) => Promise<void>) => {
    const file = join(folder, 'other.gguf');
    withEntries(NANO, file, template === undefined ? [] : [entry.string(TEMPLATE_KEY, template)]);
    await using engine = await startNano({ file, sequences: 2, contextTokens: 400 });
    await use(engine);
  };
  const turns =
    '{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n';
  await withNano(`{% if tools %}{{ tools | length }} tools: <tool_call>{% endif %}${turns}`, async engine => {
    const tools = [{ type: 'function', function: { name: 'add' } }];
    const forced = await engine.post(CHAT, { messages, tools, tool_choice: 'required' });
    assert.deepEqual(
      forced.json.choices[0].message.tool_calls.map((call: { function: object }) => call.function),
      [{ name: 'add', arguments: '{}' }],
    );
    const free = await engine.post(CHAT, { messages, tools, enable_thinking: false });
    assert.equal(free.status, 200);
    assert.equal((await engine.get('/props')).json.total_slots, 2);
    assert.equal((await engine.get('/v1/models')).json.data[0].meta.n_ctx, 400);
  });
  await withNano(`${turns}<think>\n`, async engine => {
    const always = await engine.post(CHAT, { messages });
    assert.match(always.json.choices[0].message.reasoning_content, /1 \+ 2/);
    assert.equal((await engine.post(CHAT, { messages, enable_thinking: false })).json.error.param, 'enable_thinking');
  });
  await withNano(undefined, async engine => {
    const { json } = await engine.post(CHAT, { messages });
    assert.match(json.choices[0].message.content, /3/);
    assert.equal((await engine.get('/props')).json.chat_template_source, 'chatml');
  });
  rmSync(folder, { recursive: true });
});
