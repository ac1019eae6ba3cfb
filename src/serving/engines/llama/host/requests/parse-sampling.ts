import { randomInt } from 'node:crypto';
import type { SamplingDefaults } from '../model/profiles.ts';
import { type Fields, invalid } from './fields.ts';

export interface Sampling extends SamplingDefaults {
  /** 32 bits. */
  readonly seed: number;
  readonly presencePenalty: number;
  readonly frequencyPenalty: number;
  /** 1: none. */
  readonly repetitionPenalty: number;
  /** Added to the logit of a token; -100 forbids it. */
  readonly logitBias: ReadonlyMap<number, number>;
  /** Go on after the model's own end. */
  readonly ignoreEnd: boolean;
}

/** Fields that the chat and the completions endpoint share. */
export interface GenerationFields {
  readonly sampling: Sampling;
  readonly stops: readonly string[];
  /** Undefined: as far as the context goes. */
  readonly maxTokens?: number;
  readonly choices: number;
  readonly stream: boolean;
  readonly includeUsage: boolean;
}

const CHOICES_MAX = 16;
const STOPS_MAX = 16;
const STOP_LENGTH_MAX = 256;
const BIASES_MAX = 1_024;
const SEED_SPACE = 0x1_0000_0000;

/** Never change an answer: accounting, caching and routing hints of OpenAI's API. */
const HARMLESS = [
  'model',
  'user',
  'metadata',
  'store',
  'service_tier',
  'safety_identifier',
  'prompt_cache_key',
  'prompt_cache_retention',
  'cache_prompt',
];

/** @throws Fault `invalid_parameter` */
export function parseGenerationFields(
  fields: Fields,
  defaults: SamplingDefaults,
  vocabularySize: number,
): GenerationFields {
  fields.accept(HARMLESS);
  const maxTokens = maxTokensOf(fields);
  const options = fields.object('stream_options');
  return {
    sampling: parseSampling(fields, defaults, vocabularySize),
    stops: parseStops(fields),
    ...(maxTokens === undefined ? {} : { maxTokens }),
    choices: fields.integer('n', { min: 1, max: CHOICES_MAX }) ?? 1,
    stream: fields.boolean('stream') ?? false,
    includeUsage: options?.['include_usage'] === true,
  };
}

function maxTokensOf(fields: Fields): number | undefined {
  const range = { min: 1, max: Number.MAX_SAFE_INTEGER };
  const old = fields.integer('max_tokens', range);
  return fields.integer('max_completion_tokens', range) ?? old;
}

function parseSampling(fields: Fields, defaults: SamplingDefaults, vocabularySize: number): Sampling {
  const topK = fields.integer('top_k', { min: -1, max: Number.MAX_SAFE_INTEGER });
  const seed = fields.integer('seed', { min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER });
  return {
    temperature: fields.number('temperature', { min: 0, max: 2 }) ?? defaults.temperature,
    topP: fields.number('top_p', { min: 0, max: 1 }) ?? defaults.topP,
    topK: Math.min(vocabularySize, Math.max(0, topK ?? defaults.topK)),
    minP: fields.number('min_p', { min: 0, max: 1 }) ?? defaults.minP,
    seed: seed === undefined ? randomInt(SEED_SPACE) : Number(BigInt.asUintN(32, BigInt(seed))),
    presencePenalty: fields.number('presence_penalty', { min: -2, max: 2 }) ?? 0,
    frequencyPenalty: fields.number('frequency_penalty', { min: -2, max: 2 }) ?? 0,
    repetitionPenalty: fields.number('repetition_penalty', { min: 0.01, max: 10 }) ?? 1,
    logitBias: parseLogitBias(fields, vocabularySize),
    ignoreEnd: fields.boolean('ignore_eos') ?? false,
  };
}

function parseLogitBias(fields: Fields, vocabularySize: number): ReadonlyMap<number, number> {
  const entries = Object.entries(fields.object('logit_bias') ?? {});
  if (entries.length > BIASES_MAX)
    throw invalid('logit_bias', `has over ${BIASES_MAX} entries`, `超过 ${BIASES_MAX} 项`);
  return new Map(
    entries.map(([key, bias]) => {
      const token = Number(key);
      if (!/^\d{1,9}$/.test(key) || token >= vocabularySize)
        throw invalid(
          `logit_bias.${key}`,
          `is not a token of this model (0 to ${vocabularySize - 1})`,
          `不是此模型的词元（0 到 ${vocabularySize - 1}）`,
        );
      if (typeof bias !== 'number' || !(bias >= -100 && bias <= 100))
        throw invalid(`logit_bias.${key}`, 'must be a number from -100 to 100', '必须是 -100 到 100 之间的数');
      return [token, bias];
    }),
  );
}

function parseStops(fields: Fields): readonly string[] {
  const value = fields.value('stop');
  if (value === undefined) return [];
  const stops = Array.isArray(value) ? value : [value];
  if (stops.length > STOPS_MAX)
    throw invalid('stop', `takes at most ${STOPS_MAX} strings`, `最多 ${STOPS_MAX} 个字符串`);
  return stops.map((stop: unknown) => {
    if (typeof stop !== 'string' || stop === '' || stop.length > STOP_LENGTH_MAX)
      throw invalid(
        'stop',
        `takes strings of 1 to ${STOP_LENGTH_MAX} characters`,
        `必须是 1 到 ${STOP_LENGTH_MAX} 个字符的字符串`,
      );
    return stop;
  });
}
