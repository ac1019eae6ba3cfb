import type { Dispatcher } from 'undici';
import type { Upstream } from '../../catalog/index.ts';
import { type Clock, type Egress, Fault, type Log, silentLog, toFault } from '../../std/index.ts';
import { Call } from './call.ts';
import { type Connections, createConnections } from './connections.ts';
import { createDeadlines } from './deadlines.ts';
import type { UpstreamCall, UpstreamRequest, UpstreamSink } from './upstream.ts';

export interface Upstreams {
  /** Never throws, and calls nothing on the sink before it returned. */
  send(request: UpstreamRequest, sink: UpstreamSink): UpstreamCall;
  /** Connections that are open, and those of them that carry a request now. */
  counts(): { readonly open: number; readonly inUse: number };
  /** Closes all connections. What is still running fails as `unavailable`. */
  close(): Promise<void>;
}

/** Headers a request may add; whatever else is given is a mistake in our own code. */
const HEADERS_ALLOWED: ReadonlySet<string> = new Set([
  'accept',
  'idempotency-key',
  'openai-organization',
  'openai-project',
  'traceparent',
  'tracestate',
  'x-request-id',
]);

/** What an upstream's row of data means on the wire; worked out once per row. */
interface Route {
  readonly connections: Connections;
  readonly basePath: string;
  readonly search: string;
  readonly headers: string[];
}

/** Sends requests to engines and vendors over kept connections. Pushed: bytes reach the sink in the turn they arrive. */
export function createUpstreams({
  egress,
  clock,
  log = silentLog,
}: {
  readonly egress: Egress;
  readonly clock: Clock;
  readonly log?: Log;
}): Upstreams {
  const deadlines = createDeadlines(clock);
  const shared = { deadlines, log };
  const routes = new WeakMap<Upstream, Route | Fault>();
  const pools = new Map<string, Connections>();
  let closed = false;

  const poolOf = (upstream: Upstream): Route | Fault => {
    try {
      const target = egress.target(upstream.baseUrl, upstream);
      // The provider is part of the key: connections, like keys, are never shared between providers of one host. So is the
      // permission: what was opened under it is not used without it.
      const key = `${upstream.providerId} ${upstream.allowPrivateNetwork} ${upstream.baseUrl}`;
      let connections = pools.get(key);
      if (!connections) {
        for (const [name, pool] of pools) if (pool.open() === 0) pools.delete(name);
        connections = createConnections(target, clock.monotonicMs);
        pools.set(key, connections);
      }
      return { connections, basePath: target.basePath, search: target.search, headers: headersOf(upstream) };
    } catch (error) {
      const { message, details } = toFault(error);
      return new Fault('unavailable', { internal: details.internal ?? message, cause: error });
    }
  };
  const routeOf = (upstream: Upstream): Route | Fault => {
    let route = routes.get(upstream);
    if (!route) {
      route = poolOf(upstream);
      routes.set(upstream, route);
    }
    return route;
  };
  return {
    send(request, sink) {
      const call = new Call(sink, request.timeoutMs, shared);
      const route = closed ? closedFault() : routeOf(request.upstream);
      if (route instanceof Fault) {
        call.refuse(route);
        return call;
      }
      const extra = request.headers === undefined ? route.headers : withExtra(route.headers, request.headers);
      const connection = extra instanceof Fault ? undefined : route.connections.acquire();
      if (extra instanceof Fault) call.refuse(extra);
      else if (!connection)
        call.refuse(new Fault('unavailable', { internal: 'too many connections to this upstream' }));
      else call.start(connection, optionsOf(route, request, extra));
      return call;
    },
    counts() {
      let open = 0;
      let inUse = 0;
      for (const pool of pools.values()) {
        open += pool.open();
        inUse += pool.inUse();
      }
      return { open, inUse };
    },
    async close() {
      closed = true;
      for (const pool of pools.values()) pool.close();
      deadlines.close();
    },
  };
}

function optionsOf(route: Route, request: UpstreamRequest, headers: string[]): Dispatcher.DispatchOptions {
  return {
    method: 'POST',
    path: `${route.basePath}${request.path}${route.search}`,
    headers,
    body: request.body,
  };
}

function headersOf(upstream: Upstream): string[] {
  const headers = [
    ...['content-type', 'application/json', 'accept', 'application/json, text/event-stream'],
    ...['accept-encoding', 'identity', 'user-agent', 'millrace'],
  ];
  if (upstream.apiKey === undefined) return headers;
  if (!/^[\x21-\x7e]+$/.test(upstream.apiKey))
    throw new Fault('unavailable', { internal: `the key of provider ${upstream.providerId} is no header text` });
  return [...headers, 'authorization', `Bearer ${upstream.apiKey}`];
}

function withExtra(headers: readonly string[], extra: Readonly<Record<string, string>>): string[] | Fault {
  const all = [...headers];
  for (const [name, value] of Object.entries(extra)) {
    if (!HEADERS_ALLOWED.has(name)) return new Fault('internal', { internal: `header ${name} is not for upstreams` });
    const at = headers.indexOf(name);
    if (at >= 0) all[at + 1] = value;
    else all.push(name, value);
  }
  return all;
}

function closedFault(): Fault {
  return new Fault('unavailable', { internal: 'this node is shutting down' });
}
