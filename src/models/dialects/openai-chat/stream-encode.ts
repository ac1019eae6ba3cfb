import type { JsonObject, JsonValue, Operation, StreamEncoder, StreamEvent, UsageStamp } from '../codec.ts';
import { errorObject } from './fault-encode.ts';
import { writeUsage } from './usage.ts';

/** Fields of the stream's own chunks that our usage chunk repeats, so that a client sees one stream and not two. */
const REPEATED = ['id', 'created', 'system_fingerprint', 'service_tier'] as const;

export interface EncodeOptions {
  readonly model: string;
  readonly requestId: string;
  readonly createdS: number;
  readonly lang?: 'en' | 'zh';
}

/** Writes a stream for a client. Several events of one chunk share its `source`, and go out as that one chunk. */
export function createStreamEncoder(operation: Operation, options: EncodeOptions): StreamEncoder {
  const { model, requestId, createdS, lang = 'en' } = options;
  const chat = operation === 'chat';
  let first: JsonObject | undefined;
  let reported: JsonObject | undefined;

  function observe(events: readonly StreamEvent[]): void {
    for (const event of events) {
      if (event.type === 'usage') reported = event.source ?? reported;
      else if (first === undefined && (event.type === 'delta' || event.type === 'finish'))
        first = repeated(event.source);
    }
  }

  function encode(events: readonly StreamEvent[]): string {
    observe(events);
    let text = '';
    let last: JsonObject | undefined;
    for (const event of events) {
      if ((event.type !== 'delta' && event.type !== 'finish') || event.source === last) continue;
      last = event.source;
      text += `data: ${JSON.stringify(last)}\n\n`;
    }
    return text;
  }

  function own(fields: JsonObject): string {
    const chunk = {
      id: `${chat ? 'chatcmpl' : 'cmpl'}-${requestId}`,
      object: chat ? 'chat.completion.chunk' : 'text_completion',
      created: createdS,
      ...first,
      model,
      ...fields,
    };
    return `data: ${JSON.stringify(chunk)}\n\n`;
  }

  function usage(stamp: UsageStamp): string {
    const source = stamp.source ?? reported;
    return own({
      choices: [],
      usage: writeUsage(source === undefined ? stamp : { ...stamp, source }, 'tokens'),
    });
  }

  function cut(choice: number): string {
    const said = chat ? { delta: {} } : { text: '' };
    return own({ choices: [{ index: choice, ...said, logprobs: null, finish_reason: 'length' }] });
  }

  return {
    observe,
    encode,
    cut,
    usage,
    fault: (fault, id) => `data: ${JSON.stringify({ error: errorObject(fault, id, lang) })}\n\n`,
    done: () => 'data: [DONE]\n\n',
  };
}

function repeated(source: JsonObject): JsonObject {
  const kept: Record<string, JsonValue> = {};
  for (const field of REPEATED) {
    const value = source[field];
    if (value !== undefined) kept[field] = value;
  }
  return kept;
}
