import type { Fault } from '../../ground/std/index.ts';
import type { Codec, UsageStamp } from '../../models/dialects/index.ts';
import type { HttpResponse } from '../server/index.ts';

export type Lang = 'en' | 'zh';

/** The reader's language, by Accept-Language: Chinese where it is asked for first. */
export function langOf(acceptLanguage: string | undefined): Lang {
  return acceptLanguage !== undefined && /^\s*zh\b/i.test(acceptLanguage) ? 'zh' : 'en';
}

export function costText({ currency, amount }: UsageStamp['cost']): string {
  return `${currency} ${amount}`;
}

/** Headers of every answer of the data plane, flat. */
export function baseHeaders(requestId: string, more: readonly string[]): string[] {
  return ['x-request-id', requestId, ...more];
}

export function sendJson(
  res: HttpResponse,
  status: number,
  { body, headers }: { readonly body: string; readonly headers: readonly string[] },
): void {
  res.send(status, [...headers, 'content-type', 'application/json'], body);
}

export function sendFault(
  res: HttpResponse,
  fault: Fault,
  {
    codec,
    requestId,
    lang,
    headers,
  }: { readonly codec: Codec; readonly requestId: string; readonly lang: Lang; readonly headers: readonly string[] },
): void {
  if (res.headSent || res.isGone) return;
  const rendered = codec.encodeFault(fault, { requestId, lang });
  // The fault's own headers (its limit headers among them) win over those of the request.
  const own = new Set(Object.keys(rendered.headers).map(name => name.toLowerCase()));
  const flat: string[] = [];
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const name = headers[index] ?? '';
    if (!own.has(name)) flat.push(name, headers[index + 1] ?? '');
  }
  for (const [name, value] of Object.entries(rendered.headers)) flat.push(name, value);
  if (!own.has('content-type')) flat.push('content-type', 'application/json');
  res.send(rendered.status, flat, rendered.body);
}
