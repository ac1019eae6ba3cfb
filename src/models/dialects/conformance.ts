import assert from 'node:assert/strict';
import { Fault, toFault } from '../../ground/std/index.ts';
import type { Codec, Frame, Operation, ReportedUsage, StreamEvent, TokenUsage } from './codec.ts';

/** A recorded stream, and what it must come to. */
export interface StreamFixture {
  readonly name: string;
  readonly operation: Operation;
  /** As the upstream sent it, with its end mark. */
  readonly bytes: Buffer;
  /** What goes on to a client of the same dialect: the bytes without usage, end mark and comments. */
  readonly raw: string;
  /** All that the choices said. */
  readonly text: string;
  readonly usage: ReportedUsage | undefined;
  /** The model name that the upstream wrote. */
  readonly model: string;
}

/** A recorded whole answer. */
export interface AnswerFixture {
  readonly name: string;
  readonly operation: Operation;
  readonly bytes: Buffer;
  readonly text: string;
  readonly usage: ReportedUsage | undefined;
}

export interface Check {
  readonly name: string;
  readonly run: () => void;
}

/** Streams up to this size are cut at every offset, longer ones at random. */
const EVERY_OFFSET_BYTES_MAX = 2_500;
const RANDOM_CUTS = 60;
const COST = { currency: 'CNY', amount: '0.000000001' };

/**
 * What every codec owes, whatever its dialect: the same events however the network cut the stream, raw bytes that say
 * exactly the events, usage found and taken out, nothing lost when events are written anew, nothing thrown but faults.
 *
 * @param seed of the random cuts and the random damage; a failing check names it.
 */
export function conformance(
  codec: Codec,
  fixtures: { readonly streams: readonly StreamFixture[]; readonly answers: readonly AnswerFixture[] },
  seed: number,
): readonly Check[] {
  const check = (name: string, run: () => void): Check => ({ name, run });
  return [
    ...fixtures.streams.flatMap(stream => [
      check(`${stream.name}: usage, text and raw bytes`, () => checkWhole(codec, stream)),
      check(`${stream.name}: the same however it is cut (seed ${seed})`, () => checkCuts(codec, stream, seed)),
      check(`${stream.name}: the same with other line ends and comments`, () => checkDress(codec, stream)),
      check(`${stream.name}: written anew without loss`, () => checkRewritten(codec, stream)),
      check(`${stream.name}: renamed without loss`, () => checkRenamed(codec, stream)),
      check(`${stream.name}: cut off or damaged, only faults (seed ${seed})`, () => checkDamage(codec, stream, seed)),
      check(`${stream.name}: what we add is read back`, () => checkAdded(codec, stream)),
    ]),
    ...fixtures.answers.flatMap(answer => [
      check(`${answer.name}: usage and text`, () => checkAnswer(codec, answer)),
      check(`${answer.name}: written anew without loss`, () => checkAnswerRewritten(codec, answer)),
      check(`${answer.name}: cut off, only faults`, () => checkAnswerDamage(codec, answer)),
    ]),
  ];
}

interface Read {
  readonly events: readonly StreamEvent[];
  /** Raw bytes of all frames. */
  readonly raw: string;
  /** Bytes as a gateway sends them: raw where there is any, else encoded. */
  readonly sent: string;
}

function read(codec: Codec, operation: Operation, pieces: readonly Buffer[], model?: string): Read {
  const decoder = codec.decoder(operation, model === undefined ? {} : { model });
  const encoder = codec.encoder(operation, { model: 'ours', requestId: 'r', createdS: 1 });
  const events: StreamEvent[] = [];
  let raw = '';
  let sent = '';
  const take = (frame: Frame) => {
    events.push(...frame.events);
    const bytes = frame.raw === undefined ? '' : Buffer.from(frame.raw).toString('latin1');
    raw += bytes;
    sent += frame.raw === undefined ? Buffer.from(encoder.encode(frame.events)).toString('latin1') : bytes;
  };
  try {
    for (const piece of pieces) take(decoder.push(piece));
    take(decoder.end());
  } catch (error) {
    assert.ok(error instanceof Fault, `only faults are thrown, not ${toFault(error).details.internal}`);
    events.push({ type: 'error', fault: error });
  }
  return { events, raw: utf8(raw), sent: utf8(sent) };
}

/** Bytes were kept as latin1, so that characters cut in two come together again. */
function utf8(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString('utf8');
}

function told(event: StreamEvent): string {
  return JSON.stringify(event.type === 'error' ? { type: 'error', code: event.fault.code } : event);
}

const saysSomething = (event: StreamEvent) => event.type === 'delta' || event.type === 'finish';
const tellings = (events: readonly StreamEvent[]) => events.map(told).join('\n');
const said = (events: readonly StreamEvent[]) => tellings(events.filter(saysSomething));

function textIn(events: readonly StreamEvent[]): string {
  return events.map(event => (event.type === 'delta' ? event.text : '')).join('');
}

function cut(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const ends = [...cuts, bytes.length];
  // Copies: what is handed out must not depend on bytes of a neighbour.
  return ends.map((end, index) => Buffer.from(bytes.subarray(ends[index - 1] ?? 0, end)));
}

function checkWhole(codec: Codec, { operation, bytes, raw, text, usage }: StreamFixture): void {
  const whole = read(codec, operation, [bytes]);
  assert.equal(whole.raw, raw);
  assert.equal(textIn(whole.events), text);
  assert.ok(!whole.events.some(event => event.type === 'error'));
  const reports = whole.events.filter(event => event.type === 'usage');
  assert.deepEqual(reports.at(-1)?.usage, usage);
  assert.equal(whole.events.at(-1)?.type, 'done');
  for (const [index, report] of reports.entries()) {
    const before = reports[index - 1]?.usage;
    if (before) assert.ok((report.usage.outputTokens ?? 0) >= (before.outputTokens ?? 0), 'counts only grow');
  }
  // A frame's raw bytes say exactly the events of that frame: read again, they are those events.
  assert.equal(said(read(codec, operation, [Buffer.from(whole.raw)]).events), said(whole.events));
}

function checkCuts(codec: Codec, { operation, bytes, raw }: StreamFixture, seed: number): void {
  const whole = tellings(read(codec, operation, [bytes]).events);
  const same = (cuts: readonly number[]) => {
    const parts = read(codec, operation, cut(bytes, cuts));
    assert.ok(tellings(parts.events) === whole, `events differ when cut at ${cuts.slice(0, 20)}`);
    assert.ok(parts.raw === raw, `raw bytes differ when cut at ${cuts.slice(0, 20)}`);
  };
  same(Array.from({ length: bytes.length - 1 }, (_, index) => index + 1));
  if (bytes.length <= EVERY_OFFSET_BYTES_MAX) {
    for (let at = 0; at <= bytes.length; at += 1) same([at]);
    return;
  }
  const random = randomFrom(seed);
  for (let round = 0; round < RANDOM_CUTS; round += 1) {
    const count = 1 + random(round % 2 === 0 ? 4 : 200);
    same(Array.from({ length: count }, () => random(bytes.length)).sort((a, b) => a - b));
  }
}

/** The same stream as other servers would have sent it. */
function checkDress(codec: Codec, { operation, bytes }: StreamFixture): void {
  const text = bytes.toString('utf8');
  const { events } = read(codec, operation, [bytes]);
  const whole = tellings(events);
  const words = said(events);
  const endMark = codec.encoder(operation, { model: 'ours', requestId: 'r', createdS: 1 }).done();
  const dresses = {
    CRLF: text.replaceAll('\n', '\r\n'),
    CR: text.replaceAll('\n', '\r'),
    'a byte order mark': `\uFEFF${text}`,
    comments: `: hello\n\n${text.replaceAll('\n\n', '\n\n: keep-alive\n\n')}`,
    'comments within events': text.replaceAll('data: ', ': x\ndata: '),
    'no space after the colon': text.replaceAll('data: ', 'data:'),
    'ids, names and retries': text.replaceAll('data: ', 'id: 7\nretry: 10\ndata: '),
    'many blank lines': text.replaceAll('\n\n', '\n\n\n\n'),
    'no last blank line': text.trimEnd(),
  };
  for (const [name, dressed] of Object.entries(dresses)) {
    const input = Buffer.from(dressed);
    const step = input.length > 20_000 ? 13 : 1;
    const pieces = cut(
      input,
      Array.from({ length: Math.floor((input.length - 1) / step) }, (_, index) => (index + 1) * step),
    );
    const [seen, piecewise] = [read(codec, operation, [input]), read(codec, operation, pieces)];
    assert.ok(tellings(seen.events) === whole, `events differ with ${name}`);
    assert.ok(tellings(piecewise.events) === whole, `events differ with ${name}, in small pieces`);
    assert.ok(piecewise.raw === seen.raw, `raw bytes differ with ${name}, in small pieces`);
    assert.doesNotMatch(seen.raw, /^:/m, 'comments of an upstream are not forwarded');
    // What we write after the raw bytes must not run into them.
    const closed = read(codec, operation, [Buffer.from(seen.raw + endMark)]);
    assert.ok(said(closed.events) === words, `raw bytes say something else with ${name}`);
    assert.equal(closed.events.at(-1)?.type, 'done');
  }
}

function checkRewritten(codec: Codec, { operation, bytes }: StreamFixture): void {
  const { events } = read(codec, operation, [bytes]);
  const encoder = codec.encoder(operation, { model: 'ours', requestId: 'r', createdS: 1 });
  const again = read(codec, operation, [Buffer.from(encoder.encode(events))]);
  assert.equal(said(again.events), said(events));
  assert.ok(!again.events.some(event => event.type === 'usage'), 'usage is not written with the events');
}

function checkRenamed(codec: Codec, { operation, bytes, model }: StreamFixture): void {
  const ours = 'ours/renamed';
  const before = read(codec, operation, [bytes]);
  assert.equal(read(codec, operation, [bytes], model).raw, before.raw, 'under its own name it goes on as it is');
  const after = read(codec, operation, [bytes], ours);
  const expected = before.raw.replaceAll(JSON.stringify(model), JSON.stringify(ours));
  assert.deepEqual(payloads(after.sent), payloads(expected));
  assert.equal(textIn(after.events), textIn(before.events));
}

function payloads(text: string): readonly unknown[] {
  return text
    .split(/\n\n+/)
    .filter(event => event !== '')
    .map(event => JSON.parse(event.replace(/^data: ?/, '')));
}

/** An upstream that dies at any byte, and bytes that were damaged on the way. */
function checkDamage(codec: Codec, { operation, bytes }: StreamFixture, seed: number): void {
  const random = randomFrom(seed);
  const whole = said(read(codec, operation, [bytes]).events);
  const step = Math.max(1, Math.floor(bytes.length / 300));
  for (let at = 0; at < bytes.length; at += step) {
    const seen = read(codec, operation, [bytes.subarray(0, at)]);
    assert.ok(whole.startsWith(said(seen.events)), `cut off at ${at}, what was said is no beginning of the whole`);
  }
  for (let round = 0; round < 200; round += 1) {
    const damaged = Buffer.from(bytes.subarray(0, 20_000));
    for (let hits = 1 + random(4); hits > 0; hits -= 1) damaged[random(damaged.length)] = random(256);
    const seen = read(codec, operation, [damaged]);
    for (const event of seen.events) {
      if (event.type === 'usage')
        for (const count of Object.values(event.usage)) assert.ok(Number.isInteger(count) && count >= 0);
    }
  }
  const short = codec.decoder(operation, { lineBytesMax: 16 });
  assert.throws(() => short.push(bytes), Fault, 'a line beyond the limit is refused');
}

function checkAdded(codec: Codec, { operation, bytes, usage, model }: StreamFixture): void {
  const encoder = codec.encoder(operation, { model, requestId: 'r', createdS: 1 });
  encoder.observe(read(codec, operation, [bytes]).events);
  const settled = settledBy(usage);
  const last = encoder.usage({ usage: settled, cost: COST });
  assert.ok(last.includes(COST.amount) && last.includes(COST.currency));
  const { events } = read(codec, operation, [Buffer.from(last + encoder.done())]);
  assert.deepEqual(
    events.map(event => event.type),
    ['usage', 'done'],
  );
  const [seen] = events;
  assert.deepEqual(seen?.type === 'usage' && seen.usage, settled);
  for (const code of ['insufficient_funds', 'capacity', 'upstream_error'] as const) {
    const failed = read(codec, operation, [Buffer.from(encoder.fault(new Fault(code), 'r-1'))]);
    assert.equal(failed.events.at(-1)?.type, 'error');
  }
}

/** What a gateway makes of a report: all counts are there. */
function settledBy(usage: ReportedUsage | undefined): TokenUsage {
  const none = { inputTokens: 7, cachedInputTokens: 3, outputTokens: 5, reasoningTokens: 2 };
  if (usage === undefined) return none;
  const {
    inputTokens = none.inputTokens,
    outputTokens = none.outputTokens,
    cachedInputTokens,
    reasoningTokens,
  } = usage;
  return { inputTokens, cachedInputTokens, outputTokens, reasoningTokens };
}

function checkAnswer(codec: Codec, { operation, bytes, text, usage }: AnswerFixture): void {
  const answer = codec.decodeResponse(operation, bytes);
  assert.deepEqual(answer.usage, usage);
  assert.equal(answer.text, text);
}

function checkAnswerRewritten(codec: Codec, { operation, bytes, usage }: AnswerFixture): void {
  const answer = codec.decodeResponse(operation, bytes);
  const settled = settledBy(usage);
  const written = codec.encodeResponse(answer, { usage: settled, cost: COST, model: 'ours' });
  const again = codec.decodeResponse(operation, Buffer.from(written));
  assert.deepEqual(again.usage, settled);
  assert.equal(again.text, answer.text);
  const kept = Object.entries(answer.body).filter(([key]) => key !== 'usage' && key !== 'model');
  for (const [key, value] of kept) assert.deepEqual(again.body[key], value, `${key} was lost`);
  assert.ok(written.includes(JSON.stringify(COST)));
}

function checkAnswerDamage(codec: Codec, { operation, bytes }: AnswerFixture): void {
  const end = bytes.toString('utf8').trimEnd().length - 1;
  for (const at of [0, 1, Math.floor(end / 2), end]) {
    assert.throws(() => codec.decodeResponse(operation, Buffer.from(bytes.toString('utf8').slice(0, at))), Fault);
  }
}

/** Mulberry32: small, seeded, and the same everywhere. @returns a number below `bound`. */
function randomFrom(seed: number): (bound: number) => number {
  let state = seed;
  return bound => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  };
}
