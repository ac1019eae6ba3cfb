import { type JsonObject, type JsonValue, type ReportedUsage, TOKENS_MAX, type UsageStamp } from '../codec.ts';
import { isArray, isObject } from '../json.ts';
import { isPriceName } from './vendor-prices.ts';

/** What is read of a usage object; everything else is kept for the client. */
interface Counters {
  readonly prompt_tokens?: JsonValue | undefined;
  readonly completion_tokens?: JsonValue | undefined;
  readonly total_tokens?: JsonValue | undefined;
  readonly prompt_tokens_details?: JsonValue | undefined;
  readonly completion_tokens_details?: JsonValue | undefined;
}

interface Places {
  readonly usage?: JsonValue | undefined;
  readonly x_groq?: JsonValue | undefined;
  readonly choices?: JsonValue | undefined;
}

/** Where vendors put the count of cached input: the details, or one of these beside the totals. */
const CACHED_FIELDS = ['cached_tokens', 'num_cached_tokens', 'prompt_cache_hit_tokens'] as const;

/**
 * Reads a vendor's usage object.
 *
 * - A counter that is there but is no integer from 0 to {@link TOKENS_MAX} spoils the whole report: undefined, and the
 *   gateway counts by itself. It never becomes zero.
 * - Vendors that leave reasoning out of `completion_tokens` are known by their sum: input + output + reasoning = total.
 * - Cached input beyond the input (seen at xAI) and reasoning beyond the output are cut to it: they are parts.
 */
export function readUsage(source: JsonObject): ReportedUsage | undefined {
  const usage: Counters = source;
  const input = counter(usage.prompt_tokens);
  const output = counter(usage.completion_tokens);
  const total = counter(usage.total_tokens);
  const cached = detail(source, CACHED_FIELDS, [usage.prompt_tokens_details, source['prompt_token_details']]);
  const reasoning = detail(source, ['reasoning_tokens'], [usage.completion_tokens_details]);
  if (input === undefined || output === undefined || total === undefined) return undefined;
  if (cached === undefined || reasoning === undefined || input === ABSENT) return undefined;
  const spoken = output === ABSENT ? Math.max(0, total - input) : output;
  const apart = reasoning > 0 && (total === input + spoken + reasoning || (total === ABSENT && reasoning > spoken));
  const outputTokens = apart ? spoken + reasoning : spoken;
  if (outputTokens > TOKENS_MAX) return undefined;
  return {
    inputTokens: input,
    cachedInputTokens: Math.min(cached, input),
    outputTokens,
    reasoningTokens: Math.min(reasoning, outputTokens),
  };
}

/**
 * Every usage object of an answer or a chunk: at its top, beside Groq's times, or in a choice (Moonshot, once).
 * Checks by property, since this runs for every token.
 */
export function usagesIn(body: JsonObject): readonly JsonObject[] {
  const { usage, x_groq: groq, choices }: Places = body;
  const found: JsonObject[] = [];
  if (isObject(usage)) found.push(usage);
  if (isObject(groq) && isObject(groq['usage'])) found.push(groq['usage']);
  if (isArray(choices)) {
    for (const choice of choices) if (isObject(choice) && isObject(choice['usage'])) found.push(choice['usage']);
  }
  return found;
}

/** Largest of each counter: reports of one stream only grow, and a smaller one that comes later is a slip. */
export function mergeUsage(one: ReportedUsage | undefined, other: ReportedUsage): ReportedUsage {
  if (one === undefined) return other;
  return {
    inputTokens: Math.max(one.inputTokens, other.inputTokens),
    cachedInputTokens: Math.max(one.cachedInputTokens, other.cachedInputTokens),
    outputTokens: Math.max(one.outputTokens, other.outputTokens),
    reasoningTokens: Math.max(one.reasoningTokens, other.reasoningTokens),
  };
}

/** The usage object as told to the client: our counts and cost, and every other field the upstream reported. */
export function writeUsage({ usage, cost, source = {} }: UsageStamp, kind: 'tokens' | 'embeddings'): JsonObject {
  // What the upstream charges us is nobody's business but the operator's.
  const kept = Object.fromEntries(Object.entries(source).filter(([key]) => !isPriceName(key)));
  const total_tokens = usage.inputTokens + usage.outputTokens;
  if (kind === 'embeddings') return { ...kept, prompt_tokens: usage.inputTokens, total_tokens, cost };
  const { prompt_tokens_details: input, completion_tokens_details: output }: Counters = source;
  return {
    ...kept,
    prompt_tokens: usage.inputTokens,
    completion_tokens: usage.outputTokens,
    total_tokens,
    prompt_tokens_details: { ...(isObject(input) ? input : {}), cached_tokens: usage.cachedInputTokens },
    completion_tokens_details: { ...(isObject(output) ? output : {}), reasoning_tokens: usage.reasoningTokens },
    cost,
  };
}

const ABSENT = -1;

/** The count, ABSENT where there is none, undefined where it can not be believed. */
function counter(value: JsonValue | undefined): number | undefined {
  if (value === undefined || value === null) return ABSENT;
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= TOKENS_MAX ? value : undefined;
}

/** Largest of what the fields beside the totals and in the details say; 0 where none speaks. */
function detail(
  usage: JsonObject,
  fields: readonly string[],
  details: readonly (JsonValue | undefined)[],
): number | undefined {
  let largest = 0;
  for (const place of [usage, ...details]) {
    if (!isObject(place)) continue;
    for (const field of fields) {
      const count = counter(place[field]);
      if (count === undefined) return undefined;
      largest = Math.max(largest, count);
    }
  }
  return largest;
}
