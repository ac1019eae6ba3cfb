import type { Currency } from '@millrace/contract';
import type { Architecture, CachePrecision, WeightPrecision } from './architecture.ts';
import type { EngineCosts } from './data/engine.ts';
import type { Hardware, Trust } from './hardware.ts';
import type { PriceBook, RateHours } from './price-book.ts';
import type { ExchangeRate, Money } from './quantity.ts';
import type { Parallelism, Replica, Speculation } from './replica-shape.ts';

/** Tokens per second of one node, measured by somebody; replaces the roofline. */
export interface MeasuredThroughput {
  readonly prefillPerNode: number;
  readonly decodePerNode: number;
}

export interface Serving {
  /** `disaggregated`: prefill and decode on nodes of their own. `aggregated`: every replica (shape `decode`) does both. */
  readonly mode: 'disaggregated' | 'aggregated';
  readonly weights: WeightPrecision;
  readonly cache: CachePrecision;
  readonly prefill: Parallelism;
  readonly decode: Parallelism;
  readonly overlap: boolean;
  readonly redundantExperts: number;
  readonly speculation?: Speculation;
  readonly measured?: MeasuredThroughput;
  /** Tokens per second that one user must get at least. */
  readonly tokensPerSecondPerUser: number;
  readonly prefillBatchTokens: number;
  /** Share of the capacity that demand may take. The five-fold head-room of 2025's dispute is 20 %. */
  readonly utilisation: number;
  /** Chance that a unit is up, and the wanted chance that enough are. */
  readonly availability: number;
  readonly assurance: number;
  /** Units kept beyond need, as a share. */
  readonly spares: number;
  /** Rent whole deployment units, or count fractions (for published averages). */
  readonly wholeUnits: boolean;
  /** What is rented: each hour's need, the busiest hour's all day, or the mean. */
  readonly scaling: 'hourly' | 'peak' | 'mean';
  /** Factor on all modelled or measured throughput; 1 unless a study varies it. */
  readonly efficiency: number;
}

export interface Demand {
  /** Mean over the day, tokens per second. */
  readonly outputPerSecond: number;
  readonly inputPerOutput: number;
  /** Share of input served from cache. */
  readonly cachedShare: number;
  /** Mean tokens of one request. */
  readonly requestInput: number;
  readonly requestOutput: number;
  /** 24 factors around mean 1, hour 0 is midnight at `utcOffsetHours`. */
  readonly profile: readonly number[];
  readonly utcOffsetHours: number;
  /** Squared coefficient of variation of arrivals and of prompt lengths. */
  readonly arrivalVariation: number;
  readonly lengthVariation: number;
}

export interface Costs {
  readonly gpuHour: Money;
  readonly gpuTrust: Trust;
  /** Network, storage, people … as a share of the GPU cost. */
  readonly otherShare: number;
  /** Whatever else a month costs. */
  readonly fixedMonth: Money;
}

/** Everything a fleet answer depends on. Made by `parseScenario`; studies vary it. */
export interface Scenario {
  readonly name: string;
  readonly model: Architecture;
  readonly hardware: Hardware;
  readonly engine: EngineCosts;
  readonly serving: Serving;
  readonly demand: Demand;
  readonly price: PriceBook;
  /** The mean day of `price` over the scenario's days. */
  readonly calendar: readonly RateHours[];
  /** Factor on every price; 1 unless a study varies it. */
  readonly priceFactor: number;
  readonly startMs: number;
  readonly days: number;
  readonly costs: Costs;
  readonly currency: Currency;
  readonly exchange?: ExchangeRate;
}

export function replicaOf(scenario: Scenario, phase: 'prefill' | 'decode'): Replica {
  const { serving } = scenario;
  return {
    model: scenario.model,
    hardware: scenario.hardware,
    engine: scenario.engine,
    weights: serving.weights,
    cache: serving.cache,
    parallel: phase === 'prefill' && serving.mode === 'disaggregated' ? serving.prefill : serving.decode,
    overlap: serving.overlap,
    redundantExperts: serving.redundantExperts,
    ...(serving.speculation && phase === 'decode' ? { speculation: serving.speculation } : {}),
  };
}
