import type { ProcessCost, ThreadCost } from './process-cost.ts';

/** CPU of a server between two looks, µs, by what its threads are for. */
export interface CpuSplit {
  readonly totalUs: number;
  /** The data plane. */
  readonly gatewayUs: number;
  readonly journalUs: number;
  /** Control plane and loader. */
  readonly mainUs: number;
  /** V8's own: garbage collection, compilation. */
  readonly v8Us: number;
  /** File work of libuv, readers of the store. */
  readonly otherUs: number;
}

type Part = 'gateway' | 'journal' | 'main' | 'v8' | 'other';

export function cpuSplit(before: ProcessCost, after: ProcessCost): CpuSplit {
  const sums: Record<Part, number> = { gateway: 0, journal: 0, main: 0, v8: 0, other: 0 };
  const parts = partsOf(after.threads);
  for (const { id, cpuUs } of after.threads) {
    const earlier = before.threads.find(thread => thread.id === id)?.cpuUs ?? 0;
    sums[parts.get(id) ?? 'other'] += cpuUs - earlier;
  }
  return {
    totalUs: cpuUsBetween(before, after),
    gatewayUs: sums.gateway,
    journalUs: sums.journal,
    mainUs: sums.main,
    v8Us: sums.v8,
    otherUs: sums.other,
  };
}

/** CPU of a process between two looks, µs: the sum of its threads, which is finer, unless one has ended and took its count along. */
export function cpuUsBetween(before: ProcessCost, after: ProcessCost): number {
  const now = new Map(after.threads.map(({ id, cpuUs }) => [id, cpuUs]));
  if (before.threads.some(({ id }) => !now.has(id))) return after.cpuUs - before.cpuUs;
  const sum = (threads: readonly ThreadCost[]) => threads.reduce((total, { cpuUs }) => total + cpuUs, 0);
  return sum(after.threads) - sum(before.threads);
}

/**
 * Threads by name; workers without one by age: the server starts its journal first and one gateway thread second (`src/main.ts`),
 * readers of the store when they are needed.
 */
function partsOf(threads: readonly ThreadCost[]): ReadonlyMap<number, Part> {
  const unnamed: Part[] = ['journal', 'gateway'];
  return new Map(
    threads.map(({ id, name }, index): [number, Part] => {
      if (index === 0) return [id, 'main'];
      if (/v8worker/i.test(name)) return [id, 'v8'];
      if (/gateway/i.test(name)) return [id, 'gateway'];
      if (/journal/i.test(name)) return [id, 'journal'];
      return [id, name === 'WorkerThread' ? (unnamed.shift() ?? 'other') : 'other'];
    }),
  );
}
