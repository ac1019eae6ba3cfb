import { exchange, toMajor } from './money.ts';
import { decode, prefill } from './replica.ts';
import { batchMax, gpusOf } from './replica-shape.ts';
import { replicaOf, type Scenario } from './scenario.ts';

/** One point of the trade between speed for a user and cost: a batch size. Money in major units per million tokens. */
export interface CurvePoint {
  readonly batchPerRank: number;
  readonly tokensPerSecondPerUser: number;
  readonly tpotMs: number;
  readonly ttftMs: number;
  /** Input and output tokens per second of one GPU, prefill GPUs counted. */
  readonly tokensPerSecondPerGpu: number;
  readonly outputPerSecondPerGpu: number;
  readonly costPerMtokOutput: number;
  readonly costPerMtok: number;
  readonly low: number;
  readonly high: number;
}

const STEPS_PER_OCTAVE = 2;

function batches(max: number): readonly number[] {
  const sizes: number[] = [];
  for (let step = 0; ; step++) {
    const size = Math.round(2 ** (step / STEPS_PER_OCTAVE));
    if (size >= max) break;
    if (size !== sizes.at(-1)) sizes.push(size);
  }
  return max >= 1 ? [...sizes, Math.floor(max)] : sizes;
}

/** Cost and throughput over interactivity, from one sequence per rank to as many as memory holds, with the band of the hardware's error. */
export function interactivityCurve(scenario: Scenario): readonly CurvePoint[] {
  const { costs, currency, demand, hardware, serving } = scenario;
  const decoder = replicaOf(scenario, 'decode');
  const prefiller = replicaOf(scenario, 'prefill');
  const context = demand.requestInput + demand.requestOutput / 2;
  const load = {
    promptTokens: demand.requestInput,
    cachedShare: demand.cachedShare,
    batchTokensPerRank: serving.prefillBatchTokens,
  };
  const input = prefill(prefiller, load);
  const secondPrice = toMajor(exchange(costs.gpuHour, currency, scenario.exchange).nano) / 3600;
  const band = hardware.errorPct / 100;
  return batches(batchMax(decoder, context)).map(batch => {
    const point = decode(decoder, batch, context);
    // GPU-seconds of one request on both sides.
    const decodeSeconds = demand.requestOutput / (point.tokensPerSecondPerGpu * serving.efficiency);
    const prefillSeconds = demand.requestInput / (input.tokensPerSecondPerGpu * serving.efficiency);
    const gpuSeconds = decodeSeconds + prefillSeconds;
    // On shared GPUs prefill slows every user of the batch; on its own GPUs it does not.
    const shared = serving.mode === 'aggregated';
    const perUser = shared
      ? (demand.requestOutput / gpuSeconds / batch / decoder.parallel.dp) * gpusOf(decoder.parallel)
      : point.tokensPerSecondPerUser * serving.efficiency;
    const cost = gpuSeconds * secondPrice;
    const costPerMtok = (cost / (demand.requestInput + demand.requestOutput)) * 1e6;
    return {
      batchPerRank: batch,
      tokensPerSecondPerUser: perUser,
      tpotMs: 1000 / perUser,
      ttftMs: input.serviceMs,
      tokensPerSecondPerGpu: (demand.requestInput + demand.requestOutput) / gpuSeconds,
      outputPerSecondPerGpu: demand.requestOutput / gpuSeconds,
      costPerMtokOutput: (cost / demand.requestOutput) * 1e6,
      costPerMtok,
      low: costPerMtok / (1 + band),
      high: costPerMtok / (1 - band),
    };
  });
}
