import type { HttpExchange } from '../server/index.ts';
import { fieldsOf } from './field-values.ts';

/** How long a browser may remember what it was allowed. */
const MAX_AGE_S = 600;

/**
 * Lets pages of these origins, and of no other, call the model API from a browser. Without cookies: a page must have a key to send.
 * True where the request was a preflight and is answered.
 */
export function allowOrigin(http: HttpExchange, origins: ReadonlySet<string>): boolean {
  const { method, origin } = http.head;
  if (origin === undefined || !origins.has(origin)) return false;
  http.addLines(`access-control-allow-origin: ${origin}\r\naccess-control-expose-headers: *\r\nvary: origin\r\n`);
  if (method !== 'OPTIONS') return false;
  const wanted = fieldsOf(http.head).find(([name]) => name === 'access-control-request-headers')?.[1];
  http.begin(204, [
    ...['access-control-allow-methods', 'GET, POST'],
    ...(wanted === undefined ? [] : ['access-control-allow-headers', wanted]),
    ...['access-control-max-age', String(MAX_AGE_S)],
  ]);
  http.end();
  return true;
}
