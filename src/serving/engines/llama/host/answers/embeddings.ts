import type { ServerResponse } from 'node:http';
import type { Engine } from '../model/engine.ts';
import { type Fields, invalid } from '../requests/fields.ts';
import { checkContext, parseTexts } from '../requests/prompt-tokens.ts';
import { noteIgnored, sendJson } from './reply.ts';

/** As OpenAI's API has it. */
const INPUTS_MAX = 2_048;

/** `POST /v1/embeddings`. @throws Fault; the signal's reason when aborted */
export async function answerEmbeddings(
  engine: Engine,
  fields: Fields,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  const { embedder, metrics, watch } = engine;
  const step = { owner: signal, isSuspect: () => false };
  fields.accept(['model', 'user']);
  const format = fields.string('encoding_format') ?? 'float';
  if (format !== 'float' && format !== 'base64')
    throw invalid('encoding_format', 'must be float or base64', '必须是 float 或 base64');
  const dimensions = fields.integer('dimensions', { min: 1, max: 1_000_000 });
  if (dimensions !== undefined && dimensions !== embedder.vectorLength)
    throw invalid(
      'dimensions',
      `must be ${embedder.vectorLength}: this model's vectors cannot be cut`,
      `必须是 ${embedder.vectorLength}：此模型的向量不能截短`,
    );
  const input = fields.value('input');
  if (input === undefined) throw invalid('input', 'is missing', '缺失');
  const texts = await parseTexts(input, engine, { param: 'input', countMax: INPUTS_MAX, special: false });
  for (const tokens of texts) checkContext(tokens.length, embedder.tokensMax, 'input');
  noteIgnored(response, fields.ignored);
  const data: object[] = [];
  let promptTokens = 0;
  const release = embedder.reserve(texts.length);
  try {
    for (const tokens of texts) {
      signal.throwIfAborted();
      const { vector, tokens: evaluated } = await watch.during(step, () => embedder.embed(tokens));
      promptTokens += evaluated;
      metrics.promptTokens += evaluated;
      const embedding = format === 'float' ? [...vector] : Buffer.from(vector.buffer).toString('base64');
      data.push({ object: 'embedding', index: data.length, embedding });
    }
  } finally {
    release();
  }
  sendJson(response, {
    object: 'list',
    data,
    model: fields.string('model') ?? engine.summary.name,
    usage: { prompt_tokens: promptTokens, total_tokens: promptTokens },
  });
}
