import { FAULTS } from '@millrace/contract/words';
import type { Fault } from '../../../ground/std/index.ts';
import type { JsonObject, RenderedFault } from '../codec.ts';

/** The error object as OpenAI's clients read it, with our request id beside. */
export function errorObject(fault: Fault, requestId: string, lang: 'en' | 'zh'): JsonObject {
  return {
    message: fault.messageIn(lang),
    type: FAULTS[fault.code].openaiType,
    param: fault.details.param ?? null,
    code: fault.details.publicCode ?? fault.code,
    request_id: requestId,
  };
}

/**
 * A fault as an answer. `Retry-After` is in whole seconds, rounded up so that nobody comes too early; 429 and 503 always
 * carry it, 402 never: no wait fills a wallet.
 */
export function encodeFault(
  fault: Fault,
  { requestId, lang }: { readonly requestId: string; readonly lang: 'en' | 'zh' },
): RenderedFault {
  const { retryAfterMs, headers } = fault.details;
  const { status } = fault;
  const waits = status === 429 || status === 503;
  const waitMs = status === 402 ? undefined : (retryAfterMs ?? (waits ? 1_000 : undefined));
  return {
    status,
    headers: {
      ...headers,
      'content-type': 'application/json',
      ...(waitMs === undefined ? {} : { 'retry-after': String(Math.max(1, Math.ceil(waitMs / 1000))) }),
    },
    body: JSON.stringify({ error: errorObject(fault, requestId, lang) }),
  };
}
