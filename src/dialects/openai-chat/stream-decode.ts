import { createSseReader, Fault, type SseBatch } from '../../std/index.ts';
import type { Frame, JsonObject, JsonValue, Operation, ReportedUsage, StreamDecoder, StreamEvent } from '../codec.ts';
import { isArray, isObject, parseJson } from '../json.ts';
import { reasoningOf, type Said, textOf, toolTextOf } from './said.ts';
import { errorFault, findError } from './upstream-error.ts';
import { mergeUsage, readUsage } from './usage.ts';

export interface DecodeOptions {
  readonly rename: { readonly from: string; readonly to: string } | undefined;
  readonly lineBytesMax?: number;
}

/** Reads the stream of one answer. Raw bytes go on where every event of a chunk may pass as it is. */
export function createStreamDecoder(operation: Operation, { rename, lineBytesMax }: DecodeOptions): StreamDecoder {
  const reader = createSseReader(lineBytesMax === undefined ? {} : { lineBytesMax });
  let usage: ReportedUsage | undefined;
  let ended = false;

  const frameOf = (batch: SseBatch): Frame => {
    const events: StreamEvent[] = [];
    let plain = rename === undefined;
    let from = -1;
    let to = -1;
    for (const event of batch.events) {
      if (ended) break;
      const passes = readEvent(event.data, events);
      if (!passes) {
        // An event that says nothing to the client may stand before or after the raw bytes, not between them.
        continue;
      }
      if (passes === 'changed' || (to >= 0 && event.start !== to)) plain = false;
      if (from < 0) from = event.start;
      to = event.end;
    }
    if (batch.overflow)
      events.push({
        type: 'error',
        fault: new Fault('upstream_error', { internal: 'a line of the stream is beyond the limit' }),
      });
    return plain && from >= 0 ? { raw: batch.bytes.subarray(from, to), events } : { events };
  };

  /** Adds what an event says. Returns whether it goes to the client: as it came, changed, or not at all. */
  const readEvent = (data: string, events: StreamEvent[]): 'raw' | 'changed' | false => {
    if (data === '[DONE]') {
      ended = true;
      events.push({ type: 'done' });
      return false;
    }
    const chunk = parseJson(data);
    if (!isObject(chunk)) {
      if (data.trim() === '') return false;
      ended = true;
      events.push({
        type: 'error',
        fault: new Fault('upstream_error', {
          internal: `an event of the stream is no JSON object: ${data.slice(0, 80)}`,
        }),
      });
      return false;
    }
    const error = findError(chunk);
    if (error) {
      ended = true;
      events.push({ type: 'error', fault: errorFault(error, 200) });
      return false;
    }
    const reported = usageIn(chunk);
    if (reported) {
      const read = readUsage(reported);
      if (read) {
        usage = mergeUsage(usage, read);
        events.push({ type: 'usage', usage, source: reported });
      }
    }
    const choices = chunk['choices'];
    if (!isArray(choices) || choices.length === 0) return false;
    const source = reported || rename ? cleaned(chunk, rename?.to) : chunk;
    for (const choice of choices) if (isObject(choice)) readChoice(choice, { source, operation, events });
    return reported ? 'changed' : 'raw';
  };

  return { push: chunk => frameOf(reader.push(chunk)), end: () => frameOf(reader.end()) };
}

/** The usage object of a chunk: at the top, in the last choice (Moonshot), or in `x_groq`. */
function usageIn(chunk: JsonObject): JsonObject | undefined {
  if (isObject(chunk['usage'])) return chunk['usage'];
  const groq = chunk['x_groq'];
  if (isObject(groq) && isObject(groq['usage'])) return groq['usage'];
  const choices = chunk['choices'];
  const last = isArray(choices) ? choices.at(-1) : undefined;
  return isObject(last) && isObject(last['usage']) ? last['usage'] : undefined;
}

/** The chunk without usage, which goes out once and settled; with the model name that the client knows. */
function cleaned(chunk: JsonObject, model: string | undefined): JsonObject {
  const copy: Record<string, JsonValue | undefined> = { ...chunk };
  if (model !== undefined && 'model' in copy) copy['model'] = model;
  if (isObject(copy['usage'])) delete copy['usage'];
  const groq = copy['x_groq'];
  if (isObject(groq) && 'usage' in groq) copy['x_groq'] = { ...groq, usage: undefined };
  const choices = copy['choices'];
  if (isArray(choices))
    copy['choices'] = choices.map(choice =>
      isObject(choice) && isObject(choice['usage']) ? { ...choice, usage: undefined } : choice,
    );
  return copy;
}

function readChoice(
  choice: JsonObject,
  { source, operation, events }: { source: JsonObject; operation: Operation; events: StreamEvent[] },
): void {
  const index = typeof choice['index'] === 'number' ? choice['index'] : 0;
  if (operation === 'completions') {
    const text = typeof choice['text'] === 'string' ? choice['text'] : '';
    events.push({ type: 'delta', choice: index, kind: 'text', text, source });
  } else {
    const said: Said = isObject(choice['delta']) ? choice['delta'] : {};
    const reasoning = reasoningOf(said);
    const tool = toolTextOf(said);
    const text = textOf(said);
    if (reasoning !== '') events.push({ type: 'delta', choice: index, kind: 'reasoning', text: reasoning, source });
    if (tool !== undefined) events.push({ type: 'delta', choice: index, kind: 'tool', text: tool, source });
    if (text !== '' || (reasoning === '' && tool === undefined))
      events.push({ type: 'delta', choice: index, kind: text === '' ? 'other' : 'text', text, source });
  }
  const reason = choice['finish_reason'];
  if (typeof reason === 'string' && reason !== '') events.push({ type: 'finish', choice: index, reason, source });
}
