import { BadInput } from './bad-input.ts';
import { decode, prefill } from './replica.ts';
import { batchMax, gpusOf } from './replica-shape.ts';
import { replicaOf, type Scenario } from './scenario.ts';

/** What one deployment unit gives at the wanted speed per user. Rates are tokens per second of the whole unit. */
export interface OperatingPoint {
  readonly prefillUnitNodes: number;
  readonly decodeUnitNodes: number;
  /** Input tokens per second of one prefill unit, cache hits included; of one shared unit where aggregated. */
  readonly prefillPerUnit: number;
  readonly decodePerUnit: number;
  readonly prefillServiceSeconds: number;
  readonly prefillRanksPerUnit: number;
  readonly tokensPerSecondPerUser: number;
  /** Sequences in flight per decode rank; undefined where throughput was measured. */
  readonly batchPerRank?: number;
  /** `memory` or `speed`: what stops the batch from growing. */
  readonly limit: 'memory' | 'speed' | 'measured';
  /** Half width of the band of the throughput, percent; 0 where measured. */
  readonly errorPct: number;
}

/** Largest whole batch in [1, max] for which `fits` holds, supposing that it holds below and fails above; 0 where it never does. */
export function largestBatch(max: number, fits: (batch: number) => boolean): number {
  if (max < 1 || !fits(1)) return 0;
  let low = 1;
  let high = Math.floor(max);
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (fits(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}

function measuredPoint(scenario: Scenario): OperatingPoint {
  const { serving, hardware, demand } = scenario;
  const measured = serving.measured ?? { prefillPerNode: 0, decodePerNode: 0 };
  const prefillUnitNodes = Math.max(1, gpusOf(serving.prefill) / hardware.perNode);
  const decodeUnitNodes = Math.max(1, gpusOf(serving.decode) / hardware.perNode);
  const perRank = (measured.prefillPerNode * serving.efficiency) / hardware.perNode;
  return {
    prefillUnitNodes,
    decodeUnitNodes,
    prefillPerUnit: measured.prefillPerNode * prefillUnitNodes * serving.efficiency,
    decodePerUnit: measured.decodePerNode * decodeUnitNodes * serving.efficiency,
    prefillServiceSeconds: demand.requestInput / perRank,
    prefillRanksPerUnit: prefillUnitNodes * hardware.perNode,
    tokensPerSecondPerUser: serving.tokensPerSecondPerUser,
    limit: 'measured',
    errorPct: 0,
  };
}

/** Mean context while a request decodes: its input and half its output. */
const contextOf = ({ demand }: Scenario): number => demand.requestInput + demand.requestOutput / 2;

function requireRoom(scenario: Scenario, memoryBatch: number): void {
  if (memoryBatch >= 1) return;
  const { tp, pp, dp, ep } = scenario.serving.decode;
  throw new BadInput(
    'serving.decode',
    `${scenario.model.name} in ${scenario.serving.weights} with one request of ${Math.round(contextOf(scenario))} tokens does not fit ${scenario.hardware.name} at tp ${tp}, pp ${pp}, dp ${dp}, ep ${ep}; raise tp, ep or pp`,
    `${scenario.hardware.name} 在 tp ${tp}、pp ${pp}、dp ${dp}、ep ${ep} 下放不下 ${scenario.serving.weights} 的 ${scenario.model.name} 加一个 ${Math.round(contextOf(scenario))} 词元的请求；请增大 tp、ep 或 pp`,
  );
}

function requireSpeed(scenario: Scenario, batch: number, alone: number): void {
  if (batch >= 1) return;
  throw new BadInput(
    'serving.interactivity',
    `${scenario.hardware.name} gives one user alone ${alone.toFixed(1)} tok/s of ${scenario.model.name}, below the wanted ${scenario.serving.tokensPerSecondPerUser} tok/s`,
    `${scenario.hardware.name} 对单个用户也只能给出 ${alone.toFixed(1)} tok/s 的 ${scenario.model.name}，低于要求的 ${scenario.serving.tokensPerSecondPerUser} tok/s`,
  );
}

/** Finds the batch at which a unit earns most while every user still gets the wanted speed. Throws {@link BadInput} where nothing fits. */
export function operatingPoint(scenario: Scenario): OperatingPoint {
  const { serving, hardware, demand } = scenario;
  if (serving.measured) return measuredPoint(scenario);
  const decoder = replicaOf(scenario, 'decode');
  const prefiller = replicaOf(scenario, 'prefill');
  const { efficiency, tokensPerSecondPerUser: wanted } = serving;
  const load = {
    promptTokens: demand.requestInput,
    cachedShare: demand.cachedShare,
    batchTokensPerRank: serving.prefillBatchTokens,
  };
  const input = prefill(prefiller, load);
  const prefillRate = input.tokensPerSecond * efficiency;
  const context = contextOf(scenario);
  const memoryBatch = batchMax(decoder, context);
  requireRoom(scenario, memoryBatch);
  const shared = serving.mode === 'aggregated';
  // Requests per second of one shared unit at this batch: decode and prefill take turns on it (chunked prefill).
  const requests = (batch: number): number => {
    const output = decode(decoder, batch, context).tokensPerSecond * efficiency;
    return shared
      ? 1 / (demand.requestOutput / output + demand.requestInput / prefillRate)
      : output / demand.requestOutput;
  };
  const perUser = (batch: number): number => (requests(batch) * demand.requestOutput) / (batch * decoder.parallel.dp);
  const batch = largestBatch(memoryBatch, candidate => perUser(candidate) >= wanted);
  requireSpeed(scenario, batch, perUser(1));
  const rate = requests(batch);
  return {
    prefillUnitNodes: gpusOf(prefiller.parallel) / hardware.perNode,
    decodeUnitNodes: gpusOf(decoder.parallel) / hardware.perNode,
    prefillPerUnit: shared ? rate * demand.requestInput : prefillRate,
    decodePerUnit: rate * demand.requestOutput,
    prefillServiceSeconds: input.serviceMs / 1000 / efficiency,
    prefillRanksPerUnit: prefiller.parallel.dp,
    tokensPerSecondPerUser: perUser(batch),
    batchPerRank: batch,
    limit: batch >= memoryBatch ? 'memory' : 'speed',
    errorPct: hardware.errorPct,
  };
}
