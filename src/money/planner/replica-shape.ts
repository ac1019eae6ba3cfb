import type { Architecture, CachePrecision, WeightPrecision } from './architecture.ts';
import { attentionParameters, cacheBytesPerToken, mlpParameters, WEIGHT_BYTES } from './architecture.ts';
import { BadInput } from './bad-input.ts';
import type { EngineCosts } from './data/engine.ts';
import type { Hardware } from './hardware.ts';

/** Tensor, pipeline and data parallelism multiply to the GPUs of a replica; experts spread over `ep` of its tp × dp GPUs per stage. */
export interface Parallelism {
  readonly tp: number;
  readonly pp: number;
  readonly dp: number;
  readonly ep: number;
}

export interface Speculation {
  readonly draftTokens: number;
  /** Chance that one drafted token is accepted given that those before it were. */
  readonly acceptance: number;
}

/** One replica: a model on some GPUs, served some way. */
export interface Replica {
  readonly model: Architecture;
  readonly hardware: Hardware;
  readonly weights: WeightPrecision;
  readonly cache: CachePrecision;
  readonly parallel: Parallelism;
  readonly engine: EngineCosts;
  /** Two batches in flight, one computing while the other communicates. */
  readonly overlap: boolean;
  /** Experts kept twice or more to level their load (DeepSeek: 32). */
  readonly redundantExperts: number;
  readonly speculation?: Speculation;
}

export const gpusOf = ({ tp, pp, dp }: Parallelism): number => tp * pp * dp;

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 1 && value <= 4096;

/** Throws {@link BadInput} where the parallelism cannot hold the model's shape. */
export function requireShape(field: string, model: Architecture, parallel: Parallelism): void {
  for (const [name, value] of Object.entries(parallel)) {
    if (!isCount(value))
      throw new BadInput(
        `${field}.${name}`,
        `${value} is not a whole number from 1 to 4096`,
        `${value} 不是 1 到 4096 的整数`,
      );
  }
  const { tp, pp, dp, ep } = parallel;
  if (model.attention.heads % tp !== 0)
    throw new BadInput(
      `${field}.tp`,
      `${tp} does not divide the ${model.attention.heads} attention heads of ${model.name}`,
      `${tp} 不能整除 ${model.name} 的 ${model.attention.heads} 个注意力头`,
    );
  if (pp > model.layers)
    throw new BadInput(
      `${field}.pp`,
      `${pp} stages for ${model.layers} layers`,
      `${pp} 个流水级多于 ${model.layers} 层`,
    );
  if (ep > 1 && !model.mixture)
    throw new BadInput(
      `${field}.ep`,
      `${model.name} has no experts to spread; write ep: 1`,
      `${model.name} 没有专家可分布，请写 ep: 1`,
    );
  if ((tp * dp) % ep !== 0)
    throw new BadInput(
      `${field}.ep`,
      `${ep} does not divide the ${tp * dp} GPUs of a stage (tp × dp)`,
      `${ep} 不能整除一个流水级的 ${tp * dp} 张卡（tp × dp）`,
    );
}

/** Weight bytes on one GPU. Attention and dense parts are cut by tp, experts by ep (by tp where ep is 1), everything by pp. */
export function weightBytesPerGpu(replica: Replica): number {
  const { model, parallel } = replica;
  const bytes = WEIGHT_BYTES[replica.weights];
  const { tp, pp, ep } = parallel;
  const mixture = model.mixture;
  const sparse = mixture ? model.layers - model.denseLayers : 0;
  const attention = model.layers * attentionParameters(model);
  const dense = (model.layers - sparse) * mlpParameters(model, model.denseIntermediate);
  const expert = mixture ? mlpParameters(model, mixture.intermediate) : 0;
  const shared = sparse * expert * (mixture?.sharedExperts ?? 0);
  const routedPerGpu = mixture
    ? (sparse * expert * (mixture.experts + (ep > 1 ? replica.redundantExperts : 0))) / (ep > 1 ? ep : tp)
    : 0;
  // Embedding and head stay in BF16 in every quantized release read.
  const head = (model.vocabulary * model.hidden * 2 * (model.tiedEmbedding ? 1 : 2)) / tp;
  return ((attention + dense + shared) * bytes) / tp / pp + (routedPerGpu * bytes) / pp + head / (pp > 1 ? 2 : 1);
}

/** Cache bytes of one token on one GPU. Grouped heads are cut by tp as far as there are heads; a latent is kept whole by every one. */
export function cacheBytesPerTokenPerGpu(replica: Replica): number {
  const { model, parallel } = replica;
  const cut = model.attention.kind === 'gqa' ? Math.min(parallel.tp, model.attention.kvHeads) : 1;
  return cacheBytesPerToken(model, replica.cache) / cut / parallel.pp;
}

export interface MemoryFit {
  readonly weightsGb: number;
  readonly cacheGb: number;
  /** Tokens of cache that one data-parallel rank holds; 0 where the weights alone do not fit. */
  readonly tokensPerRank: number;
}

export function memoryFit(replica: Replica): MemoryFit {
  const { hardware, engine } = replica;
  const weightsGb = weightBytesPerGpu(replica) / 1e9;
  const cacheGb = Math.max(0, hardware.memoryGb * engine.memoryShare - weightsGb - engine.reservedGb);
  return { weightsGb, cacheGb, tokensPerRank: Math.floor((cacheGb * 1e9) / cacheBytesPerTokenPerGpu(replica)) };
}

/** Largest batch per rank whose cache fits at `contextTokens` each. */
export function batchMax(replica: Replica, contextTokens: number): number {
  return Math.floor(memoryFit(replica).tokensPerRank / contextTokens);
}

/** Expected tokens of one step with `draftTokens` drafted: 1 + α + … + α^k. */
export function tokensPerStep(speculation: Speculation | undefined): number {
  if (!speculation) return 1;
  let sum = 0;
  for (let drafted = 0; drafted <= speculation.draftTokens; drafted++) sum += speculation.acceptance ** drafted;
  return sum;
}
