import { FAULTS } from '@millrace/contract';
import type { Fault } from '../../std/index.ts';
import type { RenderedFault } from '../codec.ts';
import { isObject, parseJson } from '../json.ts';
import { errorFault, findError, retryAfterOf } from './upstream-error.ts';

/** A fault as OpenAI clients expect it: `{ error: { message, type, param, code } }`, with the request's id. */
export function encodeFault(
  fault: Fault,
  { requestId, lang }: { readonly requestId: string; readonly lang: 'en' | 'zh' },
): RenderedFault {
  const { retryAfterMs, headers = {}, param } = fault.details;
  const error = {
    message: fault.messageIn(lang),
    type: FAULTS[fault.code].openaiType,
    param: param ?? null,
    code: fault.code,
    request_id: requestId,
  };
  return {
    status: fault.status,
    headers: {
      'content-type': 'application/json',
      ...headers,
      ...(retryAfterMs === undefined ? {} : { 'retry-after': String(Math.max(1, Math.ceil(retryAfterMs / 1000))) }),
    },
    body: JSON.stringify({ error }),
  };
}

/** What an upstream's error answer means. */
export function decodeFault(
  status: number,
  headers: Readonly<Record<string, string | undefined>>,
  body: Uint8Array,
): Fault {
  const value = parseJson(Buffer.from(body).toString('utf8'));
  const error = isObject(value) ? (findError(value) ?? value) : { message: '' };
  return errorFault(error, status, retryAfterOf(headers, Date.now()));
}
