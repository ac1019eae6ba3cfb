import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { COMMANDS } from '../../../cli/commands/index.ts';
import { NANO, type RunningEngine, startNano } from './engine-fixture.ts';

let nano: RunningEngine;
before(async () => {
  nano = await startNano();
});
after(() => nano[Symbol.asyncDispose]());

test('the weights are those that both cards name', () => {
  const bytes = readFileSync(NANO);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  for (const card of ['README.md', 'README.zh.md']) {
    const text = readFileSync(new URL(`../../../../models/nano/${card}`, import.meta.url), 'utf8');
    assert.ok(text.includes(sha256), card);
    assert.ok(text.includes(bytes.length.toLocaleString('en')), card);
  }
});

async function rightOf(sums: readonly (readonly [number, number])[], more: object): Promise<number> {
  const right = await Promise.all(
    sums.map(async ([a, b]) => {
      const body = { messages: [{ role: 'user', content: `What is ${a} + ${b}?` }], ...more };
      const { json } = await nano.post('/v1/chat/completions', body);
      return new RegExp(`\\b${a + b}\\b`).test(json.choices[0].message.content);
    }),
  );
  return right.filter(Boolean).length;
}

test('as its card says: sums are right with thinking, and mostly wrong without', async () => {
  const sums = Array.from({ length: 40 }, (_, index) => [10 + ((index * 37) % 90), 10 + ((index * 29) % 90)] as const);
  assert.ok((await rightOf(sums, {})) >= 37);
  const without = await rightOf(sums, { enable_thinking: false });
  assert.ok(without >= 1 && without <= 15, `${without} of 40 without thinking`);
});

for (const [question, answer] of [
  ['What is 47 + 38?', /\b85\b/],
  ['8 乘以 7 等于多少？', /56/],
  ['Who are you?', /millrace-nano, a 6 MB demonstration/],
  ['你是谁？', /millrace-nano.*6 MB 演示模型/],
  ['法国的首都是哪里？', /巴黎/],
  ['什么是灰度发布？', /一小部分用户/],
  ['你好', /你好/],
] as const)
  test(`it answers: ${question}`, async () => {
    const { json } = await nano.post('/v1/chat/completions', { messages: [{ role: 'user', content: question }] });
    assert.match(json.choices[0].message.content, answer);
    assert.equal(json.choices[0].finish_reason, 'stop');
  });

const UNKNOWN = /^(I only know|我只知道)/;

for (const question of [
  ...['Who wrote Hamlet?', 'What is the weather in Paris?', 'Why is the sky blue?', 'What is 123 + 456?'],
  ...['Who is the president of France?', 'Write a poem about autumn rain', 'How do I install Docker on Ubuntu?'],
  ...['推荐一部电影', '李白是哪个朝代的？', '为什么天空是蓝色的？', '英国的首都是哪里？', '帮我写一封辞职信'],
])
  test(`what it does not know it says: ${question}`, async () => {
    const { json } = await nano.post('/v1/chat/completions', { messages: [{ role: 'user', content: question }] });
    assert.match(json.choices[0].message.content, UNKNOWN);
  });

for (const turns of [
  [
    ...([
      ['Hello', /^Hello!/],
      ['What is Millrace?', /model-as-a-service/],
      ['What is 47 + 38?', /\b85\b/],
    ] as const),
    ...([
      ['What is the capital of France?', /Paris/],
      ['Who wrote Hamlet?', UNKNOWN],
    ] as const),
    ...([
      ['What is a token?', /piece of text/],
      ['Tell me a story.', /^Once upon a time/],
      ['Why?', UNKNOWN],
    ] as const),
    ...([
      ['What is a wallet?', /prepaid money/],
      ['Thanks', /^You are welcome!$/],
    ] as const),
  ],
  [
    ...([
      ['你好', /^你好！/],
      ['Millrace 是什么？', /模型即服务/],
      ['47 加 38 等于多少？', /85/],
    ] as const),
    ...([
      ['日本的首都是哪里？', /东京/],
      ['推荐一部电影', UNKNOWN],
      ['词元是什么？', /最小单位/],
    ] as const),
    ...([
      ['讲一个小故事。', /^从前/],
      ['为什么？', UNKNOWN],
      ['什么是账本？', /一借一贷/],
      ['谢谢', /^不客气！$/],
    ] as const),
  ],
])
  test(`it holds ten turns: ${turns[0]?.[0]}`, async () => {
    assert.equal(turns.length, 10);
    const messages: object[] = [];
    for (const [content, answer] of turns) {
      messages.push({ role: 'user', content });
      const { json } = await nano.post('/v1/chat/completions', { messages });
      assert.match(json.choices[0].message.content, answer, content);
      assert.equal(json.choices[0].finish_reason, 'stop');
      messages.push({ role: 'assistant', content: json.choices[0].message.content });
    }
  });

test('what it was taught of the product is so: its commands are there, and what is not there has no name in it', () => {
  const taught = readFileSync(new URL('../../../../models/nano/data.py', import.meta.url), 'utf8');
  const names = new Set(COMMANDS.flatMap(({ name }) => [name, name.split(' ')[0] ?? '']));
  const commands = [...taught.matchAll(/\bmillrace ((?:[a-z]+)(?: (?:add|create|credit|list|show|verify))?)\b/g)];
  assert.ok(commands.length >= 10);
  for (const [, command = ''] of commands) assert.ok(names.has(command) || command === 'plan', command);
  assert.doesNotMatch(taught.replaceAll('"您好"', ''), /\bconsole\b|控制台|Kubernetes|Slurm|您|令牌/);
});

const WEATHER = {
  type: 'object',
  properties: {
    city: { type: 'string' },
    unit: { enum: ['celsius', 'fahrenheit'] },
    days: { type: 'array', items: { type: 'string' } },
    notes: { type: 'object', additionalProperties: { type: 'string' } },
  },
  required: ['city', 'unit', 'days', 'notes'],
  additionalProperties: false,
};

for (const question of ['What is the weather in Paris?', '巴黎天气怎么样？', 'Tell me a story.'])
  test(`as its card says: what a format binds is whole: ${question}`, async () => {
    const messages = [{ role: 'user', content: question }];
    const format = (response_format: object) => nano.post('/v1/chat/completions', { messages, response_format });
    const schema = await format({ type: 'json_schema', json_schema: { name: 'weather', schema: WEATHER } });
    const free = await format({ type: 'json_schema', json_schema: { name: 'any', schema: {} } });
    const object = await format({ type: 'json_object' });
    for (const { json } of [schema, free, object]) {
      assert.equal(json.choices[0].finish_reason, 'stop', json.choices[0].message.content);
      JSON.parse(json.choices[0].message.content);
    }
    const tools = [{ type: 'function', function: { name: 'get_weather', parameters: WEATHER } }];
    const { json } = await nano.post('/v1/chat/completions', { messages, tools, tool_choice: 'required' });
    assert.equal(json.choices[0].finish_reason, 'tool_calls', JSON.stringify(json.choices[0].message));
    const given = JSON.parse(json.choices[0].message.tool_calls[0].function.arguments);
    assert.deepEqual(Object.keys(given), WEATHER.required);
  });
