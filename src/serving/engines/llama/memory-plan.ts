import { Fault } from '../../../ground/std/index.ts';
import type { GgufSummary } from './inspect-gguf.ts';

/** Answers in flight at once, unless memory says fewer. Beyond eight, CPU decoding gains little. */
const SEQUENCES_DEFAULT = 8;
/** Longest context unless the operator asks for more: models are trained for far more than a CPU can serve. */
const CONTEXT_TOKENS_DEFAULT = 8_192;
const CONTEXT_TOKENS_MIN = 512;
/** llama.cpp lays caches out in steps of 256 tokens. */
const CONTEXT_STEP = 256;
const BATCH_TOKENS_MAX = 512;
/** Share of what the weights leave free that defaults may fill with cache; the rest is the gateway's and the page cache's. */
const CACHE_SHARE = 0.4;
/** Process, graph, buffers; read 58 MiB for millrace-nano. */
const OVERHEAD_BYTES = 100_663_296;
const CACHE_BYTES_PER_NUMBER = 2;
const MIB = 1_048_576;

export interface MemoryPlan {
  /** Longest prompt plus answer, in tokens. */
  readonly contextTokens: number;
  readonly sequences: number;
  /** Tokens that are evaluated in one go. */
  readonly batchTokens: number;
  /** As F16. */
  readonly cacheBytes: number;
  readonly neededBytes: number;
  readonly availableBytes: number;
}

export interface MemoryWish {
  readonly contextTokens?: number;
  readonly sequences?: number;
}

/**
 * Context and sequences for a model in this much free memory. What the operator wished for is never cut down in silence:
 * it fits, or it is refused with both numbers.
 * @throws Fault `config_invalid` where the model does not fit
 */
export function planMemory(model: GgufSummary, wish: MemoryWish, availableBytes: number): MemoryPlan {
  const plan = (contextTokens: number, sequences: number): MemoryPlan => {
    const batchTokens = Math.min(BATCH_TOKENS_MAX, contextTokens);
    const paddedTokens = Math.ceil(contextTokens / CONTEXT_STEP) * CONTEXT_STEP;
    const cacheBytes = paddedTokens * sequences * model.cacheNumbersPerToken * CACHE_BYTES_PER_NUMBER;
    const logitBytes = batchTokens * model.vocabularySize * 4;
    const neededBytes = model.fileBytes + cacheBytes + logitBytes + OVERHEAD_BYTES;
    return { contextTokens, sequences, batchTokens, cacheBytes, neededBytes, availableBytes };
  };
  if (wish.contextTokens !== undefined && wish.contextTokens > model.contextTokens)
    throw new Fault('config_invalid', {
      message: `${model.name} was trained for ${model.contextTokens} tokens of context; contextTokens is ${wish.contextTokens}`,
      messageZh: `${model.name} 的训练上下文为 ${model.contextTokens} 个词元，而 contextTokens 设为 ${wish.contextTokens}`,
      param: 'contextTokens',
    });
  let contextTokens = wish.contextTokens ?? Math.min(model.contextTokens, CONTEXT_TOKENS_DEFAULT);
  let sequences = wish.sequences ?? SEQUENCES_DEFAULT;
  const cacheBytesMax = CACHE_SHARE * (availableBytes - model.fileBytes);
  // Fewer answers at once first: a short context fails requests, a small batch only makes them wait.
  while (plan(contextTokens, sequences).cacheBytes > cacheBytesMax) {
    if (wish.sequences === undefined && sequences > 1) sequences >>= 1;
    else if (wish.contextTokens === undefined && contextTokens / 2 >= CONTEXT_TOKENS_MIN) contextTokens >>= 1;
    else break;
  }
  const chosen = plan(contextTokens, sequences);
  if (chosen.neededBytes > availableBytes) throw tooLarge(model, chosen);
  return chosen;
}

function tooLarge(model: GgufSummary, plan: MemoryPlan): Fault {
  const [needed, free] = [plan.neededBytes, plan.availableBytes].map(bytes => Math.round(bytes / MIB));
  const shape = `${plan.contextTokens} × ${plan.sequences}`;
  return new Fault('config_invalid', {
    message: `${model.name} needs about ${needed} MiB (context ${shape}), ${free} MiB are free; lower contextTokens or sequences, or take a smaller model`,
    messageZh: `${model.name} 约需 ${needed} MiB 内存（上下文 ${shape}），可用 ${free} MiB；请减小 contextTokens 或 sequences，或换用更小的模型`,
    param: 'contextTokens',
  });
}
