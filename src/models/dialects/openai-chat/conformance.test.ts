// The suite that every codec passes, over small streams of our own: cut at every offset, and there without the recordings.
import { test } from 'node:test';
import type { JsonObject, ReportedUsage } from '../codec.ts';
import { type AnswerFixture, conformance, type StreamFixture } from '../conformance.ts';
import { openaiChat } from './index.ts';

const HEAD = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'up' };
const USAGE: JsonObject = { prompt_tokens: 9, completion_tokens: 3, total_tokens: 12 };
const COUNTS: ReportedUsage = { inputTokens: 9, cachedInputTokens: 0, outputTokens: 3, reasoningTokens: 0 };
const choice = (index: number, delta: JsonObject, finish_reason: string | null = null) => ({
  index,
  delta,
  finish_reason,
});
const line = (chunk: object) => `data: ${JSON.stringify(chunk)}\n\n`;

function stream(
  name: string,
  chunks: readonly { readonly sent: object; readonly kept: object | undefined }[],
  rest: Pick<StreamFixture, 'text' | 'usage'>,
): StreamFixture {
  return {
    name,
    operation: 'chat',
    bytes: Buffer.from(`${chunks.map(({ sent }) => line(sent)).join('')}data: [DONE]\n\n`),
    raw: chunks.map(({ kept }) => (kept ? line(kept) : '')).join(''),
    model: 'up',
    ...rest,
  };
}

const plain = (chunk: object) => ({ sent: chunk, kept: chunk });
const wide = ['重点：', '🍓', 'é\u2028', '\\"\n\r\0', '\u{10FFFF}'];

const streams: readonly StreamFixture[] = [
  stream(
    'wide characters and a usage trailer',
    [
      plain({ ...HEAD, choices: [choice(0, { role: 'assistant', content: '' })], usage: null }),
      ...wide.map(content => plain({ ...HEAD, choices: [choice(0, { content })], usage: null, obfuscation: 'x' })),
      plain({ ...HEAD, choices: [choice(0, {}, 'stop')], usage: null }),
      { sent: { ...HEAD, choices: [], usage: USAGE }, kept: undefined },
    ],
    { text: wide.join(''), usage: COUNTS },
  ),
  stream(
    'usage on every chunk, growing',
    [1, 2, 3].map(completion_tokens => ({
      sent: { ...HEAD, choices: [choice(0, { content: 'ab' })], usage: { ...USAGE, completion_tokens } },
      kept: { ...HEAD, choices: [choice(0, { content: 'ab' })] },
    })),
    { text: 'ababab', usage: COUNTS },
  ),
  stream(
    'two choices at once, reasoning, a tool call, usage in a choice and beside Groq’s times',
    [
      plain({ ...HEAD, choices: [choice(1, { reasoning: 'hm' }), choice(0, { content: 'a' })] }),
      plain({
        ...HEAD,
        choices: [choice(1, { tool_calls: [{ index: 0, id: 'c', function: { name: 'f', arguments: '{' } }] })],
      }),
      plain({ ...HEAD, choices: [choice(1, { tool_calls: [{ index: 0, id: '', function: { arguments: '}' } }] })] }),
      {
        sent: {
          ...HEAD,
          choices: [choice(0, {}, 'stop'), { ...choice(1, {}, 'tool_calls'), usage: USAGE }],
          x_groq: { id: 'q', usage: USAGE },
        },
        kept: { ...HEAD, choices: [choice(0, {}, 'stop'), choice(1, {}, 'tool_calls')], x_groq: { id: 'q' } },
      },
    ],
    { text: 'hmaf{}', usage: COUNTS },
  ),
  stream(
    'no usage at all',
    [
      plain({ ...HEAD, choices: [choice(0, { content: 'a' })] }),
      plain({ ...HEAD, choices: [choice(0, {}, 'length')] }),
    ],
    { text: 'a', usage: undefined },
  ),
];

const answer = (body: object) => Buffer.from(JSON.stringify(body, null, 2));
const answers: readonly AnswerFixture[] = [
  {
    name: 'embeddings',
    operation: 'embeddings',
    bytes: answer({
      object: 'list',
      data: [{ object: 'embedding', index: 0, embedding: [0.1, -1e-7, 3] }],
      model: 'up',
      usage: { prompt_tokens: 5, total_tokens: 5 },
    }),
    text: '',
    usage: { inputTokens: 5, cachedInputTokens: 0, outputTokens: 0, reasoningTokens: 0 },
  },
  {
    name: 'several choices, usage in one of them',
    operation: 'chat',
    bytes: answer({
      model: 'up',
      unknown: { deep: [null] },
      choices: [
        { index: 0, message: { content: 'a', reasoning_content: 'hm' }, finish_reason: 'stop' },
        {
          index: 1,
          message: { content: null, tool_calls: [{ function: { name: 'f', arguments: '{}' } }] },
          usage: USAGE,
        },
      ],
    }),
    text: 'hmaf{}',
    usage: COUNTS,
  },
  {
    name: 'completions without usage',
    operation: 'completions',
    bytes: answer({
      object: 'text_completion',
      model: 'up',
      choices: [
        { index: 0, text: '你好' },
        { index: 1, text: '!' },
      ],
    }),
    text: '你好!',
    usage: undefined,
  },
];

for (const { name, run } of conformance(openaiChat, { streams, answers }, 7)) test(name, run);
