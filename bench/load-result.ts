import type { ProcessCost } from './process-cost.ts';

/** What `bench/load.ts` prints. */
export interface LoadResult {
  readonly url: string;
  readonly stream: boolean;
  readonly connections: number;
  readonly seconds: number;
  /** Answered in full, whatever their status. */
  readonly requests: number;
  readonly requestsPerSecond: number;
  /** Connections that broke in the midst of an answer. */
  readonly errors: number;
  readonly non2xx: number;
  /** Still running when the time was up. */
  readonly cutOff: number;
  readonly latencyMs: Percentiles;
  readonly firstByteMs: Percentiles;
  readonly events: number;
  readonly eventsPerSecond: number;
  /** Reads of sockets: fewer than events where several came at once. */
  readonly reads: number;
  readonly bytes: number;
  readonly openMax: number;
  /** Of the process under load, from the first request to the end of the last; where the system tells. */
  readonly cost?: {
    readonly before: ProcessCost;
    readonly after: ProcessCost;
    readonly cpuUs: number;
    readonly cpuUsPerRequest: number;
    readonly cpuUsPerEvent: number;
    readonly residentBytesPeak: number;
  };
  readonly samples?: readonly MemorySample[];
}

export interface Percentiles {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

export interface MemorySample {
  /** Since the first request. */
  readonly atMs: number;
  readonly open: number;
  readonly residentBytes: number;
}
