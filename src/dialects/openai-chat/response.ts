import { Fault } from '../../std/index.ts';
import type { Answer, Operation, UsageStamp } from '../codec.ts';
import { isArray, isObject, parseJson } from '../json.ts';
import { reasoningOf, textOf, toolTextOf } from './said.ts';
import { errorFault, findError } from './upstream-error.ts';
import { readUsage, writeUsage } from './usage.ts';

/** Reads a whole answer. Throws the fault that an error body means, or `upstream_error` where it is no answer. */
export function decodeResponse(operation: Operation, bytes: Uint8Array): Answer {
  const body = parseJson(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8'));
  if (!isObject(body)) throw new Fault('upstream_error', { internal: 'the answer is no JSON object' });
  const error = findError(body);
  if (error) throw errorFault(error, 200);
  const list = operation === 'embeddings' ? body['data'] : body['choices'];
  if (!isArray(list))
    throw new Fault('upstream_error', {
      internal: `the answer has no ${operation === 'embeddings' ? 'data' : 'choices'}`,
    });
  const usage = isObject(body['usage']) ? readUsage(body['usage']) : undefined;
  let text = '';
  if (operation !== 'embeddings') {
    for (const choice of list) {
      if (!isObject(choice)) continue;
      const said = choice['message'];
      if (isObject(said)) text += reasoningOf(said) + textOf(said) + (toolTextOf(said) ?? '');
      else if (typeof choice['text'] === 'string') text += choice['text'];
    }
  }
  return { body, ...(usage ? { usage } : {}), text };
}

/** The answer with the model name that the client knows, and what it cost. */
export function encodeResponse({ body }: Answer, stamp: UsageStamp & { readonly model: string }): string {
  const { usage: own } = body;
  const source = stamp.source ?? (isObject(own) ? own : undefined);
  const usage = writeUsage(
    source === undefined ? stamp : { ...stamp, source },
    isArray(body['data']) ? 'embeddings' : 'tokens',
  );
  return JSON.stringify({ ...body, model: stamp.model, usage });
}
