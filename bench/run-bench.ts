import { CASE_NAMES, type CaseInput, type CaseName, type CaseReport } from './case.ts';
import { measureJson } from './cases/json.ts';
import { measureLatency } from './cases/latency.ts';
import { measureMemory } from './cases/memory.ts';
import { measureNginx } from './cases/nginx.ts';
import { measureStream } from './cases/stream.ts';
import type { Children } from './children.ts';
import type { Words } from './figure.ts';
import { type Machine, machineOf, type Noise, noiseBetween, processorTime, sourceOf } from './machine.ts';
import type { Pinning } from './pinning.ts';
import { processCost } from './process-cost.ts';
import type { Sizes } from './sizes.ts';

export interface BenchReport {
  readonly bench: 'millrace';
  readonly version: string;
  readonly commit: string | null;
  readonly date: string;
  readonly seconds: number;
  /** The short form: for a look, not for a claim. */
  readonly quick: boolean;
  readonly machine: Machine;
  readonly pinning: {
    readonly pinned: boolean;
    readonly serverProcessor: number | null;
    readonly loadProcessor: number | null;
    readonly reason: string | null;
  };
  /** Null where the system does not tell. */
  readonly noise: Noise | null;
  readonly sizes: Sizes;
  readonly cases: readonly CaseReport[];
  /** No target of the cases that were measured is missed. */
  readonly met: boolean;
}

export interface BenchOptions {
  readonly children: Children;
  readonly pinning: Pinning;
  readonly sizes: Sizes;
  readonly only: readonly CaseName[];
  readonly quick: boolean;
  readonly say: (words: Words) => void;
}

const CASES: Readonly<
  Record<CaseName, { readonly word: Words; readonly measure: (input: CaseInput) => Promise<CaseReport> }>
> = {
  json: { word: { en: 'JSON requests', zh: 'JSON 请求' }, measure: measureJson },
  stream: { word: { en: 'streams', zh: '流' }, measure: measureStream },
  latency: { word: { en: 'latency', zh: '延迟' }, measure: measureLatency },
  memory: { word: { en: 'memory', zh: '内存' }, measure: measureMemory },
  nginx: { word: { en: 'nginx', zh: 'nginx' }, measure: measureNginx },
};

/** Latency alone needs no look at a process. */
const UNREADABLE: Omit<CaseReport, 'name' | 'title'> = {
  how: { en: 'Reads /proc.', zh: '读取 /proc。' },
  skipped: {
    en: "a process's CPU and memory can be read on Linux only",
    zh: '只有在 Linux 上才能读取进程的 CPU 与内存',
  },
  figures: [],
  failures: 0,
  notes: [],
  rounds: [],
};

/** Measures the named cases, one after the other, each on servers of its own. Rejects where a server cannot be started or loaded. */
export async function runBench({ children, pinning, sizes, only, quick, say }: BenchOptions): Promise<BenchReport> {
  const date = new Date().toISOString();
  const startedMs = performance.now();
  const before = processorTime();
  const cases: CaseReport[] = [];
  for (const name of CASE_NAMES) {
    if (!only.includes(name)) continue;
    const { word, measure } = CASES[name];
    say(word);
    cases.push(
      name === 'latency' || processCost(process.pid)
        ? withFailures(await measure({ children, sizes, say }))
        : { ...UNREADABLE, name, title: word },
    );
  }
  const { version, commit } = sourceOf();
  return {
    bench: 'millrace',
    version,
    commit: commit ?? null,
    date,
    seconds: Math.round((performance.now() - startedMs) / 1_000),
    quick,
    machine: machineOf(),
    pinning: {
      pinned: pinning.processors !== undefined,
      serverProcessor: pinning.processors?.server ?? null,
      loadProcessor: pinning.processors?.load ?? null,
      reason: pinning.reason ?? null,
    },
    noise: noiseBetween(before, processorTime()) ?? null,
    sizes,
    cases,
    met: cases.every(({ figures }) => figures.every(({ met }) => met !== false)),
  };
}

/** A figure over requests that failed proves nothing. */
function withFailures(report: CaseReport): CaseReport {
  if (report.failures === 0) return report;
  return {
    ...report,
    figures: report.figures.map(figure => (figure.met === undefined ? figure : { ...figure, met: false })),
    notes: [
      ...report.notes,
      {
        en: `${report.failures} requests failed: no target counts as met.`,
        zh: `${report.failures} 个请求失败：所有目标均不算达成。`,
      },
    ],
  };
}
