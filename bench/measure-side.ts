import { fileURLToPath } from 'node:url';
import type { Children } from './children.ts';
import { type CpuSplit, cpuSplit } from './cpu-split.ts';
import type { LoadResult } from './load-result.ts';
import { type ProcessCost, processCost } from './process-cost.ts';
import type { Side, SideName } from './rig.ts';

const LOAD = fileURLToPath(new URL('load.ts', import.meta.url));
const LOADED_MS_MAX = 120_000;

/** What is sent, to each side the same. */
export interface LoadShape {
  readonly model: string;
  readonly connections: number;
  /** So many requests, or as many as go in so many seconds. */
  readonly amount: { readonly requests: number } | { readonly seconds: number };
  /** Tokens of each stream; absent: JSON answers. */
  readonly tokens?: number;
  /** Also take the memory along the way. */
  readonly samples?: boolean;
}

/** One round of one side. CPU is that of its whole process. */
export interface SideRun {
  readonly side: SideName;
  readonly requests: number;
  readonly requestsPerSecond: number;
  readonly seconds: number;
  /** Requests that were not answered in full with a 2xx. */
  readonly failures: number;
  readonly latencyMs: LoadResult['latencyMs'];
  readonly firstByteMs: LoadResult['firstByteMs'];
  /** How many came at once, as the client saw it. */
  readonly eventsPerRead: number;
  readonly cpu: CpuUse | undefined;
  readonly residentBytesBefore: number | undefined;
  readonly samples: LoadResult['samples'];
}

export interface CpuUse {
  /** Unit: a token of a stream, or a JSON request. */
  readonly usPerUnit: number;
  /** Of one processor, while the load ran: near 1 is saturated. */
  readonly share: number;
  /** Per unit, by thread; Millrace alone. */
  readonly split: CpuSplit | undefined;
  readonly loading: Loading | undefined;
}

/** Millrace moves its journal into the store when requests leave it time: what that cost after the load had ended belongs to them. */
export interface Loading {
  /** Entries that the load made, and how many of them were not in the store when it ended. */
  readonly entries: number;
  readonly lagEntries: number;
  readonly seconds: number;
  /** Of the whole: the load and the loading after it. */
  readonly usPerUnit: number;
  readonly split: CpuSplit;
  /** False: the limit of time ended the wait, and the figure is too low. */
  readonly emptied: boolean;
}

/** Loads one side once, and for Millrace waits until all that it journaled is in the store: the next round starts from rest. */
export async function measureSide(children: Children, side: Side, shape: LoadShape): Promise<SideRun> {
  await side.millrace?.loaded(LOADED_MS_MAX);
  const journal = await side.millrace?.journal();
  const before = processCost(side.pid);
  const result = await runLoad(children, side, shape);
  const endedMs = performance.now();
  const units = Math.max(1, result.requests * (shape.tokens ?? 1));
  const loading =
    journal && before ? await awaitLoading(side, { before, firstSeq: journal.lastSeq, units, endedMs }) : undefined;
  const { cost } = result;
  return {
    side: side.name,
    requests: result.requests,
    requestsPerSecond: result.requestsPerSecond,
    seconds: result.seconds,
    failures: result.errors + result.non2xx + result.cutOff,
    latencyMs: result.latencyMs,
    firstByteMs: result.firstByteMs,
    eventsPerRead: result.events / Math.max(1, result.reads),
    cpu: cost && {
      usPerUnit: cost.cpuUs / units,
      share: cost.cpuUs / 1e6 / result.seconds,
      split: side.millrace && perUnit(cpuSplit(cost.before, cost.after), units),
      loading,
    },
    residentBytesBefore: cost?.before.residentBytes,
    samples: result.samples,
  };
}

async function awaitLoading(
  { millrace, pid }: Side,
  start: { readonly before: ProcessCost; readonly firstSeq: number; readonly units: number; readonly endedMs: number },
): Promise<Loading | undefined> {
  if (!millrace) return undefined;
  const { before, firstSeq, units, endedMs } = start;
  const { lag: lagEntries, lastSeq } = await millrace.journal();
  const emptied = await millrace.loaded(LOADED_MS_MAX);
  const after = processCost(pid);
  if (!after) return undefined;
  const split = perUnit(cpuSplit(before, after), units);
  const seconds = (performance.now() - endedMs) / 1_000;
  return { entries: lastSeq - firstSeq, lagEntries, seconds, usPerUnit: split.totalUs, split, emptied };
}

function perUnit(split: CpuSplit, units: number): CpuSplit {
  return {
    totalUs: split.totalUs / units,
    gatewayUs: split.gatewayUs / units,
    journalUs: split.journalUs / units,
    mainUs: split.mainUs / units,
    v8Us: split.v8Us / units,
    otherUs: split.otherUs / units,
  };
}

async function runLoad(children: Children, side: Side, shape: LoadShape): Promise<LoadResult> {
  const [unit, amount] =
    'requests' in shape.amount ? ['requests', shape.amount.requests] : ['seconds', shape.amount.seconds];
  const argv: [string, ...string[]] = [
    process.execPath,
    LOAD,
    ...['--url', `${side.url}/v1/chat/completions`, '--model', shape.model, '--connections', String(shape.connections)],
    ...[`--${unit}`, String(amount), '--pid', String(side.pid)],
    ...(side.key === undefined ? [] : ['--key', side.key]),
    ...(shape.tokens === undefined ? [] : ['--stream']),
    ...(shape.samples ? ['--samples'] : []),
  ];
  const result: LoadResult = JSON.parse(await children.start(argv, { place: 'load' }).output());
  return result;
}
