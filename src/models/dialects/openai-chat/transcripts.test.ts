// Recorded answers of vendors, through the suite that every codec passes.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, test } from 'node:test';
import type { Operation, ReportedUsage } from '../codec.ts';
import { type AnswerFixture, conformance, type StreamFixture } from '../conformance.ts';
import { openaiChat } from './index.ts';

const FOLDER = resolve(import.meta.dirname, '../../../../../shared/fixtures/transcripts');
const VENDORS = ['deepseek', 'alibaba', 'openai', 'mistral'];
const SEED = 20261124;

// What is expected is worked out apart from the codec, from the parsed payloads.
interface Payload {
  readonly object?: string;
  readonly model: string;
  readonly choices: readonly { readonly delta?: Words; readonly message?: Words; readonly text?: string }[];
  readonly usage?: Record<string, number> & {
    readonly prompt_tokens_details?: { readonly cached_tokens: number };
    readonly completion_tokens_details?: { readonly reasoning_tokens: number };
  };
}
interface Words {
  readonly content?: string | null | readonly Part[];
  readonly reasoning_content?: string | null;
  readonly tool_calls?: readonly { readonly function: { readonly name?: string; readonly arguments: string } }[] | null;
}
type Part =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'thinking'; readonly thinking: readonly { readonly text: string }[] };

function wordsOf({ content, reasoning_content, tool_calls }: Words): string {
  const parts = typeof content === 'string' || !content ? [] : content;
  const thinking = parts.flatMap(part => (part.type === 'thinking' ? part.thinking : []));
  return [
    reasoning_content ?? '',
    ...thinking.map(({ text }) => text),
    typeof content === 'string' ? content : '',
    ...parts.map(part => (part.type === 'text' ? part.text : '')),
    ...(tool_calls ?? []).map(call => (call.function.name ?? '') + call.function.arguments),
  ].join('');
}

const textOf = ({ choices }: Payload) =>
  choices.map(({ delta, message, text }) => text ?? wordsOf(delta ?? message ?? {})).join('');

function usageOf({ usage }: Payload): ReportedUsage | undefined {
  if (!usage) return undefined;
  return {
    inputTokens: usage['prompt_tokens'] ?? 0,
    cachedInputTokens: usage.prompt_tokens_details?.cached_tokens ?? 0,
    outputTokens: usage['completion_tokens'] ?? 0,
    reasoningTokens: usage.completion_tokens_details?.reasoning_tokens ?? 0,
  };
}

function streamFixture(name: string, content: string): StreamFixture | undefined {
  const lines = content.split('\n').filter(line => line !== '');
  const payloads = lines.map(line => JSON.parse(line) as Payload);
  const [first] = payloads;
  if (!first?.choices) return undefined;
  const raw = lines.map((line, index) => {
    const { usage, ...rest } = payloads[index] ?? assert.fail();
    if (!usage) return `data: ${line}\n\n`;
    return rest.choices.length === 0 ? '' : `data: ${JSON.stringify(rest)}\n\n`;
  });
  return {
    name,
    operation: operationOf(first),
    bytes: Buffer.from(`${lines.map(line => `data: ${line}\n\n`).join('')}data: [DONE]\n\n`),
    raw: raw.join(''),
    text: payloads.map(textOf).join(''),
    usage: payloads.map(usageOf).findLast(usage => usage !== undefined),
    model: first.model,
  };
}

function answerFixture(name: string, bytes: Buffer): AnswerFixture | undefined {
  const payload = JSON.parse(bytes.toString('utf8')) as Payload;
  if (!payload.choices) return undefined;
  return { name, operation: operationOf(payload), bytes, text: textOf(payload), usage: usageOf(payload) };
}

function operationOf({ object }: Payload): Operation {
  return object === 'text_completion' ? 'completions' : 'chat';
}

const skip = existsSync(FOLDER) ? false : `no recorded transcripts at ${FOLDER}`;
const files = skip ? [] : VENDORS.flatMap(vendor => readdirSync(join(FOLDER, vendor)).map(name => join(vendor, name)));
const streams: StreamFixture[] = [];
const answers: AnswerFixture[] = [];
for (const file of files) {
  const content = readFileSync(join(FOLDER, file));
  // What is of the Responses dialect has no choices, and is left to that dialect.
  if (file.endsWith('.chunks.txt')) streams.push(...[streamFixture(file, content.toString('utf8')) ?? []].flat());
  else answers.push(...[answerFixture(file, content) ?? []].flat());
}

describe('recorded answers', { skip }, () => {
  test('are there', () => {
    assert.ok(streams.length >= 12, `${streams.length} streams`);
    assert.ok(answers.length >= 12, `${answers.length} answers`);
  });
  for (const { name, run } of conformance(openaiChat, { streams, answers }, SEED)) test(name, run);
});
