import { pathText } from '@millrace/contract';
import type { Context, Hono } from 'hono';
import type * as z from 'zod';
import { Fault } from '../ground/std/index.ts';
import type { Principal } from '../people/identity/index.ts';
import { check } from './issue-text.ts';
import { type Lang, langOfHeader } from './language.ts';

/** `owner`: the socket that only the owner of the home may open. `public`: what gateway threads hand on from the network. */
export type Access = 'owner' | 'public';

export interface ControlEnv {
  Variables: {
    readonly lang: Lang;
    /** Who asks; undefined: nobody we know. */
    readonly principal: Principal | undefined;
  };
}
export type ControlContext = Context<ControlEnv>;
export type ControlApp = Hono<ControlEnv>;

/** Largest body: a configuration of ten thousand objects passes. */
export const BODY_BYTES_MAX = 8 * 1024 * 1024;

/** The reader's language: `?lang=` wins, so that a link can carry it. */
export function langOf(c: Context): Lang {
  const asked = c.req.query('lang');
  return asked === 'en' || asked === 'zh' ? asked : langOfHeader(c.req.header('accept-language'));
}

/** The JSON body by its schema; an empty body is `{}`. Throws `malformed_request`, `payload_too_large` or `invalid_parameter`. */
export async function readBody<S extends z.ZodType>(c: ControlContext, schema: S): Promise<z.output<S>> {
  const bytes = await bodyOf(c.req.raw);
  let value: unknown = {};
  try {
    if (bytes.length > 0) value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new Fault('malformed_request', {
      message: 'The body is not JSON in UTF-8',
      messageZh: '请求体不是 UTF-8 编码的 JSON',
      cause,
    });
  }
  return valid(schema, value);
}

/** All of it, within {@link BODY_BYTES_MAX}, whether its length was told or not. */
async function bodyOf(request: Request): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of request.body ?? []) {
    bytes += part.length;
    if (bytes > BODY_BYTES_MAX) throw bodyTooLarge();
    parts.push(part);
  }
  return Buffer.concat(parts);
}

export function bodyTooLarge(): Fault {
  return new Fault('payload_too_large', {
    message: `The body is larger than ${BODY_BYTES_MAX / 1_048_576} MiB`,
    messageZh: `请求体超过 ${BODY_BYTES_MAX / 1_048_576} MiB`,
  });
}

/** The query by its schema, with what is `fixed`; a parameter that stands twice is refused. Throws `invalid_parameter`. */
export function readQuery<S extends z.ZodType>(
  c: ControlContext,
  schema: S,
  fixed: Readonly<Record<string, string>> = {},
): z.output<S> {
  const query = new Map(Object.entries(fixed));
  for (const [name, values] of Object.entries(c.req.queries())) {
    if (values.length > 1)
      throw new Fault('invalid_parameter', {
        message: `${name}: stands twice`,
        messageZh: `${name}：重复`,
        param: name,
      });
    // The language may be asked for anywhere.
    if (name !== 'lang') query.set(name, values[0] ?? '');
  }
  return valid(schema, Object.fromEntries(query));
}

function valid<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const checked = check(schema, value);
  if (checked.ok) return checked.value;
  const [first] = checked.issues;
  const path = pathText(first?.path ?? []);
  const [en, zh] = [first?.words.en ?? '', first?.words.zh ?? ''];
  throw new Fault('invalid_parameter', {
    message: path === '' ? `The body ${en}` : `${path}: ${en}`,
    messageZh: path === '' ? `请求体${zh}` : `${path}：${zh}`,
    param: path,
  });
}
