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
 *   gateway counts by itself. It never becomes zero; nor does one that is absent.
 * - Vendors that leave reasoning out of `completion_tokens` are known by their sum: input + output + reasoning = total.
 * - Cached input beyond the input (seen at xAI) and reasoning beyond the output are cut to it: they are parts.
 */
export function readUsage(source: JsonObject): ReportedUsage | undefined {
  const usage: Counters = source;
  const input = counter(usage.prompt_tokens);
  const output = counter(usage.completion_tokens);
  const total = counter(usage.total_tokens, 2 * TOKENS_MAX);
  const cached = detail(source, CACHED_FIELDS, [usage.prompt_tokens_details, source['prompt_token_details']]);
  const reasoning = detail(source, ['reasoning_tokens'], [usage.completion_tokens_details]);
  if (input === undefined || output === undefined || total === undefined) return undefined;
  if (cached === undefined || reasoning === undefined) return undefined;
  if (input === ABSENT && output === ABSENT && total === ABSENT) return undefined;
  const rest = input === ABSENT || total === ABSENT ? ABSENT : Math.max(0, total - input);
  const spoken = output === ABSENT ? rest : output;
  const apart =
    spoken !== ABSENT &&
    reasoning > 0 &&
    (total === ABSENT ? reasoning > spoken : total === input + spoken + reasoning);
  const outputTokens = apart ? spoken + reasoning : spoken;
  if (outputTokens > TOKENS_MAX) return undefined;
  const more = input === ABSENT || outputTokens === ABSENT || total > input + outputTokens;
  return {
    ...(input === ABSENT ? {} : { inputTokens: input }),
    cachedInputTokens: input === ABSENT ? cached : Math.min(cached, input),
    ...(outputTokens === ABSENT ? {} : { outputTokens }),
    reasoningTokens: outputTokens === ABSENT ? reasoning : Math.min(reasoning, outputTokens),
    ...(total !== ABSENT && more ? { totalTokens: total } : {}),
  };
}

/** A usage object, and the choice that it stands in. */
export interface FoundUsage {
  readonly usage: JsonObject;
  /** Undefined: of the whole answer. */
  readonly choice: number | undefined;
}

/**
 * Every usage object of an answer or a chunk: at its top, beside Groq's times, or in a choice (Moonshot, once).
 * Checks by property, since this runs for every token.
 */
export function usagesIn(body: JsonObject): readonly FoundUsage[] {
  const { usage, x_groq: groq, choices }: Places = body;
  const found: FoundUsage[] = [];
  if (isObject(usage)) found.push({ usage, choice: undefined });
  if (isObject(groq) && isObject(groq['usage'])) found.push({ usage: groq['usage'], choice: undefined });
  if (isArray(choices)) {
    for (const [at, choice] of choices.entries())
      if (isObject(choice) && isObject(choice['usage']))
        found.push({ usage: choice['usage'], choice: typeof choice['index'] === 'number' ? choice['index'] : at });
  }
  return found;
}

/**
 * The reports of one answer: largest of each counter, since they only grow and a smaller one that comes later is a slip. What stands
 * in a choice is of that choice alone: they share their input, and each has its own output. Where there is a report of the whole,
 * that is believed.
 */
export class UsageReports {
  private whole: ReportedUsage | undefined = undefined;
  private choices: Map<number, ReportedUsage> | undefined = undefined;

  add({ choice }: FoundUsage, counts: ReportedUsage): void {
    if (choice === undefined) this.whole = mergeUsage(this.whole, counts);
    else {
      this.choices ??= new Map();
      this.choices.set(choice, mergeUsage(this.choices.get(choice), counts));
    }
  }

  sum(): ReportedUsage | undefined {
    const { whole } = this;
    if (!this.choices) return whole;
    let sum = whole;
    for (const each of this.choices.values()) sum = whole || !sum ? mergeUsage(sum, each) : besides(sum, each);
    return sum;
  }
}

function mergeUsage(one: ReportedUsage | undefined, other: ReportedUsage): ReportedUsage {
  if (one === undefined) return other;
  const inputTokens = largest(one.inputTokens, other.inputTokens);
  const outputTokens = largest(one.outputTokens, other.outputTokens);
  const totalTokens = largest(one.totalTokens, other.totalTokens) ?? 0;
  const more = inputTokens === undefined || outputTokens === undefined || totalTokens > inputTokens + outputTokens;
  return {
    ...(inputTokens === undefined ? {} : { inputTokens }),
    cachedInputTokens: Math.max(one.cachedInputTokens, other.cachedInputTokens),
    ...(outputTokens === undefined ? {} : { outputTokens }),
    reasoningTokens: Math.max(one.reasoningTokens, other.reasoningTokens),
    ...(totalTokens > 0 && more ? { totalTokens } : {}),
  };
}

/** Of another choice of the same prompt. */
function besides(one: ReportedUsage, other: ReportedUsage): ReportedUsage {
  const inputTokens = largest(one.inputTokens, other.inputTokens);
  const outputs = [one.outputTokens, other.outputTokens].filter(count => count !== undefined);
  const beyond = [one, other].map(({ inputTokens: input = 0, outputTokens: output = 0, totalTokens = 0 }) =>
    Math.max(0, totalTokens - input - output),
  );
  const outputTokens = outputs.reduce((sum, count) => sum + count, 0);
  const hidden = beyond.reduce((sum, count) => sum + count, 0);
  return {
    ...(inputTokens === undefined ? {} : { inputTokens }),
    cachedInputTokens: Math.max(one.cachedInputTokens, other.cachedInputTokens),
    ...(outputs.length === 0 ? {} : { outputTokens }),
    reasoningTokens: one.reasoningTokens + other.reasoningTokens,
    ...(hidden === 0 ? {} : { totalTokens: (inputTokens ?? 0) + outputTokens + hidden }),
  };
}

function largest(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.max(one, other);
}

/** The usage object as told to the client: our counts and cost, and every other field the upstream reported. */
export function writeUsage(
  { usage, totalTokens = 0, cost, source = {} }: UsageStamp,
  kind: 'tokens' | 'embeddings',
): JsonObject {
  // What the upstream charges us is nobody's business but the operator's.
  const kept = Object.fromEntries(Object.entries(source).filter(([key]) => !isPriceName(key)));
  const total_tokens = Math.max(totalTokens, usage.inputTokens + usage.outputTokens);
  if (kind === 'embeddings') {
    // Some vendors write the field though there is nothing that it could count.
    const none = 'completion_tokens' in kept ? { completion_tokens: 0 } : {};
    return { ...kept, ...none, prompt_tokens: usage.inputTokens, total_tokens, cost };
  }
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
function counter(value: JsonValue | undefined, most = TOKENS_MAX): number | undefined {
  if (value === undefined || value === null) return ABSENT;
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= most ? value : undefined;
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
