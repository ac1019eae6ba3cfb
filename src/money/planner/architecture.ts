/** Grouped-query attention; `kvHeads === heads` is plain multi-head attention. */
export interface GroupedQueryAttention {
  readonly kind: 'gqa';
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
}

/** Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434): the cache holds one latent vector per token and layer. */
export interface LatentAttention {
  readonly kind: 'mla';
  readonly heads: number;
  /** 0 where the query is not compressed. */
  readonly queryRank: number;
  readonly kvRank: number;
  readonly ropeDim: number;
  readonly nopeDim: number;
  readonly valueDim: number;
}

export interface ExpertMix {
  readonly experts: number;
  readonly topK: number;
  readonly sharedExperts: number;
  readonly intermediate: number;
}

/** A transformer as far as its cost goes. Every figure comes from the model's published config.json unless `source` says otherwise. */
export interface Architecture {
  readonly id: string;
  readonly name: string;
  readonly layers: number;
  /** How many of the layers have a dense MLP although the model is a mixture of experts. */
  readonly denseLayers: number;
  readonly hidden: number;
  readonly denseIntermediate: number;
  readonly vocabulary: number;
  readonly tiedEmbedding: boolean;
  readonly attention: GroupedQueryAttention | LatentAttention;
  readonly mixture?: ExpertMix;
  /** Next-token-prediction layers shipped with the model, usable for speculation. */
  readonly draftLayers: number;
  readonly contextMax: number;
  readonly source: string;
  readonly date: string;
}

export type WeightPrecision = 'bf16' | 'fp8' | 'int4' | 'fp4';
export type CachePrecision = 'bf16' | 'fp8';

/** Bytes per weight. The four-bit formats carry one FP16 scale per group of 32 weights: 4 + 16/32 bits. */
export const WEIGHT_BYTES: Readonly<Record<WeightPrecision, number>> = { bf16: 2, fp8: 1, int4: 0.5625, fp4: 0.5625 };
export const CACHE_BYTES: Readonly<Record<CachePrecision, number>> = { bf16: 2, fp8: 1 };

/** Input and output width of each projection of one attention layer, with the cached state absorbed in decode (MLA). */
export type Projection = readonly [inputs: number, outputs: number, shard: 'column' | 'row' | 'none'];

export function attentionProjections(model: Architecture, phase: 'prefill' | 'decode'): readonly Projection[] {
  const { attention: a, hidden } = model;
  if (a.kind === 'gqa') {
    return [
      [hidden, (a.heads + 2 * a.kvHeads) * a.headDim, 'column'],
      [a.heads * a.headDim, hidden, 'row'],
    ];
  }
  const queryWidth = a.heads * (a.nopeDim + a.ropeDim);
  const query: readonly Projection[] =
    a.queryRank > 0
      ? [
          [hidden, a.queryRank, 'none'],
          [a.queryRank, queryWidth, 'column'],
        ]
      : [[hidden, queryWidth, 'column']];
  // Decode multiplies the query into the latent space per head instead of expanding the cache: two batched products of heads × (dim × rank).
  const latent: readonly Projection[] =
    phase === 'decode'
      ? [
          [a.nopeDim, a.heads * a.kvRank, 'column'],
          [a.kvRank, a.heads * a.valueDim, 'column'],
        ]
      : [[a.kvRank, a.heads * (a.nopeDim + a.valueDim), 'column']];
  return [...query, [hidden, a.kvRank + a.ropeDim, 'none'], ...latent, [a.heads * a.valueDim, hidden, 'row']];
}

export function attentionParameters(model: Architecture): number {
  return attentionProjections(model, 'prefill').reduce((sum, [inputs, outputs]) => sum + inputs * outputs, 0);
}

/** FLOPs of attention's core for one query token over one cached token in one layer, before any halving for causality. */
export function attentionCoreFlops(model: Architecture, phase: 'prefill' | 'decode'): number {
  const { attention: a } = model;
  if (a.kind === 'gqa') return 4 * a.heads * a.headDim;
  const perHead = phase === 'decode' ? 2 * a.kvRank + a.ropeDim : a.nopeDim + a.ropeDim + a.valueDim;
  return 2 * a.heads * perHead;
}

/** Bytes of cache that one token leaves in one layer. */
export function cacheBytesPerLayer(model: Architecture, precision: CachePrecision): number {
  const { attention: a } = model;
  const values = a.kind === 'gqa' ? 2 * a.kvHeads * a.headDim : a.kvRank + a.ropeDim;
  return values * CACHE_BYTES[precision];
}

export function cacheBytesPerToken(model: Architecture, precision: CachePrecision): number {
  return model.layers * cacheBytesPerLayer(model, precision);
}

/** Parameters of one expert, or of the dense MLP of width `intermediate`: gate, up and down. */
export function mlpParameters(model: Architecture, intermediate: number): number {
  return 3 * model.hidden * intermediate;
}

export interface ParameterCount {
  readonly total: number;
  /** Read for every token: attention, shared and chosen experts, output head. The embedding is a look-up and counts once, as vendors count it. */
  readonly active: number;
}

/** Parameters from the shapes alone (norms and biases, below 0.1 %, left out; draft layers left out as vendors do). */
export function parameters(model: Architecture): ParameterCount {
  const mixture = model.mixture;
  const attention = model.layers * attentionParameters(model);
  const head = model.vocabulary * model.hidden * (model.tiedEmbedding ? 1 : 2);
  const dense = (mixture ? model.denseLayers : model.layers) * mlpParameters(model, model.denseIntermediate);
  if (!mixture) return { total: attention + head + dense, active: attention + head + dense };
  const expert = mlpParameters(model, mixture.intermediate);
  const router = model.hidden * mixture.experts;
  const sparse = model.layers - model.denseLayers;
  const common = attention + head + dense + sparse * router;
  return {
    total: common + sparse * expert * (mixture.experts + mixture.sharedExperts),
    active: common + sparse * expert * (mixture.topK + mixture.sharedExperts),
  };
}

/**
 * Expected distinct experts that `tokens` tokens touch out of `experts` when each picks `topK`: E·(1 − (1 − k/E)^B).
 * Balls in bins with balanced routing; real routing is more skewed, which `expertImbalance` of a deployment covers.
 */
export function expertsTouched(experts: number, topK: number, tokens: number): number {
  return experts * (1 - (1 - topK / experts) ** tokens);
}
