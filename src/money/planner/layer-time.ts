import {
  attentionCoreFlops,
  attentionProjections,
  cacheBytesPerLayer,
  expertsTouched,
  WEIGHT_BYTES,
} from './architecture.ts';
import { type EfficiencyCurve, efficiencyAt } from './hardware.ts';
import type { Replica } from './replica-shape.ts';

/** Time of one layer on one GPU, in seconds, by what it is spent on. */
export interface LayerTime {
  readonly attentionCore: number;
  readonly attentionProjections: number;
  readonly mlp: number;
  readonly elementwise: number;
  readonly dispatch: number;
  readonly combine: number;
  readonly launches: number;
}

/** Rows that go through the layer at once on one rank, and what they attend to. */
export interface LayerWork {
  readonly phase: 'prefill' | 'decode';
  readonly tokens: number;
  /** Pairs of query and cached token, causality already counted. */
  readonly attentionPairs: number;
  /** Tokens of cache read from memory. */
  readonly cacheTokens: number;
  /** Length that the efficiency of prefill attention depends on. */
  readonly promptTokens: number;
}

interface MatrixUnit {
  readonly flops: number;
  /** Bytes per weight that the unit is fed with. */
  readonly bytes: number;
}

/** The unit on which weights of this precision multiply. INT4 weights are widened to 16 bits first, so they save memory only. */
function matrixUnit({ hardware, weights }: Replica): MatrixUnit {
  const bf16 = { flops: hardware.bf16Tflops * 1e12, bytes: 2 };
  const fp8 = hardware.fp8Tflops ? { flops: hardware.fp8Tflops * 1e12, bytes: 1 } : bf16;
  if (weights === 'fp8') return fp8;
  if (weights === 'fp4') return hardware.fp4Tflops ? { flops: hardware.fp4Tflops * 1e12, bytes: 0.5 } : fp8;
  return bf16;
}

/** Compute time of a matrix product. Narrower weights than the unit's reach its rate with fewer rows, as the ridge moves with them. */
function computeSeconds(replica: Replica, curve: EfficiencyCurve, rows: number, flops: number): number {
  const unit = matrixUnit(replica);
  const half = curve.half * Math.min(1, WEIGHT_BYTES[replica.weights] / unit.bytes);
  return flops / (unit.flops * efficiencyAt({ max: curve.max, half }, rows));
}

function gemmSeconds(replica: Replica, rows: number, inputs: number, outputs: number): number {
  const { hardware } = replica;
  const compute = computeSeconds(replica, hardware.kernels.gemm, rows, 2 * rows * inputs * outputs);
  const bytes = inputs * outputs * WEIGHT_BYTES[replica.weights] + rows * (inputs + outputs) * 2;
  return Math.max(compute, bytes / (hardware.bandwidthGbps * 1e9 * hardware.kernels.memory));
}

function projectionsSeconds(replica: Replica, work: LayerWork): number {
  const { tp } = replica.parallel;
  let seconds = 0;
  for (const [inputs, outputs, shard] of attentionProjections(replica.model, work.phase)) {
    const k = shard === 'row' ? inputs / tp : inputs;
    const n = shard === 'column' ? outputs / tp : outputs;
    seconds += gemmSeconds(replica, work.tokens, k, n);
  }
  return seconds;
}

function attentionCoreSeconds(replica: Replica, work: LayerWork): number {
  const { hardware, model, parallel } = replica;
  const { kernels } = hardware;
  const share =
    work.phase === 'prefill' ? efficiencyAt(kernels.prefillAttention, work.promptTokens) : kernels.decodeAttention;
  const flops = (attentionCoreFlops(model, work.phase) * work.attentionPairs) / parallel.tp;
  const cut = model.attention.kind === 'gqa' ? Math.min(parallel.tp, model.attention.kvHeads) : 1;
  const bytes = (cacheBytesPerLayer(model, replica.cache) * work.cacheTokens) / cut;
  return Math.max(
    flops / (hardware.bf16Tflops * 1e12 * share),
    bytes / (hardware.bandwidthGbps * 1e9 * kernels.cacheRead),
  );
}

function denseSeconds(replica: Replica, rows: number, intermediate: number): number {
  const { hidden } = replica.model;
  const width = intermediate / replica.parallel.tp;
  return gemmSeconds(replica, rows, hidden, 2 * width) + gemmSeconds(replica, rows, width, hidden);
}

/** The busiest GPU's load over the mean; redundant experts level it. */
function imbalance(replica: Replica): number {
  return replica.parallel.ep > 1 && replica.redundantExperts === 0 ? replica.engine.expertImbalance : 1;
}

function expertsSeconds(replica: Replica, rows: number): number {
  const { hardware, model, parallel, weights } = replica;
  const mixture = model.mixture;
  if (!mixture) return 0;
  const { tp, ep } = parallel;
  // Within an expert group all ranks' tokens meet; tp ranks of one data-parallel rank hold the same tokens.
  const groupRows = ep > 1 ? (rows * ep) / tp : rows;
  const touched = expertsTouched(mixture.experts, mixture.topK, groupRows);
  const widthCut = ep > 1 ? 1 : tp;
  const gpus = Math.max(ep, 1);
  const rowsPerExpert = (groupRows * mixture.topK) / Math.max(1, touched);
  const parameters = (3 * model.hidden * mixture.intermediate) / widthCut;
  const flops = ((2 * groupRows * mixture.topK) / gpus) * parameters * imbalance(replica);
  const compute = computeSeconds(replica, hardware.kernels.groupedGemm, rowsPerExpert, flops);
  const bytes = (touched / gpus) * parameters * WEIGHT_BYTES[weights];
  const routed = Math.max(compute, bytes / (hardware.bandwidthGbps * 1e9 * hardware.kernels.memory));
  const shared =
    mixture.sharedExperts > 0 ? denseSeconds(replica, rows, mixture.sharedExperts * mixture.intermediate) : 0;
  return routed + shared;
}

/** Width of what attention writes and reads between its kernels: queries, keys and values; in MLA's prefill the expanded ones. */
function attentionWidth(replica: Replica, phase: LayerWork['phase']): number {
  const a = replica.model.attention;
  if (a.kind === 'gqa') return (a.heads + 2 * a.kvHeads) * a.headDim;
  const queries = a.heads * (a.nopeDim + a.ropeDim);
  return phase === 'decode' ? queries + a.kvRank + a.ropeDim : 2 * queries + a.heads * a.valueDim;
}

/** Norms, residuals, rope, cache writes, activation, quantization and (with experts) permutation: memory traffic of the small kernels. */
function elementwiseSeconds(replica: Replica, work: LayerWork, sparse: boolean): number {
  const { hardware, model, parallel, weights } = replica;
  const mixture = sparse ? model.mixture : undefined;
  const width = attentionWidth(replica, work.phase);
  const active = mixture ? (mixture.topK + mixture.sharedExperts) * mixture.intermediate : model.denseIntermediate;
  const permuted = mixture ? 2 * mixture.topK * model.hidden * Math.min(2, WEIGHT_BYTES[weights]) : 0;
  // Each 8-bit GEMM has its input read in 16 bits and written in 8 first.
  const quantized =
    weights === 'fp8' || weights === 'fp4' ? 3 * (2 * model.hidden + (width / 2 + active) / parallel.tp) : 0;
  const bytes = 8 * model.hidden * 2 + (2 * width * 2 + 3 * active * 2) / parallel.tp + permuted + quantized;
  return (work.tokens * bytes) / (hardware.bandwidthGbps * 1e9 * hardware.kernels.memory);
}

interface Exchange {
  readonly dispatch: number;
  readonly combine: number;
}

/** All-to-all of one mixture layer: activations go out in one byte (two where weights are BF16) and come back in two. */
function expertExchange(replica: Replica, work: LayerWork): Exchange {
  const { engine, hardware, model, parallel, weights } = replica;
  const topK = model.mixture?.topK ?? 0;
  const { ep } = parallel;
  if (ep <= 1 || topK === 0) return { dispatch: 0, combine: 0 };
  const domains = Math.max(1, ep / hardware.scaleUpDomain);
  const row = work.tokens * model.hidden;
  // Decode sends one copy per expert (low latency); prefill one copy per remote domain, fanned out there (DeepEP's two modes).
  const remoteCopies =
    work.phase === 'decode' ? topK * (1 - 1 / domains) : (domains - 1) * (1 - (1 - 1 / domains) ** topK);
  const localCopies = work.phase === 'decode' ? topK / domains : Math.min(topK, ep - 1, hardware.scaleUpDomain);
  const up = hardware.scaleUpGbps * 1e9 * engine.linkShare;
  const out = hardware.scaleOutGbps * 1e9 * engine.linkShare;
  const start = (domains > 1 ? engine.remoteCollectiveUs : engine.collectiveUs) * 1e-6;
  const seconds = (bytes: number) =>
    start + Math.max((row * remoteCopies * bytes) / out, (row * localCopies * bytes) / up);
  return { dispatch: seconds(weights === 'bf16' ? 2 : 1), combine: seconds(2) };
}

/** Two ring all-reduces of a tensor-parallel layer. */
function allReduceSeconds(replica: Replica, tokens: number): number {
  const { engine, hardware, model, parallel } = replica;
  const { tp } = parallel;
  if (tp <= 1) return 0;
  const remote = tp > hardware.scaleUpDomain;
  const link = (remote ? hardware.scaleOutGbps : hardware.scaleUpGbps) * 1e9 * engine.linkShare;
  const bytes = (tokens * model.hidden * 2 * 2 * (tp - 1)) / tp;
  return 2 * (bytes / link + (remote ? engine.remoteCollectiveUs : engine.collectiveUs) * 1e-6);
}

/** One layer, dense or with experts, for one batch of rows. */
export function layerTime(replica: Replica, work: LayerWork, sparse: boolean): LayerTime {
  const { engine, model } = replica;
  const exchange = sparse ? expertExchange(replica, work) : { dispatch: 0, combine: 0 };
  const reduce = allReduceSeconds(replica, work.tokens);
  return {
    attentionCore: attentionCoreSeconds(replica, work),
    attentionProjections: projectionsSeconds(replica, work),
    mlp: sparse ? expertsSeconds(replica, work.tokens) : denseSeconds(replica, work.tokens, model.denseIntermediate),
    elementwise: elementwiseSeconds(replica, work, sparse),
    dispatch: exchange.dispatch + reduce / 2,
    combine: exchange.combine + reduce / 2,
    launches: (sparse ? engine.kernelsPerExpertLayer : engine.kernelsPerDenseLayer) * engine.kernelUs * 1e-6,
  };
}

/** The output head for `rows` tokens, in BF16, cut by tp. */
export function headSeconds(replica: Replica, rows: number): number {
  const { hardware, model, parallel } = replica;
  const outputs = model.vocabulary / parallel.tp;
  const compute =
    (2 * rows * model.hidden * outputs) / (hardware.bf16Tflops * 1e12 * efficiencyAt(hardware.kernels.gemm, rows));
  return Math.max(compute, (model.hidden * outputs * 2) / (hardware.bandwidthGbps * 1e9 * hardware.kernels.memory));
}
