import type { ServerResponse } from 'node:http';
import type { Token } from 'node-llama-cpp';
import type { Engine, Generator } from '../model/engine.ts';
import { type Fields, invalid } from '../requests/fields.ts';
import { type GenerationFields, parseGenerationFields } from '../requests/parse-sampling.ts';
import { checkContext, parseTexts } from '../requests/prompt-tokens.ts';
import { type Generated, generate, type TokenLogprob } from './generate.ts';
import { answerId, generateAll } from './generate-all.ts';
import { completionLogprobs } from './logprobs.ts';
import { noteIgnored, openEventStream, openWholeAnswer } from './reply.ts';
import { usageOf } from './usage.ts';

type TextEngine = Engine & { readonly generator: Generator };

const PROMPTS_MAX = 16;
const LOGPROBS_MAX = 5;
const UNSUPPORTED = ['suffix'];

interface CompletionRequest extends GenerationFields {
  readonly prompts: readonly Token[][];
  readonly echo: boolean;
  readonly logprobs?: number;
}

async function parseCompletion(engine: TextEngine, fields: Fields): Promise<CompletionRequest> {
  fields.refuse(UNSUPPORTED);
  const common = parseGenerationFields(fields, engine.profile.sampling, engine.summary.vocabularySize);
  const bestOf = fields.integer('best_of', { min: 1, max: 1_000 });
  if (bestOf !== undefined && bestOf !== common.choices)
    throw invalid('best_of', 'is not supported beyond n', '不支持大于 n 的取值');
  const prompt = fields.value('prompt');
  if (prompt === undefined) throw invalid('prompt', 'is missing', '缺失');
  const prompts = await parseTexts(prompt, engine, { param: 'prompt', countMax: PROMPTS_MAX, special: true });
  for (const tokens of prompts) checkContext(tokens.length, engine.plan.contextTokens, 'prompt');
  const logprobs = fields.integer('logprobs', { min: 0, max: LOGPROBS_MAX });
  const echo = fields.boolean('echo') ?? false;
  if (echo && logprobs !== undefined)
    throw invalid('logprobs', 'of the prompt are not available: leave out echo', '无法给出提示部分的概率：请去掉 echo');
  return { ...common, prompts, echo, ...(logprobs === undefined ? {} : { logprobs }) };
}

/** `POST /v1/completions`. Text as the model writes it: no template, thinking not parted. @throws Fault */
export async function answerCompletion(
  engine: TextEngine,
  fields: Fields,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  const request = await parseCompletion(engine, fields);
  noteIgnored(response, fields.ignored);
  const head = {
    id: answerId('cmpl'),
    object: 'text_completion',
    created: Math.floor(Date.now() / 1000),
    model: fields.string('model') ?? engine.summary.name,
  };
  const events = request.stream ? openEventStream(response) : undefined;
  const whole = openWholeAnswer(response, engine.nowMs);
  const echoes = request.prompts.map(tokens => (request.echo ? engine.model.detokenize(tokens, true) : ''));
  const answers = Array.from({ length: request.prompts.length * request.choices }, (_, index) => ({
    text: '',
    // What is echoed goes out with the first words, so that nothing is sent while an error can still have its status.
    echo: echoes[Math.floor(index / request.choices)] ?? '',
    logprobs: [] as TokenLogprob[],
  }));
  const choice = (
    index: number,
    text: string,
    part: { readonly logprobs: readonly TokenLogprob[]; readonly offset: number },
    finish: string | null,
  ) => ({
    index,
    text,
    logprobs: request.logprobs === undefined ? null : completionLogprobs(engine.model, part.logprobs, part.offset),
    finish_reason: finish,
  });
  const results = await generateAll(engine, answers.length, signal, async (index, inner) => {
    const give = (content: string, logprobs: readonly TokenLogprob[], finish: string | null) => {
      const answer = answers[index];
      if (answer === undefined) return;
      const text = answer.echo + content;
      answer.echo = '';
      answer.logprobs.push(...logprobs);
      const sent = choice(index, text, { logprobs, offset: answer.text.length }, finish);
      answer.text += text;
      if (events) events.send({ ...head, choices: [sent], ...(request.includeUsage ? { usage: null } : {}) });
      else whole.alive();
    };
    const result = await generate(engine, wanted(request, index, [inner, signal]), piece =>
      give(piece.content, piece.logprobs, null),
    );
    give('', [], result.finish);
    return result;
  });
  const usage = usageOf(byPrompt(results, request.choices));
  if (events === undefined) {
    const choices = answers.map(({ text, logprobs }, index) =>
      choice(index, text, { logprobs, offset: 0 }, results[index]?.finish ?? 'stop'),
    );
    whole.send({ ...head, choices, usage });
    return;
  }
  if (request.includeUsage) events.send({ ...head, choices: [], usage });
  events.done();
}

function wanted(request: CompletionRequest, index: number, [signal, owner]: readonly [AbortSignal, AbortSignal]) {
  const { sampling, prompts, choices, stops } = request;
  return {
    ...request,
    promptTokens: prompts[Math.floor(index / choices)] ?? [],
    shape: { thinking: 'none', tools: undefined, stops },
    sampling: { ...sampling, seed: (sampling.seed + (index % choices)) >>> 0 },
    signal,
    owner,
  } as const;
}

function byPrompt(results: readonly Generated[], choices: number): readonly (readonly Generated[])[] {
  return Array.from({ length: results.length / choices }, (_, prompt) =>
    results.slice(prompt * choices, (prompt + 1) * choices),
  );
}
