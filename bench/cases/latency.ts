import type { CaseInput, CaseReport } from '../case.ts';
import { type Figure, figureOf, type Words } from '../figure.ts';
import { openRig } from '../rig.ts';
import { failuresOf, type Round, runRounds } from '../rounds.ts';

const MODEL = 'mock-1';
const ADDED_MS_MAX = 1;

/** What stands between a lone client and the engine adds to its median answer. */
export async function measureLatency(input: CaseInput): Promise<CaseReport> {
  const { requests, rounds: count } = input.sizes.latency;
  await using rig = await openRig(input.children, { sides: ['engine', 'relay', 'millrace'], models: [MODEL] });
  const rounds = await runRounds(input, {
    rig,
    rounds: count,
    shape: { model: MODEL, connections: 1, amount: { requests } },
    warm: { requests },
  });
  return {
    name: 'latency',
    title: { en: 'Time added at one connection', zh: '单连接时增加的时间' },
    how: HOW,
    figures: figuresOf(rounds),
    failures: failuresOf(rounds),
    notes: [],
    rounds,
  };
}

function figuresOf(rounds: readonly Round[]): Figure[] {
  const added = (round: Round, over: 'engine' | 'relay') => {
    const through = round.millrace?.latencyMs.p50;
    const direct = round[over]?.latencyMs.p50;
    return through === undefined || direct === undefined ? undefined : through - direct;
  };
  return [
    ...figureOf(
      {
        id: 'addedP50',
        what: { en: 'p50 through Millrace − p50 of the engine itself', zh: '经 Millrace 的 p50 − 直连引擎的 p50' },
        unit: 'ms',
        target: { most: ADDED_MS_MAX },
      },
      rounds.map(round => added(round, 'engine')),
    ),
    ...figureOf(
      {
        id: 'addedToRelayP50',
        what: { en: 'p50 through Millrace − p50 through the bare relay', zh: '经 Millrace 的 p50 − 经裸转发的 p50' },
        unit: 'ms',
      },
      rounds.map(round => added(round, 'relay')),
    ),
    ...(['engine', 'relay', 'millrace'] as const).flatMap(name => [
      ...figureOf(
        { id: `${name}P50`, what: { en: `${WORD[name].en}: p50`, zh: `${WORD[name].zh}：p50` }, unit: 'ms' as const },
        rounds.map(round => round[name]?.latencyMs.p50),
      ),
      ...figureOf(
        { id: `${name}P99`, what: { en: `${WORD[name].en}: p99`, zh: `${WORD[name].zh}：p99` }, unit: 'ms' as const },
        rounds.map(round => round[name]?.latencyMs.p99),
      ),
    ]),
  ];
}

const WORD = {
  engine: { en: 'engine itself', zh: '直连引擎' },
  relay: { en: 'bare relay', zh: '裸转发' },
  millrace: { en: 'Millrace', zh: 'Millrace' },
} as const;

const HOW: Words = {
  en: 'One kept connection, one JSON request after the other, to the engine itself, through the bare undici relay and through Millrace in turn; time from the write of the request to the last byte of the answer. Millrace waits for the disk twice meanwhile: for the intent and for the settlement.',
  zh: '一条保持的连接，JSON 请求逐个发送，轮流直连引擎、经裸 undici 转发、经 Millrace；时间从写出请求计到回答的最后一个字节。其间 Millrace 要等待磁盘两次：意向一次，结算一次。',
};
