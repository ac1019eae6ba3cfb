import { headSeconds, type LayerTime, type LayerWork, layerTime } from './layer-time.ts';
import { gpusOf, type Replica, tokensPerStep } from './replica-shape.ts';

export interface DecodePoint {
  readonly batchPerRank: number;
  /** Time of one step, ms; with speculation a step gives several tokens. */
  readonly stepMs: number;
  /** Time per output token that a user sees, ms. */
  readonly tpotMs: number;
  readonly tokensPerSecondPerUser: number;
  readonly tokensPerSecondPerGpu: number;
  readonly tokensPerSecond: number;
}

export interface PrefillPoint {
  /** Time from the start of prefill to the first token of a lone prompt, ms. */
  readonly serviceMs: number;
  /** Input tokens per second, hits included, at full batches. */
  readonly tokensPerSecondPerGpu: number;
  readonly tokensPerSecond: number;
}

const sum = (time: LayerTime): number =>
  time.attentionCore +
  time.attentionProjections +
  time.mlp +
  time.elementwise +
  time.dispatch +
  time.combine +
  time.launches;

const attentionSide = (time: LayerTime): number =>
  time.attentionCore + time.attentionProjections + (time.elementwise + time.launches) / 2;
const mlpSide = (time: LayerTime): number => time.mlp + (time.elementwise + time.launches) / 2;

/** Seconds of all layers of one pipeline stage for one batch of rows, two half batches overlapping where the replica does that. */
function layersSeconds(replica: Replica, half: (share: number) => LayerWork): number {
  const { model, overlap, parallel } = replica;
  const sparse = model.mixture ? model.layers - model.denseLayers : 0;
  const one = (isSparse: boolean): number => {
    if (!overlap) return sum(layerTime(replica, half(1), isSparse));
    const work = half(0.5);
    const time = layerTime(replica, work, isSparse);
    if (work.phase === 'decode') {
      return 2 * Math.max(attentionSide(time), mlpSide(time) + time.dispatch + time.combine);
    }
    // Prefill gives some multiprocessors to communication; each half's attention and MLP cover the other half's dispatch and combine.
    const share = replica.engine.overlapComputeShare;
    const attention = attentionSide(time) / share;
    const mlp = mlpSide(time) / share;
    return (
      Math.max(attention, time.dispatch) +
      Math.max(attention, time.combine) +
      Math.max(mlp, time.dispatch) +
      Math.max(mlp, time.combine)
    );
  };
  return (
    (sparse * (sparse > 0 ? one(true) : 0) + (model.layers - sparse) * (model.layers > sparse ? one(false) : 0)) /
    parallel.pp
  );
}

/**
 * One decode step of `batchPerRank` sequences per data-parallel rank at a mean context of `contextTokens`.
 * Roofline per kernel (compute or bytes, whichever is longer) plus communication, launches and the engine's fixed step cost.
 */
export function decode(replica: Replica, batchPerRank: number, contextTokens: number): DecodePoint {
  const { engine, model, parallel, speculation } = replica;
  const drafted = speculation?.draftTokens ?? 0;
  // A pipeline keeps pp batches in flight, each a share of the sequences.
  const batch = batchPerRank / parallel.pp;
  const rows = batch * (1 + drafted);
  const stage = layersSeconds(replica, share => ({
    phase: 'decode',
    tokens: rows * share,
    attentionPairs: rows * share * contextTokens,
    cacheTokens: batch * share * contextTokens,
    promptTokens: contextTokens,
  }));
  const hop =
    parallel.pp > 1
      ? (rows * model.hidden * 2) / (replica.hardware.scaleOutGbps * 1e9 * engine.linkShare) +
        engine.remoteCollectiveUs * 1e-6
      : 0;
  // Drafting runs one extra layer and the head per drafted token (MTP); a separate draft model costs about the same or more.
  const draft = drafted * (stage / model.layers / (1 + drafted) + headSeconds(replica, batch));
  const seconds = parallel.pp * (stage + hop) + headSeconds(replica, rows) + draft + engine.decodeFixedMs / 1000;
  const perStep = tokensPerStep(speculation);
  const tokensPerSecond = (batchPerRank * parallel.dp * perStep) / seconds;
  return {
    batchPerRank,
    stepMs: seconds * 1000,
    tpotMs: (seconds * 1000) / perStep,
    tokensPerSecondPerUser: perStep / seconds,
    tokensPerSecondPerGpu: tokensPerSecond / gpusOf(parallel),
    tokensPerSecond,
  };
}

/** What arrives at prefill: mean prompt, the share of it that is cached, and the tokens one rank takes into one batch. */
export interface PrefillLoad {
  readonly promptTokens: number;
  readonly cachedShare: number;
  readonly batchTokensPerRank: number;
}

function prefillSeconds(replica: Replica, load: PrefillLoad, prompts: number): number {
  const { model, parallel } = replica;
  const cached = load.promptTokens * load.cachedShare;
  const fresh = load.promptTokens - cached;
  const stage = layersSeconds(replica, share => ({
    phase: 'prefill',
    tokens: prompts * fresh * share,
    // A fresh token attends to all cached ones and to half of the fresh ones.
    attentionPairs: prompts * share * fresh * (cached + fresh / 2),
    cacheTokens: prompts * share * load.promptTokens,
    // Tiles fill by the keys as well as the queries, so the whole prompt sets the kernel's efficiency, cached or not.
    promptTokens: load.promptTokens,
  }));
  const hop =
    parallel.pp > 1
      ? (prompts * fresh * model.hidden * 2) / (replica.hardware.scaleOutGbps * 1e9 * replica.engine.linkShare)
      : 0;
  return stage + hop + headSeconds(replica, prompts);
}

/** Prefill of many prompts in full batches (throughput) and of one alone (time to first token without queueing). */
export function prefill(replica: Replica, load: PrefillLoad): PrefillPoint {
  const { engine, parallel } = replica;
  // A prompt that is wholly cached still computes its last token.
  const cachedShare = Math.min(load.cachedShare, 1 - 1 / load.promptTokens);
  const bounded = { ...load, cachedShare };
  const fresh = load.promptTokens * (1 - cachedShare);
  const prompts = Math.max(1, load.batchTokensPerRank / fresh);
  const fixed = engine.prefillFixedMs / 1000;
  // Stages of a pipeline work on different batches, so a batch leaves every stage-time; one prompt crosses all of them.
  const batchSeconds = prefillSeconds(replica, bounded, prompts) + fixed;
  const tokensPerSecond = (prompts * load.promptTokens * parallel.dp) / batchSeconds;
  return {
    serviceMs: (prefillSeconds(replica, bounded, 1) * parallel.pp + fixed) * 1000,
    tokensPerSecondPerGpu: tokensPerSecond / gpusOf(parallel),
    tokensPerSecond,
  };
}
