import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Fault } from '../../../ground/std/index.ts';
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
    for (const bad of [0, -1, 1.5, '5', 1e9, 2 ** 53, true, [], {}]) refused(chat({ [field]: bad }), field);
    refused(`{"model":"m","messages":[{"role":"user"}],"${field}":1e400}`, field);
    assert.ok(decode(chat({ [field]: null })));
  }
  refused(chat({ n: 129 }), 'n');
  refused(chat({ best_of: -1 }), 'best_of');
  refused(chat({ top_logprobs: 101 }), 'top_logprobs');
  for (const bad of [-0.1, 2.1, '1', null]) {
    if (bad === null) assert.ok(decode(chat({ temperature: bad })));
    else refused(chat({ temperature: bad }), 'temperature');
  }
  refused(`{"model":"m","messages":[{"role":"user"}],"max_tokens":9007199254740993}`, 'max_tokens');
  assert.equal(decode(chat({ max_tokens: 9, max_completion_tokens: 7 })).maxOutputTokens, 7);
  assert.equal(decode(chat({ n: 4 })).choices, 4);
  assert.equal(decode({ model: 'm', prompt: ['a', 'b'], n: 2, best_of: 3 }, 'completions').choices, 6);
});

describe('what the input can cost', () => {
  const bound = (content: unknown, more: object = {}) =>
    decode(chat({ messages: [{ role: 'user', content }], ...more })).inputTokensMax;

  test('covers every byte of any text, as the longest template says it', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' }), { minLength: 1, maxLength: 8 }), texts => {
        const messages = texts.map(content => ({ role: 'user', content }));
        // A tokenizer without a single merge, behind a template that spells out its marks (harmony's, with its preamble).
        const spoken = texts.map(text => `<|start|>user<|channel|>final<|message|>${text}<|end|>\n`).join('');
        const { inputTokensMax } = decode({ model: 'm', messages });
        assert.ok(inputTokensMax >= 420 + Buffer.byteLength(spoken));
      }),
    );
  });

  test('covers tool schemas as templates write them: indented, and escaped to ASCII', () => {
    const tools = [
      {
        type: 'function',
        function: {
          name: 'f',
          description: '天气'.repeat(50),
          parameters: { type: 'object', properties: { a: { enum: [1, 2, 3] } } },
        },
      },
    ];
    const indented = JSON.stringify(tools, null, 4);
    const escaped = indented.replace(/[^ -~\n]/g, () => '\\u0000');
    assert.ok(bound('x', { tools }) - bound('x') >= escaped.length);
    assert.ok(bound('x', { functions: tools }) > bound('x') + indented.length);
    assert.ok(bound('x', { response_format: { type: 'json_schema', json_schema: {} } }) > bound('x'));
  });

  test('pictures cost the same by address and by data, and their data is no text', () => {
    const image = (url: string) => [{ type: 'image_url', image_url: { url } }];
    const byAddress = bound(image('https://example.com/a.png'));
    const data = `data:image/png;base64,${'A'.repeat(500_000)}`;
    assert.ok(byAddress >= 48_169);
    assert.ok(Math.abs(bound(image(data)) - byAddress) < 100);
    assert.ok(bound([{ type: 'image_url', image_url: data }]) < byAddress + 100);
    const small = decode(chat({ messages: [{ role: 'user', content: image(data) }] })).inputTokensGuess;
    assert.ok(small > 500 && small < 2_000);
  });

  test('what says nothing of its size is held for at the longest context there is', () => {
    for (const part of [
      { type: 'input_audio', input_audio: { data: 'AAAA', format: 'wav' } },
      { type: 'video_url', video_url: { url: 'https://example.com/a.mp4' } },
      { type: 'file', file: { file_data: 'data:application/pdf;base64,AAAA' } },
      { type: 'new_kind' },
      {},
    ]) {
      assert.ok(bound([part]) >= 1_048_576, JSON.stringify(part));
    }
    assert.ok(decode(chat({ messages: [{ role: 'assistant', audio: { id: 'x' } }] })).inputTokensMax >= 1_048_576);
    for (const type of ['text', 'refusal', 'thinking']) assert.ok(bound([{ type, text: 'x' }, 'y']) < 2_000);
  });

  test('files kept at a vendor are refused', () => {
    const at = 'messages[0].content[1]';
    for (const part of [
      { type: 'file', file: { file_id: 'file-1' } },
      { type: 'input_file', file_id: 'file-1' },
      { type: 'image_url', image_url: { url: 'ms://file-1' } },
      { type: 'image_url', image_url: { url: 'file:///etc/passwd' } },
    ]) {
      refused(chat({ messages: [{ role: 'user', content: [{ type: 'text', text: 'x' }, part] }] }), at);
    }
  });

  test('the guess is near for English and Chinese', () => {
    const guess = (text: string) => decode(chat({ messages: [{ role: 'user', content: text }] })).inputTokensGuess;
    const [english, chinese] = [
      guess('The quick brown fox jumps over it. '.repeat(100)),
      guess('今天天气很好，我们去公园散步吧。'.repeat(100)),
    ];
    assert.ok(english > 700 && english < 1_000);
    assert.ok(chinese > 900 && chinese < 1_400);
  });
});

describe('what has no price', () => {
  const cases: readonly [object, string | undefined][] = [
    [{ service_tier: 'priority' }, 'service_tier'],
    [{ service_tier: 'flex' }, 'service_tier'],
    [{ service_tier: 1 }, 'service_tier'],
    [{ service_tier: 'auto' }, undefined],
    [{ service_tier: 'default' }, undefined],
    [{ service_tier: null }, undefined],
    [{ web_search_options: {} }, 'web_search_options'],
    [{ search_parameters: { mode: 'auto' } }, 'search_parameters'],
    [{ search_parameters: { mode: 'off' } }, undefined],
    [{ enable_search: true }, 'enable_search'],
    [{ enable_search: false }, undefined],
    [{ web_search: { enable: true } }, 'web_search'],
    [{ web_search: { enable: false } }, undefined],
    [{ plugins: [{ id: 'web' }] }, 'plugins'],
    [{ plugins: [] }, undefined],
    [{ models: ['a/b', 'c/d'] }, 'models'],
    [{ models: [] }, undefined],
    [{ route: 'fallback' }, 'route'],
    [{ provider: { order: ['x'] } }, 'provider'],
    [{ preset: 'cheap' }, 'preset'],
    [{ modalities: ['text', 'audio'] }, 'modalities'],
    [{ modalities: ['text'] }, undefined],
    [{ tools: [{ type: 'function' }, { type: 'web_search' }] }, 'tools[1].type'],
    [{ tools: [{ type: 'function' }, { type: 'custom' }, { function: {} }] }, undefined],
  ];
  for (const [more, param] of cases) {
    test(`${JSON.stringify(more)}: ${param === undefined ? 'taken' : 'refused'}`, () => {
      if (param === undefined) assert.ok(decode(chat(more)));
      else refused(chat(more), param);
    });
  }
});

test('prompts and inputs, in every form', () => {
  const prompt = (value: unknown, more: object = {}) => decode({ model: 'm', prompt: value, ...more }, 'completions');
  assert.equal(prompt('a').choices, 1);
  assert.equal(prompt([1, 2, 3], { n: 4 }).choices, 4);
  assert.equal(prompt([[1], [2, 3]], { n: 2 }).choices, 4);
  assert.equal(prompt(['a', 'b', 'c'], { n: 2, best_of: 5 }).choices, 15);
  assert.equal(decode(chat({ n: 2, best_of: 5 })).choices, 5);
  for (const bad of [
    undefined,
    null,
    3,
    {},
    [],
    [[]],
    ['a', 1],
    [1, 'a'],
    [[1], 'a'],
    [-1],
    [1.5],
    [2 ** 31],
    [['a']],
    Array(129).fill('a'),
  ]) {
    refused({ model: 'm', prompt: bad }, 'prompt', 'completions');
  }
  const input = (value: unknown) => decode({ model: 'm', input: value }, 'embeddings');
  assert.equal(input(Array(2_048).fill('a')).choices, 1);
  assert.equal(input('x').maxOutputTokens, undefined);
  refused({ model: 'm', input: Array(2_049).fill('a') }, 'input', 'embeddings');
  refused({ model: 'm', input: 'x', dimensions: 0 }, 'dimensions', 'embeddings');
  assert.ok(input([[1, 2], [3]]).inputTokensMax >= 3);
});

test('what goes to the upstream is what came, but for what it says', () => {
  const target = { model: 'up', maxOutputTokens: 64, quirks: [] };
  const own = new Set(['model', 'stream_options', 'max_tokens', 'max_completion_tokens']);
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue({ depthSize: 'small' })), fc.boolean(), (unknown, stream) => {
      const text = JSON.stringify({ ...unknown, ...chat({ stream }) });
      const before = JSON.parse(text);
      const after = JSON.parse(openaiChat.encodeRequest(decodeOrSkip(text), target));
      for (const key of Object.keys(before)) if (!own.has(key)) assert.deepEqual(after[key], before[key], key);
      assert.equal(after.max_tokens, 64);
      assert.deepEqual(after.stream_options, stream ? { include_usage: true } : undefined);
    }),
  );
});

/** Random fields hardly ever hit a checked one; where they do, the request without them stands in. */
function decodeOrSkip(text: string) {
  try {
    return decode(text);
  } catch (error) {
    assert.ok(error instanceof Fault);
    fc.pre(false);
    throw error;
  }
}

test('lone surrogates and duplicate keys', () => {
  const sent = (text: string) =>
    openaiChat.encodeRequest(decode(text), { model: 'up', maxOutputTokens: 1, quirks: [] });
  assert.match(sent('{"model":"m","messages":[{"role":"user","content":"\\ud800"}]}'), /"content":"\\ud800"/);
  const twice = '{"model":"a","max_tokens":9,"messages":[{"role":"user"}],"max_tokens":5,"model":"b"}';
  assert.equal(decode(twice).model, 'b');
  assert.equal(decode(twice).maxOutputTokens, 5);
  assert.equal(sent(twice).match(/max_tokens/g)?.length, 1);
});

test('completions keep the older name of the limit; embeddings have none; a limit above the cap is lowered', () => {
  const sent = (operation: 'completions' | 'embeddings' | 'chat', body: object, max: number) =>
    JSON.parse(
      openaiChat.encodeRequest(decode(body, operation), {
        model: 'up',
        maxOutputTokens: max,
        quirks: ['max-completion-tokens'],
      }),
    );
  assert.deepEqual(sent('completions', { model: 'm', prompt: 'x', max_tokens: 5 }, 8), {
    model: 'up',
    prompt: 'x',
    max_tokens: 5,
  });
  assert.deepEqual(sent('embeddings', { model: 'm', input: 'x' }, 0), { model: 'up', input: 'x' });
  assert.equal(sent('chat', chat({ max_tokens: 50 }), 8).max_completion_tokens, 8);
});

test('no bytes make it throw anything but a fault', () => {
  const right = Buffer.from(JSON.stringify(chat({ tools: [{ type: 'function' }], n: 2, stream_options: {} })));
  const hit = fc.tuple(fc.nat(right.length - 1), fc.nat(255));
  const damaged = fc.array(hit, { minLength: 1, maxLength: 4 }).map(hits => {
    const bytes = Buffer.from(right);
    for (const [at, byte] of hits) bytes[at] = byte;
    return bytes;
  });
  const operation = fc.constantFrom('chat' as const, 'completions' as const, 'embeddings' as const);
  fc.assert(
    fc.property(operation, fc.oneof(damaged, fc.uint8Array({ maxLength: 60 })), (asked, bytes) => {
      try {
        openaiChat.decodeRequest(asked, bytes);
      } catch (error) {
        assert.ok(error instanceof Fault && error.status === 400);
      }
    }),
    { numRuns: 3_000 },
  );
});
