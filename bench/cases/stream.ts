import type { CaseInput, CaseReport } from '../case.ts';
import { type Figure, figureOf, type Words } from '../figure.ts';
import { openRig } from '../rig.ts';
import { failuresOf, type Round, ratio, runRounds } from '../rounds.ts';

const RATIO_MAX = 1.3;
/** Paced, each token comes alone, unless a side falls behind. */
const EVENTS_PER_READ_MAX = 1.1;

/** CPU of a streamed token against the bare relay: as fast as it goes, and paced as engines pace. */
export async function measureStream(input: CaseInput): Promise<CaseReport> {
  const { stream, paced, warmSeconds } = input.sizes;
  const fast = `mock-${stream.tokens}x0us`;
  const slow = `mock-${paced.tokens}x${paced.intervalMs * 1_000}us`;
  await using rig = await openRig(input.children, { sides: ['millrace', 'relay'], models: [fast, slow] });
  input.say({ en: '  as fast as it goes', zh: '  全速' });
  const saturated = await runRounds(input, {
    rig,
    rounds: stream.rounds,
    shape: { model: fast, connections: stream.connections, tokens: stream.tokens, amount: { seconds: stream.seconds } },
    warm: { seconds: warmSeconds },
  });
  const pacedRounds: { readonly streams: number; readonly rounds: readonly Round[] }[] = [];
  for (const streams of paced.streams) {
    input.say({ en: `  ${streams} at once, paced`, zh: `  ${streams} 条同时，按节奏` });
    const amount = { requests: streams };
    const shape = { model: slow, connections: streams, tokens: paced.tokens, amount };
    pacedRounds.push({
      streams,
      rounds: await runRounds(input, { rig, rounds: paced.rounds, shape, warm: amount }),
    });
  }
  return {
    name: 'stream',
    title: { en: 'Streamed tokens against the bare relay', zh: '流式词元与裸转发对比' },
    how: HOW,
    figures: [
      ...figuresOf(saturated, 'saturated', { en: 'as fast as it goes', zh: '全速' }),
      ...pacedRounds.flatMap(({ streams, rounds }) =>
        figuresOf(rounds, `paced${streams}`, {
          en: `${streams} streams, a token every ${paced.intervalMs} ms`,
          zh: `${streams} 条流，每 ${paced.intervalMs} 毫秒一个词元`,
        }),
      ),
    ],
    failures: failuresOf([...saturated, ...pacedRounds.flatMap(({ rounds }) => rounds)]),
    notes: pacedRounds.flatMap(notesOf),
    rounds: [
      ...saturated.map(round => ({ load: 'saturated', ...round })),
      ...pacedRounds.flatMap(({ streams, rounds }) => rounds.map(round => ({ load: `paced${streams}`, ...round }))),
    ],
  };
}

function figuresOf(rounds: readonly Round[], id: string, load: Words): Figure[] {
  const named = (en: string, zh: string): Words => ({ en: `${load.en}: ${en}`, zh: `${load.zh}：${zh}` });
  return [
    ...figureOf(
      {
        id: `${id}.ratioToRelay`,
        what: named('Millrace ÷ bare relay, CPU per token', 'Millrace ÷ 裸转发，每个词元的 CPU'),
        unit: '×',
        target: { most: RATIO_MAX },
      },
      rounds.map(({ millrace, relay }) => ratio(millrace?.cpu?.usPerUnit, relay?.cpu?.usPerUnit)),
    ),
    ...figureOf(
      {
        id: `${id}.ratioToRelayLoaded`,
        what: named('the same until all is in the store', '同上，直到全部入库'),
        unit: '×',
        target: { most: RATIO_MAX },
      },
      rounds.map(({ millrace, relay }) => ratio(millrace?.cpu?.loading?.usPerUnit, relay?.cpu?.usPerUnit)),
    ),
    ...figureOf(
      { id: `${id}.cpuPerToken`, what: named('Millrace, CPU per token', 'Millrace，每个词元的 CPU'), unit: 'µs' },
      rounds.map(({ millrace }) => millrace?.cpu?.usPerUnit),
    ),
    ...(['millrace', 'relay'] as const).flatMap(name =>
      figureOf(
        {
          id: `${id}.${name}EventsPerRead`,
          what: named(`${WORD[name].en}, events that came at once`, `${WORD[name].zh}，一次到达的事件数`),
          unit: 'events',
        },
        rounds.map(round => round[name]?.eventsPerRead),
      ),
    ),
    ...figureOf(
      { id: `${id}.relayCpuPerToken`, what: named('bare relay, CPU per token', '裸转发，每个词元的 CPU'), unit: 'µs' },
      rounds.map(({ relay }) => relay?.cpu?.usPerUnit),
    ),
  ];
}

function notesOf({ streams, rounds }: { readonly streams: number; readonly rounds: readonly Round[] }): Words[] {
  const behind = (['millrace', 'relay'] as const).filter(name =>
    rounds.some(round => (round[name]?.eventsPerRead ?? 0) > EVENTS_PER_READ_MAX),
  );
  return behind.length === 0
    ? []
    : [
        {
          en: `${streams} paced streams: tokens came several at a time (${behind.map(name => WORD[name].en).join(', ')}), because the core was full or not free. That makes a token cheaper than it is at this pace.`,
          zh: `${streams} 条按节奏的流：词元成批到达（${behind.map(name => WORD[name].zh).join('、')}），因为核心已满载或被他人占用。每个词元因此显得比该节奏下更便宜。`,
        },
      ];
}

const WORD = {
  millrace: { en: 'Millrace', zh: 'Millrace' },
  relay: { en: 'bare relay', zh: '裸转发' },
} as const;

const HOW: Words = {
  en: 'Millrace and the bare undici relay in turn, as with JSON requests. CPU of the whole process divided by the tokens of the streams that were answered in full. As fast as it goes: the engine writes a token at a time without waiting, so that several may lie ready when they are read. Paced: all streams at once, from the first request to the last answer, connections included.',
  zh: 'Millrace 与裸 undici 转发轮流测量，方式与 JSON 请求相同。整个进程的 CPU 除以完整回答的流的词元数。全速：引擎逐个词元写出而不等待，读取时可能已有多个就绪。按节奏：所有流同时进行，从第一个请求计到最后一个回答，含建立连接。',
};
