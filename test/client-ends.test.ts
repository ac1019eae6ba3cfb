// Clients leave at every byte of what they send and of what they get. By the rules (docs/decisions/settlement-rules.md) each request
// that was sent whole is settled once, at what was delivered; nothing stays held, and no upstream goes on for nobody.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { checkBooks, countedTokens, type Due, NOTHING, type Tokens } from './support/dues.ts';
import { type Behaviour, planAnswer } from './support/fake-behaviour.ts';
import { inLanes, lanesOf } from './support/lanes.ts';
import { connectRaw, type RawClient } from './support/raw-client.ts';
import { openStage, type Stage } from './support/stage.ts';

const HONEST: Behaviour = { tokens: 2, texts: [' Grüße', '，世界 🦙'], promptTokens: 17, stepwise: true };
const REPORTED: Tokens = { inputTokens: 17, outputTokens: 2 };
const GONE = { outcome: 'client-gone', status: 0, usageSource: 'none', tokens: NOTHING } as const;
const ABORTED = { outcome: 'aborted', ...NOTHING };
const WAYS = ['fin', 'rst'] as const;
type Way = (typeof WAYS)[number];

let stage: Stage;
let port: number;
const dues: Due[] = [];

before(async () => {
  stage = await openStage([
    ...['stops', 'cut', 'hasty', 'pipe'].flatMap(lanesOf).map(id => ({ id, upstreamModels: [id] })),
    ...lanesOf('drains').map(id => ({ id, upstreamModels: [id], drains: true })),
    { id: 'narrow', upstreamModels: ['narrow'], concurrency: 1 },
  ]);
  port = Number(new URL(stage.server.url).port);
});
after(() => stage?.[Symbol.asyncDispose]());

const bodyFor = (model: string, stream: boolean) =>
  JSON.stringify({ model, stream, messages: [{ role: 'user', content: 'Say hi' }] });

function requestFor(model: string, stream: boolean): string {
  const body = bodyFor(model, stream);
  const head = ['POST /v1/chat/completions HTTP/1.1', 'host: localhost', `authorization: Bearer ${stage.key}`];
  return [...head, 'content-type: application/json', `content-length: ${body.length}`, '', body].join('\r\n');
}

async function begin(model: string, stream: boolean): Promise<RawClient> {
  const client = await connectRaw(port);
  client.send(requestFor(model, stream));
  return client;
}

/** What the gateway's one thread had to do before is done when it has answered this. */
async function caughtUp() {
  await (await fetch(`${stage.server.url}/v1/models`, { headers: { authorization: `Bearer ${stage.key}` } })).text();
}

/** The upstream has been asked for this model. */
const called = async (model: string) => {
  while (stage.upstream.calls.findLast(call => call.model === model)?.outcome !== 'running')
    await new Promise(resolve => setTimeout(resolve, 1));
};

/** Steps of the upstream: its head, what it says, and what comes after the last word. */
const steps = planAnswer(
  {
    path: '/v1/chat/completions',
    model: 'stops-00',
    stream: true,
    includeUsage: true,
    maxTokens: 4_096,
    promptTokens: 0,
    choices: 1,
  },
  HONEST,
).steps.map(({ bytes }) => bytes.toString('utf8'));
const said = steps.filter(step => step.includes('"delta"'));
const textIn = (step: string) => JSON.parse(step.slice(step.indexOf('{'))).choices[0].delta.content ?? '';

/** Reads a whole stream step by step: how many bytes of the answer there are after each word, and in all. */
async function measure(model: string): Promise<{ readonly ends: readonly number[]; readonly total: number }> {
  stage.upstream.script(model, HONEST);
  const client = await begin(model, true);
  const ends: number[] = [];
  let at = 0;
  const readTo = async (mark: string) => {
    for (;;) if ((await client.read(++at)).toString('latin1').endsWith(mark)) return at;
  };
  stage.upstream.release(model, 1);
  for (const _ of said) {
    stage.upstream.release(model, 1);
    ends.push(await readTo('}\n\n\r\n'));
  }
  stage.upstream.release(model, steps.length - 1 - said.length);
  const total = await readTo('0\r\n\r\n');
  await client.leave('fin');
  await stage.upstream.idle(model);
  dues.push(whole(`${model} measured`, model));
  return { ends, total };
}

const whole = (what: string, model: string): Due => ({
  ...{ what, model, outcome: 'ok', status: 200, usageSource: 'upstream', tokens: REPORTED },
  attempts: [{ deployment: model, status: 200, outcome: 'ok', ...REPORTED }],
});

for (const drains of [false, true]) {
  const name = drains ? 'drains' : 'stops';
  test(`a client that leaves at any byte of a stream; the provider ${name}`, async () => {
    const lanes = lanesOf(name);
    const { ends, total } = await measure(lanes[0] ?? '');
    const jobs = WAYS.flatMap(how => Array.from({ length: total + 1 }, (_, byte) => ({ byte, how })));
    await inLanes(lanes, jobs, {
      run: async (model, { byte, how }) => {
        stage.upstream.script(model, HONEST);
        const client = await begin(model, true);
        const words = byte === 0 ? 0 : ends.findIndex(end => end >= byte) + 1;
        const complete = byte > 0 && words === 0;
        stage.upstream.release(model, 1);
        for (let word = 0; word < (complete ? said.length : words); word++) {
          stage.upstream.release(model, 1);
          await client.read(Math.min(byte, ends[word] ?? 0));
        }
        if (complete) stage.upstream.release(model, steps.length - 1 - said.length);
        if (byte === 0) await called(model);
        else await client.read(byte);
        await client.leave(how);
        const what = `${name}, byte ${byte} of ${total}, ${how}`;
        if (complete) dues.push(whole(what, model));
        else {
          if (drains) {
            await caughtUp();
            stage.upstream.release(model, steps.length - 1 - words);
          }
          const delivered = countedTokens(said.slice(0, words).map(textIn), bodyFor(model, true));
          const tokens = words === 0 ? NOTHING : drains ? REPORTED : delivered;
          const spent = drains ? REPORTED : tokens;
          const attempt = { status: 200, outcome: drains ? 'ok' : 'aborted' };
          dues.push({
            ...{ what, model, outcome: 'client-gone', status: words === 0 ? 0 : 200, tokens },
            usageSource: words === 0 ? 'none' : drains ? 'upstream' : 'counted',
            attempts: [{ deployment: model, ...attempt, ...spent }],
          });
        }
        await stage.upstream.idle(model);
      },
    });
    await checkBooks(stage, dues);
  });
}

test('a client that leaves at any byte of a whole answer has paid for it, before the first byte pays nothing', async () => {
  for (const drains of [false, true]) {
    const lanes = lanesOf(drains ? 'drains' : 'stops');
    const [first = ''] = lanes;
    const read = async (model: string, bytes: number, how: Way) => {
      stage.upstream.script(model, HONEST);
      const client = await begin(model, false);
      await called(model);
      if (bytes > 0) stage.upstream.release(model, 1);
      const answer = await client.read(bytes);
      await client.leave(how);
      return answer;
    };
    // As much of the answer as its head, and what that says there is.
    const head = String(await read(first, 600, 'rst'));
    dues.push(whole('whole measured', first));
    const total = head.indexOf('\r\n\r\n') + 4 + Number(/content-length: (\d+)/i.exec(head)?.[1]);
    const jobs = WAYS.flatMap(how => Array.from({ length: total + 1 }, (_, byte) => ({ byte, how })));
    await inLanes(lanes, jobs, {
      run: async (model, { byte, how }) => {
        const what = `whole, byte ${byte} of ${total}, ${how}`;
        await read(model, byte, how);
        if (byte > 0) dues.push(whole(what, model));
        else {
          if (drains) {
            await caughtUp();
            stage.upstream.release(model, 1);
          }
          const attempt = drains ? { status: 200, outcome: 'ok', ...REPORTED } : { status: 0, ...ABORTED };
          dues.push({ what, model, ...GONE, attempts: [{ deployment: model, ...attempt }] });
        }
        await stage.upstream.idle(model);
      },
    });
  }
  await checkBooks(stage, dues);
});

test('a client that leaves while it sends its request: nothing is asked upstream', async () => {
  const [model = ''] = lanesOf('cut');
  const calls = stage.upstream.calls.length;
  const body = bodyFor(model, true);
  const head = (framing: string) =>
    [
      'POST /v1/chat/completions HTTP/1.1',
      'host: localhost',
      `authorization: Bearer ${stage.key}`,
      framing,
      '',
      '',
    ].join('\r\n');
  const requests = [
    `${head(`content-length: ${body.length}`)}${body}`,
    `${head('transfer-encoding: chunked')}${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
  ];
  const jobs = requests.flatMap(request =>
    WAYS.flatMap(how => Array.from({ length: request.length }, (_, byte) => ({ part: request.slice(0, byte), how }))),
  );
  await inLanes(lanesOf('cut'), jobs, {
    run: async (_lane, { part, how }) => {
      const client = await connectRaw(port);
      client.send(part);
      await client.leave(how);
    },
  });
  await caughtUp();
  assert.equal(stage.upstream.calls.length, calls);
  await checkBooks(stage, dues);
});

test('a client that leaves as soon as its request is out pays nothing', async () => {
  const jobs = Array.from({ length: 120 }, (_, index) => ({ stream: index % 2 === 0 }));
  await inLanes(lanesOf('hasty'), jobs, {
    run: async (model, { stream }) => {
      stage.upstream.script(model, HONEST);
      const client = await begin(model, stream);
      await client.leave('fin');
      await caughtUp();
      await stage.upstream.idle(model);
      // It may or may not have been asked upstream.
      dues.push({ what: `hasty, stream ${stream}`, model, ...GONE, attempts: undefined });
    },
  });
  await checkBooks(stage, dues);
});

test('clients that leave the queue hold nothing, and those behind them move up', async () => {
  stage.upstream.script('narrow', HONEST);
  const first = await begin('narrow', true);
  await called('narrow');
  const waiting = await Promise.all(Array.from({ length: 12 }, (_, index) => begin('narrow', index % 2 === 0)));
  const isWaiting = async (count: number) => {
    while ((await stage.books.gauge('deployment_waiting')) !== count);
  };
  await isWaiting(waiting.length);
  // A stream that waits is told so after a second: its answer has begun, but not a word of it.
  await waiting[0]?.read(1);
  const last = waiting.pop();
  await Promise.all(waiting.map((client, index) => client.leave(index % 3 === 0 ? 'fin' : 'rst')));
  await isWaiting(1);
  const calls = stage.upstream.calls.length;
  stage.upstream.release('narrow', steps.length);
  // The one behind is asked for when the whole of the first answer is there: only then does its client leave.
  while (stage.upstream.calls.length === calls) await new Promise(resolve => setTimeout(resolve, 1));
  await first.read(1);
  await first.leave('rst');
  await called('narrow');
  stage.upstream.release('narrow', steps.length);
  while ((await stage.books.gauge('deployment_in_flight')) > 0);
  await last?.read(1);
  await last?.leave('rst');
  dues.push(whole('narrow, first', 'narrow'), whole('narrow, last', 'narrow'));
  await checkBooks(stage, dues);
});

test('a client that leaves with several requests on one connection leaves all of them', async () => {
  const [one = '', two = '', three = ''] = lanesOf('pipe');
  for (const how of WAYS) {
    for (const model of [one, two, three]) stage.upstream.script(model, HONEST);
    const client = await connectRaw(port);
    client.send(requestFor(one, true) + requestFor(two, true) + requestFor(three, false));
    for (const model of [one, two, three]) await called(model);
    // The second has begun to answer, but cannot be heard before the first has ended.
    stage.upstream.release(two, 2);
    await caughtUp();
    await client.leave(how);
    const spent = countedTokens([textIn(said[0] ?? '')], bodyFor(two, true));
    for (const model of [one, two, three]) {
      await stage.upstream.idle(model);
      const attempt = model === two ? { status: 200, outcome: 'aborted', ...spent } : { status: 0, ...ABORTED };
      dues.push({ what: `pipe ${model}, ${how}`, model, ...GONE, attempts: [{ deployment: model, ...attempt }] });
    }
  }
  await checkBooks(stage, dues);
});
