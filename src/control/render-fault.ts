import type { Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { type Log, toFault } from '../ground/std/index.ts';
import { ConfigFault } from './config-fault.ts';
import { langOf } from './context.ts';

/** Any thrown value as the answer: `{ error: { code, message, param } }` in the reader's language. Logged here, once, where it is ours. */
export function renderFault(log: Log, error: unknown, c: Context): Response {
  const fault = toFault(error);
  if (fault.status >= 500)
    log.error('control-failed', {
      method: c.req.method,
      path: c.req.path,
      code: fault.code,
      internal: fault.details.internal ?? fault.message,
    });
  for (const [name, value] of Object.entries(fault.details.headers ?? {})) c.header(name, value);
  if (fault.details.retryAfterMs !== undefined)
    c.header('retry-after', String(Math.max(1, Math.ceil(fault.details.retryAfterMs / 1000))));
  const lang = langOf(c);
  const message = fault.messageIn(lang);
  const status = fault.status as ContentfulStatusCode;
  const issues =
    fault instanceof ConfigFault ? fault.issues.map(({ path, words }) => ({ path, message: words[lang] })) : undefined;
  const param = fault.details.param ?? null;
  return c.json({ error: { code: fault.code, message, param, ...(issues ? { issues } : {}) } }, status);
}
