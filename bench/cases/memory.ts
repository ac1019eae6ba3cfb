import { readFileSync } from 'node:fs';
import type { CaseInput, CaseReport } from '../case.ts';
import { type Figure, figureOf, spreadOf, type Words } from '../figure.ts';
import type { MemorySample } from '../load-result.ts';
import { measureSide } from '../measure-side.ts';
import { openRig } from '../rig.ts';

const BYTES_EACH_MAX = 80_000;
/** An answer that is kept while it streams would grow by its bytes: between the parts compared here, some 10 kB. */
const GROWTH_BYTES_EACH_MAX = 4_000;
/** Fifths of the time in which all streams are open. In the first the heap still finds its size: the second and the last are compared. */
const PART = 0.2;
/** Connections of the store, the journal, the engine's keep-alive, libuv. */
const FILES_BESIDES = 300;
/** Few: what a longer warm-up leaves in the heap would be taken for memory that the server needs without any stream. */
const WARM_REQUESTS = 100;

/** Memory of many open streams, and whether it grows while they run. */
export async function measureMemory(input: CaseInput): Promise<CaseReport> {
  const { children, sizes, say } = input;
  const { tokens, intervalMs } = sizes.memory;
  const model = `mock-${tokens}x${intervalMs * 1_000}us`;
  await using rig = await openRig(children, { sides: ['millrace'], models: [model, 'mock-1'] });
  const [side] = rig.sides;
  if (!side) throw new Error('no server');
  const filesMax = openFilesMax(side.pid);
  // Each takes a socket of the client and one of the engine; Node raises its own limit as far as the system lets it.
  const streams = Math.min(sizes.memory.streams, Math.floor((filesMax - FILES_BESIDES) / 2));
  await measureSide(children, side, { model: 'mock-1', connections: 4, amount: { requests: WARM_REQUESTS } });
  say({
    en: `  ${streams} streams for ${Math.round((tokens * intervalMs) / 1_000)} s`,
    zh: `  ${streams} 条流，持续 ${Math.round((tokens * intervalMs) / 1_000)} 秒`,
  });
  const run = await measureSide(children, side, {
    model,
    tokens,
    connections: streams,
    amount: { requests: streams },
    samples: true,
  });
  const { figures, complete } = figuresOf(run, streams);
  return {
    name: 'memory',
    title: { en: `Memory of ${streams} open streams`, zh: `${streams} 条流同时打开时的内存` },
    how: HOW,
    figures,
    failures: run.failures,
    notes: [
      ...(streams < sizes.memory.streams
        ? [
            {
              en: `${streams} streams in place of ${sizes.memory.streams}: the system lets the server open ${filesMax} files (ulimit -Hn).`,
              zh: `只打开了 ${streams} 条流，而不是 ${sizes.memory.streams} 条：系统只允许服务打开 ${filesMax} 个文件（ulimit -Hn）。`,
            },
          ]
        : []),
      ...(complete ? [] : [{ en: 'The streams were never all open at once.', zh: '所有流未能同时处于打开状态。' }]),
    ],
    rounds: [run],
  };
}

function figuresOf(
  {
    samples = [],
    residentBytesBefore,
  }: { readonly samples?: readonly MemorySample[] | undefined; readonly residentBytesBefore?: number | undefined },
  streams: number,
): { readonly figures: readonly Figure[]; readonly complete: boolean } {
  const all = samples.filter(({ open }) => open === streams).map(({ residentBytes }) => residentBytes);
  const part = Math.max(1, Math.floor(all.length * PART));
  if (all.length < 2 || residentBytesBefore === undefined) return { figures: [], complete: false };
  const each = (bytes: number) => (bytes - residentBytesBefore) / streams / 1_000;
  const early = spreadOf(all.slice(part, 2 * part).map(each));
  const late = spreadOf(all.slice(-part).map(each));
  const figures = [
    ...figureOf(
      {
        id: 'residentEach',
        what: { en: 'resident memory of each stream, near their end', zh: '每条流的常驻内存，接近结束时' },
        unit: 'kB',
        target: { most: BYTES_EACH_MAX / 1_000 },
      },
      all.slice(-part).map(each),
    ),
    ...figureOf(
      {
        id: 'growthEach',
        what: {
          en: 'growth of each stream from its second to its last fifth',
          zh: '每条流从第二个五分之一到最后五分之一的增长',
        },
        unit: 'kB',
        target: { most: GROWTH_BYTES_EACH_MAX / 1_000 },
      },
      [late.median - early.median],
    ),
    ...figureOf(
      {
        id: 'residentEachEarly',
        what: { en: 'resident memory of each stream, in their second fifth', zh: '每条流的常驻内存，第二个五分之一' },
        unit: 'kB',
      },
      all.slice(part, 2 * part).map(each),
    ),
    ...figureOf(
      {
        id: 'residentEachPeak',
        what: { en: 'the same, highest sample', zh: '同上，最高采样' },
        unit: 'kB',
      },
      [Math.max(...all.map(each))],
    ),
    ...figureOf({ id: 'residentBefore', what: { en: 'the whole server before', zh: '整个服务，此前' }, unit: 'MB' }, [
      residentBytesBefore / 1e6,
    ]),
    ...figureOf(
      { id: 'resident', what: { en: 'the whole server near their end', zh: '整个服务，接近结束时' }, unit: 'MB' },
      all.slice(-part).map(bytes => bytes / 1e6),
    ),
  ];
  return { figures, complete: true };
}

/** How many files the process may have open (Linux); elsewhere the system's answer to that is ours. */
function openFilesMax(pid: number): number {
  try {
    const limits = readFileSync(`/proc/${pid}/limits`, 'latin1');
    return Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? Infinity);
  } catch {
    return Infinity;
  }
}

const HOW: Words = {
  en: 'A fresh server after a short warm-up; then all streams at once, each with a token at a steady pace. Resident memory of the whole process, less what it had before, divided by the streams; sampled every 200 ms while all are open. Compared are the second and the last fifth of that time: in the first the heap still finds its size.',
  zh: '全新启动并短暂预热的服务；随后所有流同时打开，各自以固定节奏收到词元。整个进程的常驻内存减去此前的占用，再除以流的数量；所有流都打开期间每 200 毫秒采样一次，并比较这段时间的第二个与最后一个五分之一：在第一个五分之一里，堆还在调整大小。',
};
