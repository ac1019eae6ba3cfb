import { Fault } from '../../std/index.ts';
import type { JsonObject, JsonValue } from '../codec.ts';
import { isObject } from '../json.ts';

/** An error object that an upstream put where an answer should be (status 200 and an error body; an error inside a stream). */
export function findError(body: {
  readonly error?: JsonValue | undefined;
  readonly choices?: JsonValue | undefined;
  readonly base_resp?: JsonValue | undefined;
  readonly [key: string]: unknown;
}): JsonObject | undefined {
  if (isObject(body.error)) return body.error;
  if (typeof body.error === 'string' && body.error !== '') return { message: body.error };
  // MiniMax says errors in `base_resp` with a status code that is not 0.
  if (
    isObject(body.base_resp) &&
    typeof body.base_resp['status_code'] === 'number' &&
    body.base_resp['status_code'] !== 0
  ) {
    return { message: body.base_resp['status_msg'] ?? null, code: body.base_resp['status_code'] };
  }
  return undefined;
}

const CONTEXT =
  /context.?length|maximum context|too many tokens|prompt is too long|tokens_too_long|exceeds? the (?:model|context)/i;
/** Money and keys of the operator's account at the vendor: ours to mend, never told as the client's own 401 or 402. */
const ACCOUNT = /balance|quota.*(?:money|billing)|billing|arrear|overdue|payment|invalid.?api.?key|unauthori[sz]ed/i;
const BUSY = /overload|rate.?limit|too many requests|capacity|busy|insufficient_quota/i;
const WORDS_MAX = 500;

/** What an upstream's error means for the client. `status` is 200 where the error came inside an answer. */
export function errorFault(error: JsonObject, status: number, retryAfterMs?: number): Fault {
  const message = typeof error['message'] === 'string' ? error['message'] : '';
  const code = String(error['code'] ?? error['type'] ?? '');
  const internal = `upstream ${status} ${code}: ${message.slice(0, WORDS_MAX)}`;
  const later = retryAfterMs === undefined ? {} : { retryAfterMs };
  if (
    (status === 400 || status === 413 || status === 422 || status === 200) &&
    (CONTEXT.test(code) || CONTEXT.test(message))
  ) {
    return new Fault('context_length_exceeded', {
      message: publicWords(message) || 'The input is longer than the model can take',
      internal,
      param: 'messages',
    });
  }
  if (status === 401 || status === 402 || status === 403 || status === 404 || ACCOUNT.test(code))
    return new Fault('upstream_error', { internal });
  if (
    status === 429 ||
    status === 503 ||
    status === 529 ||
    (status === 200 && (BUSY.test(code) || BUSY.test(message)))
  ) {
    return new Fault('capacity', { internal, retryAfterMs: retryAfterMs ?? 1_000 });
  }
  if (status === 400 || status === 413 || status === 415 || status === 422) {
    const words = publicWords(message);
    const { param } = error;
    return new Fault('invalid_parameter', {
      ...(words === '' ? {} : { message: words }),
      internal,
      ...(typeof param === 'string' ? { param } : {}),
    });
  }
  if (status === 408 || status === 504) return new Fault('upstream_timeout', { internal, ...later });
  return new Fault('upstream_error', { internal, ...later });
}

/** An upstream's words, without what could name a host, an account or a key. */
function publicWords(text: string): string {
  return text
    .slice(0, WORDS_MAX)
    .replace(/https?:\/\/\S+/g, '…')
    .replace(/\b(?:sk|ak|key|org|acct|req)[-_][A-Za-z0-9_-]{6,}/g, '…');
}

/** Retry-After as seconds, a date, or in milliseconds (`retry-after-ms`, seen at OpenAI and Azure). */
export function retryAfterOf(headers: Readonly<Record<string, string | undefined>>, nowMs: number): number | undefined {
  const ms = Number(headers['retry-after-ms'] ?? Number.NaN);
  if (ms >= 0 && ms < 86_400_000) return Math.ceil(ms);
  const text = headers['retry-after'];
  if (text === undefined) return undefined;
  const seconds = Number(text);
  if (seconds >= 0 && seconds < 86_400) return Math.ceil(seconds * 1000);
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.min(86_400_000, Math.max(0, at - nowMs));
}
