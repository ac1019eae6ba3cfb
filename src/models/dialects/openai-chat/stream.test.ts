import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Fault } from '../../../ground/std/index.ts';
import type { Frame, JsonObject, StreamEvent } from '../codec.ts';
import { openaiChat } from './index.ts';

const decoder = (options: { model?: string; lineBytesMax?: number } = {}) => openaiChat.decoder('chat', options);
const line = (payload: unknown) => `data: ${typeof payload === 'string' ? payload : JSON.stringify(payload)}\n\n`;
const chunk = (delta: object | undefined, more: object = {}, choice: object = {}) => ({
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  created: 7,
  model: 'up',
  choices: [{ index: 0, delta, finish_reason: null, ...choice }],
  ...more,
});
const push = (text: string) => decoder().push(Buffer.from(text));
const rawOf = ({ raw }: Frame) => (raw === undefined ? undefined : Buffer.from(raw).toString('utf8'));
const brief = (events: readonly StreamEvent[]) =>
  events.map(event => {
    if (event.type === 'delta') return `${event.kind}:${event.choice}:${event.text}`;
    if (event.type === 'finish') return `finish:${event.choice}:${event.reason}`;
    if (event.type === 'usage') return `usage:${Object.values(event.usage).join('/')}`;
    return event.type === 'error' ? `error:${event.fault.code}` : event.type;
  });

describe('events', () => {
  const cases: readonly [string, unknown, readonly string[]][] = [
    ['role', chunk({ role: 'assistant', content: '' }), ['other:0:']],
    ['text', chunk({ content: '你好' }), ['text:0:你好']],
    ['refusal', chunk({ refusal: 'no' }), ['text:0:no']],
    ['reasoning_content', chunk({ content: null, reasoning_content: 'hm' }), ['reasoning:0:hm']],
    ['reasoning', chunk({ reasoning: 'hm' }), ['reasoning:0:hm']],
    ['both names say it once', chunk({ reasoning: 'hm', reasoning_content: 'hm' }), ['reasoning:0:hm']],
    [
      'reasoning_details beside reasoning',
      chunk({ reasoning: 'hm', reasoning_details: [{ text: 'hm' }] }),
      ['reasoning:0:hm'],
    ],
    [
      'reasoning_details alone',
      chunk({ content: '', reasoning_details: [{ type: 'reasoning.text', text: 'hm' }, { summary: '!' }] }),
      ['reasoning:0:hm!'],
    ],
    [
      'thinking parts',
      chunk({
        content: [
          { type: 'thinking', thinking: [{ type: 'text', text: 'hm' }] },
          { type: 'text', text: 'ok' },
        ],
      }),
      ['reasoning:0:hm', 'text:0:ok'],
    ],
    [
      'tool call',
      chunk({ tool_calls: [{ index: 0, id: '', function: { name: 'f', arguments: '{}' } }] }),
      ['tool:0:f{}'],
    ],
    ['custom tool call', chunk({ tool_calls: [{ custom: { name: 'f', input: 'x' } }] }), ['tool:0:fx']],
    ['tool call without words', chunk({ tool_calls: [{ index: 0 }] }), ['tool:0:']],
    ['function call of old', chunk({ function_call: { name: 'f', arguments: '1' } }), ['tool:0:f1']],
    ['audio', chunk({ audio: { data: 'AAAA', transcript: 'hi' } }), ['text:0:hi']],
    [
      'text and tool',
      chunk({ content: 'a', tool_calls: [{ function: { arguments: '1' } }] }),
      ['text:0:a', 'tool:0:1'],
    ],
    ['finish', chunk({}, {}, { finish_reason: 'stop' }), ['finish:0:stop']],
    ['text and finish', chunk({ content: 'a' }, {}, { finish_reason: 'length' }), ['text:0:a', 'finish:0:length']],
    [
      'completions',
      { object: 'text_completion', choices: [{ index: 1, text: 'a', finish_reason: null }] },
      ['text:1:a'],
    ],
    [
      'choices',
      {
        choices: [
          { index: 1, delta: { content: 'b' } },
          { index: 0, delta: { content: 'a' } },
        ],
      },
      ['text:1:b', 'text:0:a'],
    ],
    [
      'an index that is none',
      {
        choices: [
          { index: -1, delta: { content: 'a' } },
          { index: 'x', delta: { content: 'b' } },
        ],
      },
      ['text:0:a', 'text:1:b'],
    ],
    ['a choice that is none', { choices: ['x', null] }, ['other:0:', 'other:1:']],
    ['no delta', { choices: [{ index: 0, content_filter_results: {} }] }, ['other:0:']],
    [
      'a filter report without choices',
      { choices: [], object: 'chat.completion.chunk', prompt_filter_results: [] },
      ['other:0:'],
    ],
    [
      'the whole answer as last event',
      { object: 'chat.completion', choices: [{ message: { content: 'a' }, finish_reason: 'stop' }] },
      ['text:0:a', 'finish:0:stop'],
    ],
    ['usage null', chunk({ content: 'a' }, { usage: null }), ['text:0:a']],
    ['end mark', '[DONE]', ['done']],
    ['end mark with spaces', ' [DONE] ', ['done']],
    ['nothing', '', []],
  ];
  for (const [name, payload, expected] of cases) {
    test(name, () => {
      const text = line(payload);
      const frame = push(text);
      assert.deepEqual(brief(frame.events), expected);
      const says = frame.events.some(event => event.type === 'delta' || event.type === 'finish');
      assert.equal(rawOf(frame), says ? text : undefined);
    });
  }
});

describe('usage', () => {
  const counts = { prompt_tokens: 10, completion_tokens: 4, total_tokens: 14 };
  const whole = [10, 0, 4, 0];
  const cases: readonly [string, JsonObject, readonly number[] | undefined][] = [
    ['the plain form', counts, whole],
    [
      'details',
      { ...counts, prompt_tokens_details: { cached_tokens: 3 }, completion_tokens_details: { reasoning_tokens: 2 } },
      [10, 3, 4, 2],
    ],
    ['null details', { ...counts, prompt_tokens_details: null, completion_tokens_details: null }, whole],
    ['cached: DeepSeek', { ...counts, prompt_cache_hit_tokens: 6, prompt_cache_miss_tokens: 4 }, [10, 6, 4, 0]],
    [
      'cached: Mistral, either spelling',
      { ...counts, num_cached_tokens: 2, prompt_token_details: { cached_tokens: 5 } },
      [10, 5, 4, 0],
    ],
    ['cached: Moonshot, Qianfan', { ...counts, cached_tokens: 7 }, [10, 7, 4, 0]],
    ['cached beyond the prompt: xAI', { ...counts, prompt_tokens_details: { cached_tokens: 99 } }, [10, 10, 4, 0]],
    ['reasoning beside the totals: SGLang', { ...counts, reasoning_tokens: 3 }, [10, 0, 4, 3]],
    [
      'reasoning apart: xAI',
      {
        prompt_tokens: 12,
        completion_tokens: 1,
        total_tokens: 303,
        completion_tokens_details: { reasoning_tokens: 290 },
      },
      [12, 0, 291, 290],
    ],
    ['reasoning beyond the output', { ...counts, reasoning_tokens: 9 }, [10, 0, 4, 4]],
    ['no completion count: embeddings', { prompt_tokens: 5, total_tokens: 5 }, [5, 0, 0, 0]],
    ['output by subtraction', { prompt_tokens: 5, total_tokens: 9 }, [5, 0, 4, 0]],
    ['no prompt count', { completion_tokens: 4 }, [0, 4, 0]],
    ['no completion count and no total', { prompt_tokens: 10 }, [10, 0, 0]],
    ['a total alone', { total_tokens: 7 }, [0, 0, 7]],
    [
      'a total beyond its parts',
      { prompt_tokens: 20, completion_tokens: 198, total_tokens: 623 },
      [20, 0, 198, 0, 623],
    ],
    ['empty', {}, undefined],
    ['nothing but details', { prompt_tokens_details: { cached_tokens: 4 } }, undefined],
    ...[-1, 1.5, '10', 1e300, 1_000_000_001, true, {}, []].map((bad): [string, JsonObject, undefined] => [
      `a count of ${JSON.stringify(bad)}`,
      { ...counts, completion_tokens: bad } as JsonObject,
      undefined,
    ]),
    ['a detail that is none', { ...counts, prompt_tokens_details: { cached_tokens: -3 } }, undefined],
  ];
  for (const [name, usage, expected] of cases) {
    test(name, () => {
      const text = line(chunk({ content: 'a' })) + line({ choices: [], usage });
      const frame = push(text);
      assert.deepEqual(brief(frame.events), ['text:0:a', ...(expected ? [`usage:${expected.join('/')}`] : [])]);
      assert.equal(rawOf(frame), line(chunk({ content: 'a' })));
      const answer = openaiChat.decodeResponse('chat', Buffer.from(JSON.stringify({ choices: [], usage })));
      assert.deepEqual(answer.usage && Object.values(answer.usage), expected);
    });
  }

  test('1e400 and other numbers that are none', () => {
    assert.deepEqual(
      brief(push('data: {"choices":[],"usage":{"prompt_tokens":1e400,"completion_tokens":1}}\n\n').events),
      [],
    );
  });

  test('reports are merged by maximum, and each is taken out of the bytes', () => {
    const frames = [
      chunk({ content: 'a' }, { usage: { prompt_tokens: 5, completion_tokens: 1 } }),
      chunk({ content: 'b' }, { usage: { prompt_tokens: 9, completion_tokens: 3 } }),
      chunk({ content: 'c' }, { usage: { prompt_tokens: 0, completion_tokens: 0 } }),
      chunk(
        {},
        { x_groq: { id: 'g', usage: { prompt_tokens: 9, completion_tokens: 4 } } },
        { finish_reason: 'stop', usage: { prompt_tokens: 10, completion_tokens: 2 } },
      ),
    ];
    const frame = push(frames.map(line).join(''));
    assert.deepEqual(
      brief(frame.events).filter(event => event.startsWith('usage')),
      ['usage:5/0/1/0', 'usage:9/0/3/0', 'usage:9/0/3/0', 'usage:9/0/4/0', 'usage:10/0/4/0'],
    );
    const raw = rawOf(frame) ?? '';
    assert.doesNotMatch(raw, /usage|_tokens/);
    assert.match(raw, /"x_groq":\{"id":"g"\}/);
    assert.equal(raw.split('\n\n').length, 5);
  });

  test('unknown fields reach the client, what the upstream charges does not', () => {
    const usage = {
      prompt_tokens: 10,
      completion_tokens: 4,
      total_tokens: 99,
      prompt_tokens_details: { cached_tokens: 3, audio_tokens: 0 },
      cost: 0.5,
      cost_details: { upstream: 1 },
      cost_in_usd_ticks: 7,
      num_search_queries: 2,
    };
    const frame = push(line(chunk({ content: 'a' }, { system_fingerprint: 'fp' })) + line({ choices: [], usage }));
    const encoder = openaiChat.encoder('chat', { model: 'ours', requestId: 'r', createdS: 1 });
    encoder.observe(frame.events);
    const settled = { inputTokens: 10, cachedInputTokens: 3, outputTokens: 4, reasoningTokens: 1 };
    const written = encoder.usage({ usage: settled, cost: { currency: 'CNY', amount: '0.01' } });
    assert.deepEqual(JSON.parse(written.slice(6)), {
      id: 'chatcmpl-1',
      object: 'chat.completion.chunk',
      created: 7,
      system_fingerprint: 'fp',
      model: 'ours',
      choices: [],
      usage: {
        prompt_tokens: 10,
        completion_tokens: 4,
        total_tokens: 14,
        prompt_tokens_details: { cached_tokens: 3, audio_tokens: 0 },
        completion_tokens_details: { reasoning_tokens: 1 },
        num_search_queries: 2,
        cost: { currency: 'CNY', amount: '0.01' },
      },
    });
    const alone = openaiChat.encoder('completions', { model: 'ours', requestId: 'r', createdS: 1 });
    assert.match(
      alone.usage({ usage: settled, cost: { currency: 'CNY', amount: '1' } }),
      /"id":"cmpl-r","object":"text_completion","created":1/,
    );
  });
});

describe('what is no chunk passes, and ends nothing', () => {
  const ping = 'event: ping\ndata: {"type": "ping"}\n\n';
  const cases: readonly [name: string, event: string, passes: boolean][] = [
    ['a ping', ping, true],
    ['an empty object', line({}), true],
    ['a guard’s trace', line({ trace: { guard: 'ok', spans: [1] }, id: 't' }), true],
    ['another dialect’s event', line({ type: 'response.created', response: {} }), true],
    ['a page of a catalog', line({ object: 'list', data: [] }), true],
    ['null', line('null'), false],
    ['a number', line('3'), false],
    ['a word in JSON', line('"ping"'), false],
    ['a list', line('[]'), false],
    ['a word', line('keep-alive'), false],
    ['nothing', 'event: heartbeat\ndata:\n\n', false],
    ['a comment', ': working\n\n', false],
  ];
  for (const [name, event, passes] of cases) {
    test(name, () => {
      const [first, last] = [line(chunk({ content: 'Hel' })), line(chunk({ content: 'lo' }))];
      const frame = push(event + first + event + last + event + line('[DONE]'));
      assert.deepEqual(
        brief(frame.events).filter(told => told !== 'foreign'),
        ['text:0:Hel', 'text:0:lo', 'done'],
      );
      const kept = passes ? event : '';
      assert.equal(rawOf(frame), kept + first + kept + last + kept);
      const encoder = openaiChat.encoder('chat', { model: 'up', requestId: 'r', createdS: 1 });
      assert.equal(encoder.encode(frame.events), first + last, 'left out where it is translated');
    });
  }
});

describe('what the vendor charges us does not go on', () => {
  const fields = {
    cost: 0.1,
    estimated_cost: 0.1,
    total_cost: 0.1,
    totalCost: 0.1,
    cost_details: { a: 1 },
    unit_price: 1,
    x_pricing: { amount: '1' },
    billing: {},
    surcharge: 2,
  };
  for (const [name, value] of Object.entries(fields)) {
    test(name, () => {
      const priced = { [name]: value };
      const text = { content: `what ${name} means`, tool_calls: [{ function: { name, arguments: `{"${name}":1}` } }] };
      const plain = line(chunk(text));
      for (const more of [priced, { x_groq: priced }, { provider_metadata: { gateway: [priced] } }]) {
        const raw = rawOf(push(line(chunk(text, more)))) ?? '';
        assert.equal(JSON.stringify(JSON.parse(raw.slice(6))).split(name).length, 4, raw);
      }
      assert.equal(rawOf(push(plain)), plain, 'what the answer says of it stays');
      assert.equal(rawOf(push(line({ type: 'trace', ...priced }))), line({ type: 'trace' }));
      const usage = { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3, ...priced };
      const body = { choices: [{ message: text, usage: priced }], usage, ...priced, meta: priced };
      const answer = openaiChat.decodeResponse('chat', Buffer.from(JSON.stringify(body)));
      const cost = { currency: 'CNY', amount: '7' };
      const settled = { inputTokens: 1, cachedInputTokens: 0, outputTokens: 2, reasoningTokens: 0 };
      const written = JSON.parse(openaiChat.encodeResponse(answer, { usage: settled, cost, model: 'm' }));
      assert.deepEqual(written.usage.cost, cost);
      written.usage.cost = undefined;
      assert.equal(JSON.stringify(written).split(name).length, 4);
    });
  }
});

describe('raw bytes', () => {
  test('a chunk of whole plain events goes on as it is, uncopied', () => {
    const bytes = Buffer.from(line(chunk({ content: 'a' })) + line(chunk({ content: 'b' })));
    assert.equal(decoder().push(bytes).raw, bytes);
    const view = new Uint8Array(bytes);
    assert.equal(decoder().push(view).raw?.buffer, view.buffer);
    const withEnd = Buffer.concat([bytes, Buffer.from('data: [DONE]\n\n')]);
    const { raw } = decoder().push(withEnd);
    assert.equal(raw?.buffer, withEnd.buffer);
    assert.equal(raw?.length, bytes.length);
  });

  test('the last event gets the blank line it came without', () => {
    const own = decoder();
    const text = line(chunk({ content: 'a' })).trimEnd();
    assert.equal(own.push(Buffer.from(text)).raw, undefined);
    assert.equal(rawOf(own.end()), `${text}\n\n`);
  });

  test('an event that was cut in the middle of itself when the upstream died is a fault', () => {
    const own = decoder();
    own.push(Buffer.from(line(chunk({ content: 'a' }))));
    own.push(Buffer.from('data: {"choices":[{"del'));
    assert.throws(() => own.end(), { code: 'upstream_error' });
  });

  test('good events before bad bytes are not lost', () => {
    const own = decoder();
    const good = line(chunk({ content: 'a' }));
    const frame = own.push(Buffer.from(`${good}data: {"broken\n\n`));
    assert.deepEqual(brief(frame.events), ['text:0:a', 'error:upstream_error']);
    assert.equal(rawOf(frame), good);
    assert.throws(() => own.push(Buffer.from(good)), Fault, 'nothing more is read');
    assert.throws(() => own.end(), Fault);
  });

  test('a renamed stream says the name it is asked to, whatever the upstream wrote', () => {
    const own = decoder({ model: 'ours' });
    const frame = own.push(Buffer.from(line(chunk({ content: 'a' }, { model: 'up-2026-01-01', obfuscation: 'x' }))));
    const ours = line(chunk({ content: 'a' }, { model: 'ours', obfuscation: 'x' }));
    assert.equal(rawOf(frame), ours);
    const encoder = openaiChat.encoder('chat', { model: 'ours', requestId: 'r', createdS: 1 });
    assert.equal(encoder.encode(frame.events), ours);
    const same = Buffer.from(ours);
    assert.equal(decoder({ model: 'ours' }).push(same).raw, same, 'the right name already: uncopied');
  });
});

describe('faults', () => {
  const cases: readonly [string, string, string][] = [
    ['an error event', line({ error: { message: 'boom', code: null } }), 'upstream_error'],
    ['an overload', line({ error: { message: 'overloaded', code: 'overloaded' } }), 'capacity'],
    [
      'an error beside a choice',
      line({
        error: { code: 502, message: 'Provider disconnected' },
        choices: [{ delta: { content: '' }, finish_reason: 'error' }],
      }),
      'upstream_error',
    ],
    [
      "a running stream that fails as 422 is not the caller's",
      line({ error: { message: 'CUDA', http_status_code: 422 } }),
      'upstream_error',
    ],
    ['a filter', line({ error: { code: 'content_filter', message: 'no' } }), 'invalid_parameter'],
    ['a named event', `event: error\n${line({ error: { message: 'boom' } })}`, 'upstream_error'],
    ['an own shape', line({ code: 10008, message: 'busy', sid: 's' }), 'capacity'],
    ['base_resp', line({ base_resp: { status_code: 1002, status_msg: '' }, choices: null }), 'capacity'],
    ['no JSON', 'data: <html>\n\n', 'upstream_error'],
    ['no object, and nothing else', 'data: 3\n\n', 'upstream_error'],
    ['a NUL', 'data: {"choices":[{"delta":{"content":"\0"}}]}\n\n', 'upstream_error'],
    ['another dialect alone', line({ type: 'response.created', response: {} }), 'upstream_error'],
    ['pings alone', line({ type: 'ping' }).repeat(3), 'upstream_error'],
    ['an error body', JSON.stringify({ code: 'x', error: 'Too many requests' }), 'capacity'],
    ['an error body over lines', JSON.stringify({ error: { code: 'overloaded' } }, null, 2), 'capacity'],
    ['an answer that is no stream', JSON.stringify({ choices: [{ message: { content: 'a' } }] }), 'upstream_error'],
    ['a page', '<html>\n\n</html>', 'upstream_error'],
    ['comments only', ': keep-alive\n\n: keep-alive\n\n', 'upstream_error'],
    ['nothing', '', 'upstream_error'],
  ];
  for (const [name, text, code] of cases) {
    test(name, () => {
      const seen = (pieces: readonly Buffer[]) => {
        const own = decoder();
        try {
          const events = pieces.flatMap(piece => own.push(piece).events);
          return [...events, ...own.end().events].flatMap(event => (event.type === 'error' ? event.fault.code : []));
        } catch (error) {
          return error instanceof Fault ? [error.code] : assert.fail(String(error));
        }
      };
      const bytes = Buffer.from(text);
      assert.deepEqual(seen([bytes]), [code]);
      assert.deepEqual(seen([...bytes].map(byte => Buffer.of(byte))), [code]);
    });
  }

  test('a line beyond the limit, an endless line and an endless body', () => {
    const long = line(chunk({ content: 'x'.repeat(2_000) }));
    assert.throws(() => decoder({ lineBytesMax: 1_000 }).push(Buffer.from(long)), { code: 'upstream_error' });
    for (const start of ['data: ', '{', ': ']) {
      const own = decoder({ lineBytesMax: 1_000 });
      own.push(Buffer.from(start));
      assert.throws(
        () => {
          for (let round = 0; round < 100; round += 1) own.push(Buffer.alloc(100, 'x'));
        },
        { code: 'upstream_error' },
      );
    }
    assert.throws(() => decoder().push(Buffer.alloc(10 * 1024 * 1024, 'x')), { code: 'upstream_error' });
  });

  test('our own fault as an event', () => {
    const encoder = openaiChat.encoder('chat', { model: 'm', requestId: 'r', createdS: 1, lang: 'zh' });
    const text = encoder.fault(new Fault('insufficient_funds'), 'req-1');
    assert.deepEqual(JSON.parse(text.slice(6)), {
      error: {
        message: new Fault('insufficient_funds').messageIn('zh'),
        type: 'insufficient_funds',
        param: null,
        code: 'insufficient_funds',
        request_id: 'req-1',
      },
    });
    assert.equal(encoder.done(), 'data: [DONE]\n\n');
  });
});

test('a stream keeps nothing of the answer', async () => {
  const own = decoder();
  const bytes = Buffer.from(line(chunk({ content: 'x'.repeat(1_000) })).repeat(16));
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  // V8 gives the memory of dead buffers back in the background: one collection alone reads some of it as kept.
  const used = async () => {
    for (let round = 0; round < 3; round += 1) {
      if (typeof collect === 'function') collect();
      await new Promise(resolve => setImmediate(resolve));
    }
    return process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers;
  };
  for (let round = 0; round < 200; round += 1) own.push(bytes);
  const before = await used();
  // 32 MiB, cut off its events' bounds so that something is always held over.
  for (let round = 0; round < 2_000; round += 1)
    own.push(round % 2 === 0 ? bytes.subarray(0, 9_000) : bytes.subarray(9_000));
  const kept = (await used()) - before;
  assert.ok(kept < 1024 * 1024, `${kept} bytes are kept`);
});
