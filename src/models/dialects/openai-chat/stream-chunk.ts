import { Fault } from '../../../ground/std/index.ts';
import type { JsonObject, JsonValue, StreamEvent } from '../codec.ts';
import { isArray, isObject, parseJson } from '../json.ts';
import { decodeErrorInside } from './fault-decode.ts';
import { reasoningOf, type Said, textOf, toolTextOf } from './said.ts';
import { findError } from './upstream-error.ts';
import { type FoundUsage, readUsage, UsageReports, usagesIn } from './usage.ts';
import { dropPrices, mayNamePrices } from './vendor-prices.ts';

/** How an event goes on to the client: as the bytes it came in, written anew from its `source`, or not at all. */
export type Passage = 'raw' | 'changed' | 'none';

/** A parsed chunk. It is ours alone, so fields that must not go on are set to undefined in place, which JSON leaves out. */
interface Chunk {
  model?: JsonValue | undefined;
  choices?: JsonValue | undefined;
  usage?: JsonValue | undefined;
  x_groq?: JsonValue | undefined;
  readonly error?: JsonValue | undefined;
  readonly base_resp?: JsonValue | undefined;
  readonly object?: JsonValue | undefined;
}

interface Choice {
  usage?: JsonValue | undefined;
  readonly index?: JsonValue | undefined;
  readonly delta?: JsonValue | undefined;
  readonly message?: JsonValue | undefined;
  readonly text?: JsonValue | undefined;
  readonly finish_reason?: JsonValue | undefined;
}

/** Reads the payloads of one stream. Keeps the largest usage reported so far, nothing of the answer. */
export interface ChunkReader {
  /** Adds to `events` what a payload says. Throws Fault `upstream_error` where it is a broken one. */
  read(data: string, events: StreamEvent[]): Passage;
}

/** `modelName`: what goes on as the model, whatever the upstream writes. */
export function createChunkReader(modelName: string | undefined): ChunkReader {
  let known: UsageReports | undefined;

  function tellUsage(reports: readonly FoundUsage[], events: StreamEvent[]): void {
    for (const found of reports) {
      const counts = readUsage(found.usage);
      if (counts === undefined) continue;
      known ??= new UsageReports();
      known.add(found, counts);
      const usage = known.sum();
      if (usage) events.push({ type: 'usage', usage, source: found.usage });
    }
  }

  function read(data: string, events: StreamEvent[]): Passage {
    const source = parseJson(data);
    if (!isObject(source)) return readOther(data, source, events);
    const chunk: Chunk = source;
    let changed = mayNamePrices(data) && dropPrices(source);
    const { choices } = chunk;
    if (!isArray(choices) || chunk.error != null || chunk.base_resp != null) {
      const error = findError(source);
      if (error) {
        tellUsage(usagesIn(source), events);
        events.push({ type: 'error', fault: decodeErrorInside(error, 'stream') });
        return 'none';
      }
    }
    let reports: readonly FoundUsage[] = NO_REPORTS;
    let holdsReport = false;
    if (chunk.usage != null || chunk.x_groq != null || hasChoiceUsage(choices)) {
      reports = usagesIn(source);
      // Every report is taken out of the chunk: usage goes to the client once, settled and with its cost.
      holdsReport = reports.length > 0 || chunk.usage != null;
      if (holdsReport) changed = withoutUsage(chunk);
    }
    if (modelName !== undefined && typeof chunk.model === 'string' && chunk.model !== modelName) {
      // Vendors answer with dated names, and some with those of their own suppliers.
      chunk.model = modelName;
      changed = true;
    }
    if (!isArray(choices) && !holdsReport && (typeof chunk.object !== 'string' || !CHUNKS.test(chunk.object))) {
      events.push({ type: 'foreign', source });
      return changed ? 'changed' : 'raw';
    }
    if (isArray(choices) && choices.length > 0) {
      for (let at = 0; at < choices.length; at += 1) readChoice(choices[at], at, source, events);
      tellUsage(reports, events);
    } else {
      tellUsage(reports, events);
      if (holdsReport) return 'none';
      // Azure opens with such a chunk, which carries the findings of its prompt filter.
      events.push({ type: 'delta', choice: 0, kind: 'other', text: '', source });
    }
    return changed ? 'changed' : 'raw';
  }

  return { read };
}

const NO_REPORTS: readonly FoundUsage[] = [];
const CHUNKS = /^(?:chat\.completion|text_completion)/;
const INDEX_MAX = 1_000_000;

function notThisDialect(internal: string): Fault {
  return new Fault('upstream_error', { internal: `the stream is not of the OpenAI chat dialect: ${internal}` });
}

/**
 * What is no object: the end mark, a sign of life (nothing, `null`, a word), which no client could read as a chunk and so does not
 * go on, or a chunk that was broken on its way, of which nobody knows what it said.
 */
function readOther(data: string, value: JsonValue | undefined, events: StreamEvent[]): Passage {
  const text = data.trim();
  if (text === '[DONE]') events.push({ type: 'done' });
  else if (value === undefined && /^[{["]/.test(text)) throw notThisDialect('an event is broken JSON');
  return 'none';
}

function hasChoiceUsage(choices: JsonValue | undefined): boolean {
  if (!isArray(choices)) return false;
  for (const choice of choices) if (isObject(choice) && choice['usage'] != null) return true;
  return false;
}

/** Always true: the chunk is no longer what its bytes say. */
function withoutUsage(chunk: Chunk): true {
  chunk.usage = undefined;
  if (isObject(chunk.x_groq)) chunk.x_groq = { ...chunk.x_groq, usage: undefined };
  if (isArray(chunk.choices)) {
    for (const choice of chunk.choices) {
      if (isObject(choice)) {
        const own: Choice = choice;
        if (own.usage != null) own.usage = undefined;
      }
    }
  }
  return true;
}

function readChoice(value: JsonValue | undefined, at: number, source: JsonObject, events: StreamEvent[]): void {
  if (!isObject(value)) {
    events.push({ type: 'delta', choice: at, kind: 'other', text: '', source });
    return;
  }
  const { index, delta, message, text: plain, finish_reason: reason }: Choice = value;
  const choice = typeof index === 'number' && Number.isInteger(index) && index >= 0 && index <= INDEX_MAX ? index : at;
  const before = events.length;
  if (typeof plain === 'string') {
    if (plain !== '') events.push({ type: 'delta', choice, kind: 'text', text: plain, source });
  } else {
    // Vendors that end a stream by the whole answer repeat in `message` what the deltas said.
    const said: Said | undefined = isObject(delta) ? delta : isObject(message) ? message : undefined;
    if (said !== undefined) readSaid(said, choice, source, events);
  }
  if (typeof reason === 'string' && reason !== '') events.push({ type: 'finish', choice, reason, source });
  if (events.length === before) events.push({ type: 'delta', choice, kind: 'other', text: '', source });
}

function readSaid(said: Said, choice: number, source: JsonObject, events: StreamEvent[]): void {
  const reasoning = reasoningOf(said);
  if (reasoning !== '') events.push({ type: 'delta', choice, kind: 'reasoning', text: reasoning, source });
  const text = textOf(said);
  if (text !== '') events.push({ type: 'delta', choice, kind: 'text', text, source });
  const tool = toolTextOf(said);
  if (tool !== undefined) events.push({ type: 'delta', choice, kind: 'tool', text: tool, source });
}
