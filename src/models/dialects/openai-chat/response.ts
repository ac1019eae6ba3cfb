import { Fault } from '../../../ground/std/index.ts';
import type { Answer, JsonObject, JsonValue, Operation, ReportedUsage, UsageStamp } from '../codec.ts';
import { isArray, isObject, parseJson } from '../json.ts';
import { decodeErrorInside } from './fault-decode.ts';
import { reasoningOf, textOf, toolTextOf } from './said.ts';
import { findError } from './upstream-error.ts';
import { readUsage, UsageReports, usagesIn, writeUsage } from './usage.ts';
import { dropPrices, mayNamePrices } from './vendor-prices.ts';

/** A whole answer. Throws what an error body in place of an answer means, or `upstream_error` where it is neither. */
export function decodeResponse(operation: Operation, bytes: Uint8Array): Answer {
  const said = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  const body = parseJson(said);
  if (!isObject(body)) throw new Fault('upstream_error', { internal: 'the answer is no JSON object' });
  const error = findError(body);
  if (error) throw decodeErrorInside(error, 'answer');
  if (mayNamePrices(said)) dropPrices(body);
  const list = operation === 'embeddings' ? body['data'] : body['choices'];
  if (!isArray(list)) {
    throw new Fault('upstream_error', { internal: `the answer has neither an error nor what ${operation} answers` });
  }
  const text = operation === 'embeddings' ? '' : list.map(choiceText).join('');
  const usage = reportedIn(body);
  return usage === undefined ? { body, text } : { body, text, usage };
}

export function usageIn(bytes: Uint8Array): ReportedUsage | undefined {
  const body = parseJson(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
  return isObject(body) ? reportedIn(body) : undefined;
}

/**
 * The answer with the model name that the client asked for, and what it cost. Embeddings are known by their `data`, and
 * have no output to count.
 */
export function encodeResponse({ body }: Answer, stamp: UsageStamp & { readonly model: string }): string {
  const source = stamp.source ?? usagesIn(body)[0]?.usage;
  const kind = isArray(body['data']) ? 'embeddings' : 'tokens';
  const usage = writeUsage(source === undefined ? stamp : { ...stamp, source }, kind);
  return JSON.stringify({ ...body, model: stamp.model, usage });
}

function choiceText(choice: JsonValue): string {
  if (!isObject(choice)) return '';
  const { message, text } = choice;
  if (isObject(message)) return reasoningOf(message) + textOf(message) + (toolTextOf(message) ?? '');
  return typeof text === 'string' ? text : '';
}

function reportedIn(body: JsonObject): ReportedUsage | undefined {
  const reports = new UsageReports();
  for (const found of usagesIn(body)) {
    const usage = readUsage(found.usage);
    if (usage) reports.add(found, usage);
  }
  return reports.sum();
}
