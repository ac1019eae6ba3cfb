import type { CaseInput, CaseReport } from '../case.ts';
import type { CpuSplit } from '../cpu-split.ts';
import { type Figure, figureOf, type Words } from '../figure.ts';
import { openRig } from '../rig.ts';
import { failuresOf, type Round, ratio, runRounds } from '../rounds.ts';

const MODEL = 'mock-1';
const CPU_US_MAX = 60;
const REQUESTS_PER_SECOND_MIN = 12_000;

const PARTS: readonly { readonly key: keyof CpuSplit; readonly what: Words }[] = [
  { key: 'gatewayUs', what: { en: 'gateway thread', zh: '网关线程' } },
  { key: 'journalUs', what: { en: 'journal thread', zh: '日志线程' } },
  { key: 'mainUs', what: { en: 'main thread (control plane, loader)', zh: '主线程（控制面、装载器）' } },
  { key: 'v8Us', what: { en: 'V8 workers', zh: 'V8 工作线程' } },
];

/** CPU of a JSON request with everything on. */
export async function measureJson(input: CaseInput): Promise<CaseReport> {
  const { sizes } = input;
  await using rig = await openRig(input.children, { sides: ['millrace', 'relay'], models: [MODEL] });
  const { connections, seconds } = sizes.json;
  const rounds = await runRounds(input, {
    rig,
    rounds: sizes.json.rounds,
    shape: { model: MODEL, connections, amount: { seconds } },
    warm: { seconds: sizes.warmSeconds },
  });
  return {
    name: 'json',
    title: { en: 'JSON requests, everything on', zh: 'JSON 请求，全部功能开启' },
    how: HOW,
    figures: figuresOf(rounds),
    failures: failuresOf(rounds),
    notes: notesOf(rounds),
    rounds,
  };
}

function figuresOf(rounds: readonly Round[]): Figure[] {
  const cpu = rounds.map(({ millrace }) => millrace?.cpu);
  const whole = cpu.map(use => use?.loading?.usPerUnit);
  return [
    ...figureOf(
      {
        id: 'cpuPerRequest',
        what: { en: 'CPU per request while the load ran', zh: '负载期间每个请求的 CPU' },
        unit: 'µs',
        target: { most: CPU_US_MAX },
      },
      cpu.map(use => use?.usPerUnit),
    ),
    ...figureOf(
      {
        id: 'cpuPerRequestLoaded',
        what: { en: 'CPU per request until all is in the store', zh: '直到全部入库，每个请求的 CPU' },
        unit: 'µs',
        target: { most: CPU_US_MAX },
      },
      whole,
    ),
    ...figureOf(
      {
        id: 'requestsPerSecond',
        what: { en: 'requests per second on one core', zh: '单核每秒请求数' },
        unit: 'requests/s',
        target: { least: REQUESTS_PER_SECOND_MIN },
      },
      rounds.map(({ millrace }) => millrace?.requestsPerSecond),
    ),
    ...figureOf(
      {
        id: 'requestsPerSecondLoaded',
        what: {
          en: 'the same with the loading: 1 s ÷ CPU until all is in the store',
          zh: '同上，计入装载：1 秒 ÷ 直到全部入库的 CPU',
        },
        unit: 'requests/s',
        target: { least: REQUESTS_PER_SECOND_MIN },
      },
      whole.map(us => us && 1e6 / us),
    ),
    ...figureOf(
      {
        id: 'backlogAtEnd',
        what: {
          en: 'of the journaled entries, not in the store when the load ended',
          zh: '负载结束时尚未入库的日志条目',
        },
        unit: '%',
      },
      cpu.map(use => use?.loading && (use.loading.lagEntries / Math.max(1, use.loading.entries)) * 100),
    ),
    ...PARTS.flatMap(({ key, what }) => [
      ...figureOf(
        { id: `while.${key}`, what: { en: `while the load ran: ${what.en}`, zh: `负载期间：${what.zh}` }, unit: 'µs' },
        cpu.map(use => use?.split?.[key]),
      ),
      ...figureOf(
        { id: `loaded.${key}`, what: { en: `until stored: ${what.en}`, zh: `直到入库：${what.zh}` }, unit: 'µs' },
        cpu.map(use => use?.loading?.split[key]),
      ),
    ]),
    ...figureOf(
      {
        id: 'relayCpuPerRequest',
        what: { en: 'bare relay: CPU per request', zh: '裸转发：每个请求的 CPU' },
        unit: 'µs',
      },
      rounds.map(({ relay }) => relay?.cpu?.usPerUnit),
    ),
    ...figureOf(
      {
        id: 'ratioToRelay',
        what: { en: 'Millrace ÷ bare relay, while the load ran', zh: 'Millrace ÷ 裸转发，负载期间' },
        unit: '×',
      },
      rounds.map(({ millrace, relay }) => ratio(millrace?.cpu?.usPerUnit, relay?.cpu?.usPerUnit)),
    ),
  ];
}

function notesOf(rounds: readonly Round[]): Words[] {
  const unfinished = rounds.some(({ millrace }) => millrace?.cpu?.loading?.emptied === false);
  return unfinished
    ? [
        {
          en: 'Not all was in the store within two minutes: the figures until then are too low.',
          zh: '两分钟内未能全部入库：“直到全部入库”的数字偏低。',
        },
      ]
    : [];
}

const HOW: Words = {
  en: 'Millrace (authentication, limits of the key on requests, tokens, concurrency and budget, hold, durable intent, durable settlement, metering, loading into the store) and the bare undici relay in turn, each on a processor of its own, mock engine and load on the other; kept connections, one request at a time on each. CPU is user and system time of the whole process, from the first request to the last answer, divided by the answered requests; "until all is in the store" goes on until millrace_loader_lag_entries is 0, because the loader lets requests go first while the processors are busy. Threads are counted by the scheduler.',
  zh: 'Millrace（鉴权，密钥的请求数、词元数、并发与预算限制，预留，持久化的意向与结算，计量，装载入库）与裸 undici 转发轮流测量，各自独占一个处理器，模拟引擎与负载在另一个上；保持连接，每条连接一次一个请求。CPU 为整个进程的用户态与内核态时间，从第一个请求到最后一个回答，除以已回答的请求数；处理器繁忙时装载器让请求先行，因此“直到全部入库”一直计到 millrace_loader_lag_entries 为 0。各线程的时间取自内核调度器。',
};
