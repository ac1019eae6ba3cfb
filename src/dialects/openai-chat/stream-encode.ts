import type { JsonObject, Operation, StreamEncoder, StreamEvent, UsageStamp } from '../codec.ts';
import { encodeFault } from './fault.ts';
import { writeUsage } from './usage.ts';

export interface EncodeOptions {
  readonly model: string;
  readonly requestId: string;
  readonly createdS: number;
  readonly lang?: 'en' | 'zh';
}

/** Writes a stream. Several events of one chunk share its `source` and go out as that one chunk. */
export function createStreamEncoder(
  operation: Operation,
  { model, requestId, createdS, lang = 'en' }: EncodeOptions,
): StreamEncoder {
  let head: { readonly id: unknown; readonly created: unknown } = { id: `chatcmpl-${requestId}`, created: createdS };
  let known = false;
  let reported: JsonObject | undefined;
  const observe = (events: readonly StreamEvent[]) => {
    for (const event of events) {
      if (event.type === 'usage') reported = event.source ?? reported;
      else if (!known && (event.type === 'delta' || event.type === 'finish') && event.source['id'] !== undefined) {
        head = { id: event.source['id'], created: event.source['created'] ?? createdS };
        known = true;
      }
    }
  };
  return {
    observe,
    encode(events) {
      observe(events);
      let text = '';
      let last: JsonObject | undefined;
      for (const event of events) {
        if ((event.type !== 'delta' && event.type !== 'finish') || event.source === last) continue;
        last = event.source;
        text += `data: ${JSON.stringify(event.source)}\n\n`;
      }
      return text;
    },
    usage(stamp: UsageStamp) {
      const object = operation === 'chat' ? 'chat.completion.chunk' : 'text_completion';
      const source = stamp.source ?? reported;
      const usage = writeUsage(source === undefined ? stamp : { ...stamp, source }, 'tokens');
      return `data: ${JSON.stringify({ id: head.id, object, created: head.created, model, choices: [], usage })}\n\n`;
    },
    fault: fault => `data: ${encodeFault(fault, { requestId, lang }).body}\n\n`,
    done: () => 'data: [DONE]\n\n',
  };
}
