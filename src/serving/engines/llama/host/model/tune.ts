import { availableParallelism } from 'node:os';
import type { Llama, LlamaModel, Token } from 'node-llama-cpp';
import type { MemoryPlan } from '../../memory-plan.ts';

/** One way to run the model, and how fast it was. */
export interface Reading {
  readonly threads: number;
  readonly flashAttention: boolean;
  readonly promptTokensPerSecond: number;
  readonly tokensPerSecond: number;
}

export interface Tuning {
  readonly chosen: Reading;
  readonly readings: readonly Reading[];
}

type Setting = Pick<Reading, 'threads' | 'flashAttention'>;

/**
 * A setting is judged by both phases: prompt tokens per generated one in conversations (Azure 2023 trace: 1,155 to 211, and
 * caches take a part). Decoding alone would choose an F32 cache for millrace-nano, with prompts at half the speed.
 */
const PROMPT_SHARE = 4;
/** A step must be this much faster to be worth more threads, or memory. */
const GAIN_MIN = 1.05;
const SAMPLE = 'The quick brown fox jumps over the lazy dog. 你好，世界！0123456789';
const DECODE_MS = 30;
const DECODE_TOKENS_MIN = 4;
const WARM_TOKENS = 2;
/** A prompt is evaluated in two parts: the first tells whether the second is quick enough to bother. */
const PROMPT_TOKENS = [8, 88] as const;
const PROMPT_MORE_BELOW_MS = 20;
/** No new setting is tried after this; what was fastest until then is taken. */
const BUDGET_MS = 8_000;
/** Attention without the flash kernel holds one score per head, token of the batch and token of the context. */
const SCORE_BYTES_MAX = 268_435_456;

/** Most threads that leave the gateway a core: physical cores (of this process's share) less one. */
export function threadsMax(llama: Pick<Llama, 'cpuMathCores'>): number {
  return Math.max(1, Math.min(llama.cpuMathCores, availableParallelism()) - 1);
}

export interface TuneLimits {
  /** Given by the operator, and then not explored. */
  readonly threads?: number;
  readonly threadsMax: number;
  /** Whether attention without the flash kernel is a choice. */
  readonly plainAttention: boolean;
  readonly nowMs: () => number;
}

/** Explores what is fastest for this model on this machine, as it is now. */
export async function tune(
  model: LlamaModel,
  plan: MemoryPlan,
  limits: Omit<TuneLimits, 'plainAttention'> & {
    readonly headCount: number;
    /** It makes text; else vectors alone, which have no second phase. */
    readonly generates: boolean;
  },
): Promise<Tuning> {
  const { generates, headCount, nowMs } = limits;
  const scoreBytes = plan.batchTokens * plan.contextTokens * headCount * 4;
  const measure = generates ? measureText : measureVectors;
  return explore(setting => measure(model, setting, nowMs), {
    ...limits,
    plainAttention: generates && scoreBytes <= SCORE_BYTES_MAX,
  });
}

/**
 * Runs a few tokens under each setting and takes the fastest; the smaller of near-equals. Reckoning does not do: on a shared
 * 2-core machine two threads gave 74 tokens/s where one gave 510, and llama.cpp's flash attention, its default, was half as fast
 * as none for small heads on a CPU.
 */
export async function explore(measure: (setting: Setting) => Promise<Reading>, limits: TuneLimits): Promise<Tuning> {
  const deadlineMs = limits.nowMs() + BUDGET_MS;
  const first: Setting = { threads: limits.threads ?? 1, flashAttention: true };
  let chosen = await measure(first);
  const readings = [chosen];
  const attempt = async (setting: Setting): Promise<boolean> => {
    if (limits.nowMs() >= deadlineMs) return false;
    // A setting that this model cannot run under is no reason to give it up.
    const reading = await measure(setting).catch(() => undefined);
    if (reading === undefined) return false;
    readings.push(reading);
    const faster = speed(reading) > speed(chosen) * GAIN_MIN;
    if (faster) chosen = reading;
    return faster;
  };
  if (limits.plainAttention) await attempt({ ...first, flashAttention: false });
  if (limits.threads === undefined) {
    let threads = 2;
    while (threads <= limits.threadsMax && (await attempt({ ...chosen, threads }))) threads *= 2;
    // Between the last that was faster and the first that was not, or the most there are.
    const middle = Math.floor((chosen.threads + Math.min(threads, limits.threadsMax + 1)) / 2);
    if (middle > chosen.threads) await attempt({ ...chosen, threads: middle });
    // The last doubling may have gone too far: three quarters that do as well are better neighbours.
    const fewer = Math.ceil((chosen.threads * 3) / 4);
    const most = chosen;
    if (fewer < most.threads && fewer > most.threads / 2 && !(await attempt({ ...most, threads: fewer }))) {
      const reading = readings.at(-1);
      if (reading?.threads === fewer && speed(reading) * GAIN_MIN > speed(most)) chosen = reading;
    }
  }
  return { chosen, readings };
}

/** Generated tokens per second with their share of prompt. */
function speed({ promptTokensPerSecond, tokensPerSecond }: Reading): number {
  return 1 / (PROMPT_SHARE / promptTokensPerSecond + 1 / tokensPerSecond);
}

async function measureText(model: LlamaModel, setting: Setting, nowMs: () => number): Promise<Reading> {
  await using context = await model.createContext({
    ...contextOptions(setting),
    sequences: 1,
    contextSize: Math.min(256, model.trainContextSize),
    batchSize: 128,
  });
  const sequence = context.getSequence();
  const vocabulary = model.tokenize(SAMPLE, false);
  const words = (count: number): Token[] =>
    Array.from({ length: Math.ceil(count / vocabulary.length) }, () => vocabulary)
      .flat()
      .slice(0, count);
  // The first evaluation pays for memory that was never touched.
  await sequence.evaluateWithoutGeneratingNewTokens(words(WARM_TOKENS));
  let promptMs = 0;
  let promptTokens = 0;
  for (const count of PROMPT_TOKENS) {
    const startMs = nowMs();
    await sequence.evaluateWithoutGeneratingNewTokens(words(count));
    promptMs = nowMs() - startMs;
    promptTokens = count;
    if (promptMs > PROMPT_MORE_BELOW_MS) break;
  }
  let generated = 0;
  let startMs = nowMs();
  for await (const _ of sequence.evaluateWithMetadata(words(1), {}, { temperature: 0, yieldEogToken: true })) {
    generated += 1;
    if (generated === WARM_TOKENS) startMs = nowMs();
    const enough = generated >= WARM_TOKENS + DECODE_TOKENS_MIN && nowMs() - startMs >= DECODE_MS;
    if (enough || generated >= 128) break;
  }
  const tokensPerSecond = ((generated - WARM_TOKENS) / (nowMs() - startMs)) * 1000;
  return { ...setting, promptTokensPerSecond: (promptTokens / promptMs) * 1000, tokensPerSecond };
}

async function measureVectors(model: LlamaModel, setting: Setting, nowMs: () => number): Promise<Reading> {
  const contextSize = Math.min(256, model.trainContextSize);
  await using context = await model.createEmbeddingContext({
    contextSize,
    batchSize: contextSize,
    threads: setting.threads,
  });
  const tokens = model.tokenize(SAMPLE, false);
  await context.getEmbeddingFor(tokens.slice(0, WARM_TOKENS));
  const startMs = nowMs();
  await context.getEmbeddingFor([...tokens]);
  const perSecond = (tokens.length / (nowMs() - startMs)) * 1000;
  return { ...setting, promptTokensPerSecond: perSecond, tokensPerSecond: perSecond };
}

/** A setting as options of a context. */
export function contextOptions({ threads, flashAttention }: Setting) {
  return {
    threads,
    // 'auto' leaves it out for the few models whose shape it cannot take.
    flashAttention: flashAttention ? 'auto' : false,
  } as const;
}
