import type { ServerResponse } from 'node:http';
import type { Engine, Generator } from '../model/engine.ts';
import type { Fields } from '../requests/fields.ts';
import { type ChatRequest, parseChat } from '../requests/parse-chat.ts';
import type { AnswerPiece } from '../templates/answer-text.ts';
import type { ToolCall } from '../templates/tool-notation.ts';
import { type Generated, type GeneratedPiece, generate, type TokenLogprob } from './generate.ts';
import { answerId, generateAll } from './generate-all.ts';
import { chatLogprobs } from './logprobs.ts';
import { noteIgnored, openEventStream, openWholeAnswer } from './reply.ts';
import { usageOf } from './usage.ts';

type TextEngine = Engine & { readonly generator: Generator };

/** `POST /v1/chat/completions`. @throws Fault; the signal's reason when aborted */
export async function answerChat(
  engine: TextEngine,
  fields: Fields,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  const request = await parseChat(engine, fields);
  noteIgnored(response, fields.ignored);
  if (request.toolsUnused !== undefined) response.setHeader('x-millrace-tools', request.toolsUnused);
  const head = {
    id: answerId('chatcmpl'),
    created: Math.floor(Date.now() / 1000),
    model: fields.string('model') ?? engine.summary.name,
  };
  if (request.stream) await streamChat(engine, request, head, response, signal);
  else await sendChat(engine, request, head, response, signal);
}

interface Head {
  readonly id: string;
  readonly created: number;
  readonly model: string;
}

/** What the pieces of one choice add up to. */
class Choice {
  reasoning = '';
  content = '';
  readonly calls: ToolCall[] = [];
  readonly logprobs: TokenLogprob[] = [];

  add(piece: GeneratedPiece): void {
    this.reasoning += piece.reasoning;
    this.content += piece.content;
    this.calls.push(...piece.calls);
    this.logprobs.push(...piece.logprobs);
  }
}

async function sendChat(
  engine: TextEngine,
  request: ChatRequest,
  head: Head,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  const choices = Array.from({ length: request.choices }, () => new Choice());
  const answer = openWholeAnswer(response, engine.nowMs);
  const results = await generateAll(engine, choices.length, signal, (index, inner) =>
    generate(engine, wanted(request, index, [inner, signal]), piece => {
      choices[index]?.add(piece);
      answer.alive();
    }),
  );
  answer.send({
    ...head,
    object: 'chat.completion',
    choices: choices.map((choice, index) => ({
      index,
      message: {
        role: 'assistant',
        content: choice.content === '' && choice.calls.length > 0 ? null : choice.content,
        ...(choice.reasoning === '' ? {} : { reasoning_content: choice.reasoning }),
        ...(choice.calls.length === 0 ? {} : { tool_calls: choice.calls.map(call => toolCall(call)) }),
        refusal: null,
      },
      logprobs:
        request.logprobs === undefined ? null : { content: chatLogprobs(engine.model, choice.logprobs), refusal: null },
      finish_reason: finishReason(results[index], choice.calls.length),
    })),
    usage: usageOf([results]),
  });
}

async function streamChat(
  engine: TextEngine,
  request: ChatRequest,
  head: Head,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  const events = openEventStream(response);
  const calls = new Array<number>(request.choices).fill(0);
  const chunk = (index: number, delta: object, logprobs: readonly TokenLogprob[], finish: string | null) => ({
    ...head,
    object: 'chat.completion.chunk',
    choices: [
      {
        index,
        delta,
        logprobs: logprobs.length === 0 ? null : { content: chatLogprobs(engine.model, logprobs), refusal: null },
        finish_reason: finish,
      },
    ],
    ...(request.includeUsage ? { usage: null } : {}),
  });
  const begun = new Set<number>();
  const begin = (index: number) => {
    if (begun.has(index)) return;
    begun.add(index);
    events.send(chunk(index, { role: 'assistant', content: '' }, [], null));
  };
  const results = await generateAll(engine, request.choices, signal, async (index, inner) => {
    const result = await generate(engine, wanted(request, index, [inner, signal]), piece => {
      begin(index);
      for (const delta of deltas(piece, calls[index] ?? 0))
        events.send(chunk(index, delta, 'content' in delta ? piece.logprobs : [], null));
      calls[index] = (calls[index] ?? 0) + piece.calls.length;
    });
    begin(index);
    events.send(chunk(index, {}, [], finishReason(result, calls[index] ?? 0)));
    return result;
  });
  if (request.includeUsage)
    events.send({ ...head, object: 'chat.completion.chunk', choices: [], usage: usageOf([results]) });
  events.done();
}

function deltas(piece: AnswerPiece, callsBefore: number): readonly object[] {
  return [
    ...(piece.reasoning === '' ? [] : [{ reasoning_content: piece.reasoning }]),
    ...(piece.content === '' ? [] : [{ content: piece.content }]),
    ...piece.calls.map((call, index) => ({ tool_calls: [toolCall(call, callsBefore + index)] })),
  ];
}

function toolCall(call: ToolCall, index?: number): object {
  return { ...(index === undefined ? {} : { index }), id: answerId('call'), type: 'function', function: call };
}

function wanted(request: ChatRequest, index: number, [signal, owner]: readonly [AbortSignal, AbortSignal]) {
  const { sampling } = request;
  // Choices of one request differ, and each is the same again under the same seed.
  return { ...request, sampling: { ...sampling, seed: (sampling.seed + index) >>> 0 }, signal, owner };
}

function finishReason(result: Generated | undefined, calls: number): string {
  if (result?.finish === 'length') return 'length';
  return calls > 0 ? 'tool_calls' : 'stop';
}
