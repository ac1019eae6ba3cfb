import type { CaseInput, CaseReport } from '../case.ts';
import { type Figure, figureOf, type Words } from '../figure.ts';
import { nginxVersion } from '../nginx.ts';
import { openRig } from '../rig.ts';
import { failuresOf, type Round, ratio, runRounds } from '../rounds.ts';

const MODEL = 'mock-1';

/** How far all of it is from the least that a relay can cost: nginx, which does nothing but relay. */
export async function measureNginx(input: CaseInput): Promise<CaseReport> {
  const { nginx, json, stream, warmSeconds } = input.sizes;
  const report = {
    name: 'nginx',
    title: { en: 'Against nginx, which only relays', zh: '与只做转发的 nginx 对比' },
    how: HOW,
  } as const;
  const version = nginxVersion();
  if (version === undefined)
    return {
      ...report,
      skipped: { en: 'nginx: not installed', zh: 'nginx：未安装' },
      figures: [],
      failures: 0,
      notes: [],
      rounds: [],
    };
  const fast = `mock-${stream.tokens}x0us`;
  await using rig = await openRig(input.children, { sides: ['nginx', 'relay', 'millrace'], models: [MODEL, fast] });
  const amount = { seconds: nginx.seconds };
  const warm = { seconds: warmSeconds };
  input.say({ en: '  JSON', zh: '  JSON' });
  const jsonRounds = await runRounds(input, {
    rig,
    rounds: nginx.rounds,
    shape: { model: MODEL, connections: json.connections, amount },
    warm,
  });
  input.say({ en: '  streams', zh: '  流' });
  const streamRounds = await runRounds(input, {
    rig,
    rounds: nginx.rounds,
    shape: { model: fast, connections: stream.connections, tokens: stream.tokens, amount },
    warm,
  });
  return {
    ...report,
    figures: [
      ...figuresOf(jsonRounds, 'json', { en: 'CPU per JSON request', zh: '每个 JSON 请求的 CPU' }),
      ...figuresOf(streamRounds, 'stream', { en: 'CPU per streamed token', zh: '每个流式词元的 CPU' }),
    ],
    failures: failuresOf([...jsonRounds, ...streamRounds]),
    notes: [{ en: version, zh: version }],
    rounds: [
      ...jsonRounds.map(round => ({ load: 'json', ...round })),
      ...streamRounds.map(round => ({ load: 'stream', ...round })),
    ],
  };
}

function figuresOf(rounds: readonly Round[], id: string, of: Words): Figure[] {
  const named = (en: string, zh: string): Words => ({ en: `${of.en}: ${en}`, zh: `${of.zh}：${zh}` });
  return [
    ...figureOf(
      { id: `${id}.ratioToNginx`, what: named('Millrace ÷ nginx', 'Millrace ÷ nginx'), unit: '×' },
      rounds.map(({ millrace, nginx }) => ratio(millrace?.cpu?.usPerUnit, nginx?.cpu?.usPerUnit)),
    ),
    ...figureOf(
      { id: `${id}.relayToNginx`, what: named('bare relay ÷ nginx', '裸转发 ÷ nginx'), unit: '×' },
      rounds.map(({ relay, nginx }) => ratio(relay?.cpu?.usPerUnit, nginx?.cpu?.usPerUnit)),
    ),
    ...figureOf(
      { id: `${id}.nginx`, what: named('nginx', 'nginx'), unit: 'µs' },
      rounds.map(({ nginx }) => nginx?.cpu?.usPerUnit),
    ),
    ...figureOf(
      { id: `${id}.relay`, what: named('bare relay', '裸转发'), unit: 'µs' },
      rounds.map(({ relay }) => relay?.cpu?.usPerUnit),
    ),
    ...figureOf(
      { id: `${id}.millrace`, what: named('Millrace', 'Millrace'), unit: 'µs' },
      rounds.map(({ millrace }) => millrace?.cpu?.usPerUnit),
    ),
    ...figureOf(
      {
        id: `${id}.millraceLoaded`,
        what: named('Millrace until all is in the store', 'Millrace，直到全部入库'),
        unit: 'µs',
      },
      rounds.map(({ millrace }) => millrace?.cpu?.loading?.usPerUnit),
    ),
  ];
}

const HOW: Words = {
  en: 'nginx (one process, configured to relay and nothing else), the bare undici relay and Millrace with everything on, in turn, as with JSON requests. nginx is so fast that engine and load on the other processor set its pace: its CPU per request counts, not its rate.',
  zh: 'nginx（单进程，只配置转发）、裸 undici 转发与全部功能开启的 Millrace 轮流测量，方式与 JSON 请求相同。nginx 快到由另一处理器上的引擎与负载决定节奏，因此看它每个请求的 CPU，而不是速率。',
};
