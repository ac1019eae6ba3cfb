import { isIP } from 'node:net';
import { ROUTES } from '@millrace/contract';
import type { MiddlewareHandler } from 'hono';
import { Fault } from '../ground/std/index.ts';
import { OWNER } from '../people/identity/index.ts';
import { type Access, BODY_BYTES_MAX, bodyTooLarge, type ControlContext, type ControlEnv, langOf } from './context.ts';
import type { ControlDeps } from './deps.ts';
import { authorize } from './routes/authorize.ts';

type Middleware = MiddlewareHandler<ControlEnv>;

/** Set by gateway threads, who drop a client's own: empty where a proxy that is not trusted passed the request on. */
export const CLIENT_IP = 'x-millrace-client-ip';

export function isLoopback(address: string): boolean {
  const plain = address.startsWith('::ffff:') ? address.slice(7) : address;
  return plain === '::1' || (isIP(plain) === 4 && plain.startsWith('127.'));
}

/** A Host header without its port. */
function hostOf(header: string): string {
  return header
    .replace(/:\d+$/, '')
    .replace(/^\[|\]$/g, '')
    .toLowerCase();
}

/**
 * Against DNS rebinding: a node that listens on this machine alone answers only to the machine's own names, so that a web page
 * cannot reach it under a name of its own. A node bound publicly has names that we do not know.
 */
export function isOwnHost(header: string, boundTo: string): boolean {
  const host = hostOf(header);
  if (boundTo !== 'localhost' && !isLoopback(boundTo)) return true;
  return host === 'localhost' || host.endsWith('.localhost') || isLoopback(host) || host === boundTo;
}

/** The key that a request carries, of whatever kind. */
export function keyIn(c: ControlContext): string | undefined {
  return /^bearer +(\S+)$/i.exec(c.req.header('authorization') ?? '')?.[1];
}

/** First of all: language, who asks, and whether the request is one that we look at. */
export function guard({ identity, host }: ControlDeps, access: Access): Middleware {
  return async (c, next) => {
    c.set('lang', langOf(c));
    c.header('x-content-type-options', 'nosniff');
    if (access === 'public' && !isOwnHost(c.req.header('host') ?? '', host))
      throw new Fault('forbidden', {
        message: 'This node is not called by that name: use its address, or bind it publicly (MILLRACE_HOST)',
        messageZh: '本节点不以此名称提供服务：请使用其地址，或将其绑定到公共地址（MILLRACE_HOST）',
      });
    if (Number(c.req.header('content-length') ?? 0) > BODY_BYTES_MAX) throw bodyTooLarge();
    const key = keyIn(c);
    c.set('principal', access === 'owner' ? OWNER : key === undefined ? undefined : await identity.principalOf(key));
    await next();
  };
}

/** Whoever may see how the node fares. Throws `invalid_api_key`, the same whatever is wrong with the key, or `forbidden`. */
export const requireNodeRead: Middleware = async (c, next) => {
  const named = { params: new Map<string, string>(), query: new Map<string, string>() };
  authorize(ROUTES.node.status, c.get('principal'), named);
  await next();
};

/** As {@link requireNodeRead}, or a client on this machine: for what scrapes the node beside it. */
export const requireNodeReadOrLoopback: Middleware = async (c, next) => {
  if (isLoopback(c.req.header(CLIENT_IP) ?? '')) await next();
  else await requireNodeRead(c, next);
};
