// Upstreams die at every byte of their answer. By the rules (docs/decisions/settlement-rules.md) each request is settled once, at
// what was delivered; here that is worked out anew from what the client received.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { formatAmount } from '@millrace/contract';
import { checkBooks, countedTokens, type Due, NOTHING, nanoOf, type Tokens } from './support/dues.ts';
import { type Behaviour, planAnswer } from './support/fake-behaviour.ts';
import { inLanes, lanesOf } from './support/lanes.ts';
import { openStage, type Stage } from './support/stage.ts';

/** Characters of one, two, three and four bytes: an answer can be cut through each of them. */
const HONEST: Behaviour = { tokens: 3, texts: [' Grüße', '，世界', ' 🦙'], promptTokens: 17 };
const REPORTED: Tokens = { inputTokens: 17, outputTokens: 3 };

let stage: Stage;
const dues: Due[] = [];

before(async () => {
  stage = await openStage([
    ...['chunked', 'closing', 'choices', 'whole'].flatMap(lanesOf).map(id => ({ id, upstreamModels: [id] })),
    ...lanesOf('pair').map(id => ({ id, upstreamModels: [`${id}-a`, `${id}-b`] })),
  ]);
});
after(() => stage?.[Symbol.asyncDispose]());

const bodyFor = (model: string, more: object) =>
  JSON.stringify({ model, ...more, messages: [{ role: 'user', content: 'Say hi' }] });

interface Seen {
  readonly id: string;
  readonly status: number;
  readonly text: string;
}

/** Rejects where the answer breaks off without a word: a silent cut. */
async function ask(model: string, more: object): Promise<Seen> {
  const answer = await fetch(`${stage.server.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${stage.key}`, 'content-type': 'application/json' },
    body: bodyFor(model, more),
  });
  return { id: answer.headers.get('x-request-id') ?? '', status: answer.status, text: await answer.text() };
}

/** How the deployment answers next; when its last answer is over, for an upstream that dies right behind its last byte may still be about to. */
async function arrange(deployment: string, behaviour: Behaviour): Promise<void> {
  await stage.upstream.idle(deployment);
  stage.upstream.script(deployment, behaviour);
}

const deaths = (bytes: number, ways: readonly ('fin' | 'rst')[]) =>
  ways.flatMap(how => Array.from({ length: bytes + 1 }, (_, byte) => ({ byte, how })));

interface Asks {
  readonly stream: boolean;
  readonly n?: number;
}

function stepsOf(model: string, { stream, n = 1 }: Asks, behaviour: Behaviour) {
  const asked = { path: '/v1/chat/completions', model, stream, includeUsage: stream, choices: n };
  return planAnswer({ ...asked, maxTokens: 4_096, promptTokens: 0 }, behaviour).steps;
}

/** What the upstream sends, in order, and after how many bytes each part is there. */
function partsOf(model: string, asks: Asks, behaviour: Behaviour) {
  let sent = 0;
  return stepsOf(model, asks, behaviour).map(({ bytes }) => {
    sent += bytes.length;
    const event = /data: .*\n\n/.exec(bytes.toString('utf8'))?.[0] ?? '';
    // Of a chunk its line end is not needed, of the last event before the connection closes its blank line.
    return { event, there: event === '' ? sent : sent - 2 };
  });
}
type Parts = ReturnType<typeof partsOf>;
/** Of the status line and the headers. */
const headOf = (model: string, asks: Asks, behaviour: Behaviour) =>
  (stepsOf(model, asks, behaviour)[0]?.bytes.indexOf('\r\n\r\n') ?? 0) + 4;
const bytesOf = (parts: Parts) => parts.at(-1)?.there ?? 0;
const isSaid = ({ event }: Parts[number]) => event.includes('"delta"');
const isUsage = ({ event }: Parts[number]) => event.includes('"usage"');

/** How much of a stream was there when its upstream died. */
function upTo(byte: number, parts: Parts, framing: 'chunked' | 'close') {
  const there = parts.filter(part => part.there <= byte);
  const said = there.filter(isSaid);
  const finished = said.length === parts.filter(isSaid).length;
  // A closed connection does not say what is missing: the answer must have finished, and nothing be broken off after it.
  const tail = byte - bytesOf(there) - 2;
  const closedWell = framing === 'close' && finished && tail <= 'data: '.length;
  return {
    head: there.length > 0,
    said: said.map(({ event }) => event),
    complete: closedWell || there.some(({ event }) => event === 'data: [DONE]\n\n'),
    reported: there.some(isUsage),
    /** The last report covers all that was said. */
    isCurrent: there.findLastIndex(isUsage) > there.findLastIndex(isSaid),
  };
}

const FAILED = { outcome: 'failed', ...NOTHING } as const;
const failedDue = (what: string, seen: Seen, at: { readonly model: string; readonly status: number }): Due => ({
  ...{ what, id: seen.id, model: at.model, outcome: 'failed', status: 502, usageSource: 'none', tokens: NOTHING },
  attempts: [{ deployment: at.model, status: at.status, ...FAILED }],
});

/** `begun`: the answer began with the upstream's head, where its death came too late for a status. */
function refused(what: string, seen: Seen, begun = false) {
  if (begun && seen.status === 200) assert.match(seen.text, /^: x-millrace-cost CNY 0\n\ndata: \{"error"/, what);
  else assert.equal(seen.status, 502, what);
  assert.equal(JSON.parse(seen.text.replace(/^.*\n\ndata: /, '')).error.code, 'upstream_error', what);
}

/** Holds what a client saw of a stream against what was there of it; returns what it must cost. */
function judge(
  what: string,
  seen: Seen,
  from: { readonly got: ReturnType<typeof upTo>; readonly reported: Tokens; readonly body: string },
): Tokens {
  const { got, reported, body } = from;
  assert.equal(seen.status, 200, what);
  // The blank line of a last event that lacked a part of it is made whole.
  const text = seen.text.replaceAll('\n\n\n', '\n\n');
  const events = text.split(/(?<=\n\n)/);
  const said = events.filter(event => event.includes('"delta"'));
  const [cost = '', last = ''] = events.slice(said.length);
  assert.equal(said.join(''), got.said.join(''), what);
  assert.equal(text, said.join('') + cost + last, what);
  if (got.complete) assert.equal(last, 'data: [DONE]\n\n', what);
  else assert.equal(JSON.parse(last.slice('data: '.length)).error.code, 'upstream_error', what);
  const content = (event: string) => JSON.parse(event.slice('data: '.length)).choices[0].delta.content ?? '';
  const counted = countedTokens(said.map(content), body);
  const { inputTokens } = reported;
  const larger = { inputTokens, outputTokens: Math.max(reported.outputTokens, counted.outputTokens) };
  const tokens = !got.reported ? counted : got.isCurrent ? reported : larger;
  assert.equal(cost, `: x-millrace-cost CNY ${formatAmount(nanoOf(tokens))}\n\n`, what);
  return tokens;
}

/** A whole answer between the deaths. */
async function heal(model: string, asks: Asks, deployments: readonly string[] = [model]) {
  const [first = model] = deployments;
  for (const deployment of deployments) await arrange(deployment, HONEST);
  const seen = await ask(model, asks);
  assert.equal(seen.status, 200, model);
  if (asks.stream) assert.ok(seen.text.endsWith('data: [DONE]\n\n'), model);
  const tokens = { ...REPORTED, outputTokens: REPORTED.outputTokens * (asks.n ?? 1) };
  dues.push({
    ...{ what: `${model} whole`, id: seen.id, model, outcome: 'ok', status: 200, usageSource: 'upstream', tokens },
    attempts: [{ deployment: first, status: 200, outcome: 'ok', ...tokens }],
  });
}

/** What a client got whole, after attempts that failed before a byte of them went out. */
function wholeAnswer(
  what: string,
  seen: Seen,
  {
    model,
    deployment = model,
    attempts,
  }: { model: string; deployment?: string; attempts: NonNullable<Due['attempts']> },
) {
  assert.equal(seen.status, 200, what);
  const { choices, usage } = JSON.parse(seen.text);
  assert.equal(choices[0].message.content, HONEST.texts?.join(''), what);
  assert.equal(usage.cost.amount, formatAmount(nanoOf(REPORTED)), what);
  dues.push({
    ...{ what, id: seen.id, model, outcome: 'ok', status: 200, usageSource: 'upstream', tokens: REPORTED },
    attempts: [...attempts, { deployment, status: 200, outcome: 'ok', ...REPORTED }],
  });
}

const streams: readonly [name: string, framing: 'chunked' | 'close', asks: Asks, ways: readonly ('fin' | 'rst')[]][] = [
  ['chunked', 'chunked', { stream: true }, ['fin', 'rst']],
  ['closing', 'close', { stream: true }, ['fin', 'rst']],
  ['choices', 'close', { stream: true, n: 2 }, ['fin']],
];
for (const [name, framing, asks, ways] of streams) {
  test(`an upstream that dies at any byte of a stream: ${name}`, async () => {
    const lanes = lanesOf(name);
    const behaviour = { ...HONEST, framing };
    const reported = { ...REPORTED, outputTokens: REPORTED.outputTokens * (asks.n ?? 1) };
    await inLanes(lanes, deaths(bytesOf(partsOf(lanes[0] ?? '', asks, behaviour)), ways), {
      heal: lane => heal(lane, asks),
      run: async (model, dieAt) => {
        const what = `${name}, byte ${dieAt.byte}, ${dieAt.how}`;
        await arrange(model, { ...behaviour, dieAt });
        const seen = await ask(model, asks);
        const got = upTo(dieAt.byte, partsOf(model, asks, behaviour), framing);
        if (got.said.length === 0) {
          refused(what, seen, got.head);
          dues.push(failedDue(what, seen, { model, status: got.head ? 200 : 0 }));
          return;
        }
        const tokens = judge(what, seen, { got, reported, body: bodyFor(model, asks) });
        const outcome = got.complete ? 'ok' : 'failed';
        const usageSource = got.reported ? 'upstream' : 'counted';
        dues.push({
          ...{ what, id: seen.id, model, outcome, status: 200, usageSource, tokens },
          attempts: [{ deployment: model, status: 200, outcome, ...tokens }],
        });
      },
    });
    await checkBooks(stage, dues);
  });
}

test('an upstream that dies at any byte of a whole answer', async () => {
  const asks = { stream: false };
  const lanes = lanesOf('whole');
  const jobs = (['length', 'chunked', 'close'] as const).flatMap(framing => {
    const bytes = bytesOf(partsOf(lanes[0] ?? '', asks, { ...HONEST, framing }));
    return deaths(bytes, ['fin', 'rst']).map(dieAt => ({ framing, dieAt, bytes }));
  });
  await inLanes(lanes, jobs, {
    heal: lane => heal(lane, asks),
    run: async (model, { framing, dieAt, bytes }) => {
      const what = `whole, ${framing}, byte ${dieAt.byte}, ${dieAt.how}`;
      await arrange(model, { ...HONEST, framing, dieAt });
      const seen = await ask(model, asks);
      if (dieAt.byte === bytes) return wholeAnswer(what, seen, { model, attempts: [] });
      refused(what, seen);
      const head = headOf(model, asks, { ...HONEST, framing });
      dues.push(failedDue(what, seen, { model, status: dieAt.byte < head ? 0 : 200 }));
    },
  });
  await checkBooks(stage, dues);
});

test('a length that is not that of the answer', async () => {
  const [model = ''] = lanesOf('whole');
  // Deaths in a row of the test before count towards those after which a deployment is left alone.
  await heal(model, { stream: false });
  for (const contentLengthOff of [-40, -1, 1, 40]) {
    // What is too much stays on a connection that the next request would use.
    for (const closes of contentLengthOff < 0 ? [false, true] : [true]) {
      const what = `length ${contentLengthOff}, closes ${closes}`;
      await arrange(model, { ...HONEST, contentLengthOff, closes });
      const seen = await ask(model, { stream: false });
      refused(what, seen);
      dues.push(failedDue(what, seen, { model, status: 200 }));
      await heal(model, { stream: false });
    }
  }
  await checkBooks(stage, dues);
});

test('another deployment takes over before the first byte, and never after it', async () => {
  const lanes = lanesOf('pair');
  // It reports usage before it says anything: what it reported is no part of what the other one charges.
  const dying = { ...HONEST, promptTokens: 600, usageFirst: true };
  const bytes = bytesOf(partsOf(`${lanes[0]}-a`, { stream: true }, dying));
  await inLanes(lanes, deaths(bytes, ['fin']), {
    heal: lane => heal(lane, { stream: true }, [`${lane}-a`, `${lane}-b`]),
    run: async (model, dieAt) => {
      const what = `pair, byte ${dieAt.byte}`;
      const asks = { stream: true };
      const body = bodyFor(model, asks);
      const [first, second] = [`${model}-a`, `${model}-b`];
      await arrange(first, { ...dying, dieAt });
      await arrange(second, HONEST);
      const seen = await ask(model, asks);
      const toldBy = (deployment: string, behaviour: Behaviour) =>
        partsOf(deployment, asks, behaviour).map(({ event, there }) => ({
          there,
          event: event.replace(`"model":"${deployment}"`, `"model":"${model}"`),
        }));
      const dead = upTo(dieAt.byte, toldBy(first, dying), 'chunked');
      const line = { what, id: seen.id, model, status: 200, usageSource: 'upstream' } as const;
      if (dead.said.length > 0) {
        const tokens = judge(what, seen, { got: dead, reported: { ...REPORTED, inputTokens: 600 }, body });
        const outcome = dead.complete ? 'ok' : 'failed';
        const attempts = [{ deployment: first, status: 200, outcome, ...tokens }];
        // A report that came before the words is no more than a lower bound.
        const usageSource = tokens.outputTokens > REPORTED.outputTokens ? 'counted' : 'upstream';
        dues.push({ ...line, usageSource, outcome, tokens, attempts });
        return;
      }
      const got = upTo(bytes, toldBy(second, HONEST), 'chunked');
      const tokens = judge(what, seen, { got, reported: REPORTED, body });
      dues.push({
        ...{ ...line, outcome: 'ok', tokens },
        attempts: [
          // What it says it used it will bill, though nobody got it.
          {
            ...{ deployment: first, status: dead.head ? 200 : 0, ...FAILED },
            ...(dead.reported ? { ...REPORTED, inputTokens: 600 } : {}),
          },
          { deployment: second, status: 200, outcome: 'ok', ...tokens },
        ],
      });
    },
  });
  await checkBooks(stage, dues);
});

test('another deployment takes over from a whole answer that broke at any byte', async () => {
  const lanes = lanesOf('pair');
  const asks = { stream: false };
  const bytes = bytesOf(partsOf(`${lanes[0]}-a`, asks, HONEST));
  await inLanes(lanes, deaths(bytes - 1, ['fin']), {
    heal: lane => heal(lane, asks, [`${lane}-a`, `${lane}-b`]),
    run: async (model, dieAt) => {
      const [first, second] = [`${model}-a`, `${model}-b`];
      await arrange(first, { ...HONEST, dieAt });
      await arrange(second, HONEST);
      const seen = await ask(model, asks);
      const status = dieAt.byte < headOf(first, asks, HONEST) ? 0 : 200;
      const attempts = [{ deployment: first, status, ...FAILED }];
      wholeAnswer(`pair, whole, byte ${dieAt.byte}`, seen, { model, deployment: second, attempts });
    },
  });
  await checkBooks(stage, dues);
});
