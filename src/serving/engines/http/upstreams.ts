import { type Clock, type Egress, Fault, type Log, silentLog, toFault } from '../../../ground/std/index.ts';
import type { Upstream } from '../../../models/catalog/index.ts';
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
  /** Every header of a request but its length. */
  readonly headers: string;
  /** Heads by path below the base: a codec has a handful. */
  readonly heads: Map<string, string>;
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
      return {
        connections,
        basePath: target.basePath,
        search: target.search,
        headers: headersOf(target.origin, upstream),
        heads: new Map(),
      };
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
      const route = closed ? closedFault() : routeOf(request.upstream);
      const head = route instanceof Fault ? route : headOf(route, request);
      const call = new Call(
        { head: head instanceof Fault ? '' : head, body: request.body, timeoutMs: request.timeoutMs },
        sink,
        shared,
      );
      if (head instanceof Fault) call.refuse(head);
      else if (!(route instanceof Fault) && !route.connections.send(call))
        call.refuse(new Fault('unavailable', { internal: 'too many connections to this upstream' }));
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
      for (const pool of pools.values()) pool.close(closedFault());
      deadlines.close();
    },
  };
}

/** The head of a request, all but its length. */
function headOf(route: Route, { path, headers }: UpstreamRequest): string | Fault {
  let head = route.heads.get(path);
  if (head === undefined) {
    const target = `${route.basePath}${path}${route.search}`;
    if (!/^\/[\x21-\x7e]*$/.test(target)) return new Fault('internal', { internal: 'a path that is none' });
    head = `POST ${target} HTTP/1.1\r\n${route.headers}`;
    route.heads.set(path, head);
  }
  return headers === undefined ? head : withExtra(head, headers);
}

function headersOf(origin: string, upstream: Upstream): string {
  const { apiKey } = upstream;
  if (apiKey !== undefined && !/^[\x21-\x7e]+$/.test(apiKey))
    throw new Fault('unavailable', { internal: `the key of provider ${upstream.providerId} is no header text` });
  return (
    `host: ${new URL(origin).host}\r\nconnection: keep-alive\r\ncontent-type: application/json\r\n` +
    'accept: application/json, text/event-stream\r\naccept-encoding: identity\r\nuser-agent: millrace\r\n' +
    (apiKey === undefined ? '' : `authorization: Bearer ${apiKey}\r\n`)
  );
}

function withExtra(head: string, extra: Readonly<Record<string, string>>): string | Fault {
  let all = head;
  for (const [name, value] of Object.entries(extra)) {
    if (!HEADERS_ALLOWED.has(name)) return new Fault('internal', { internal: `header ${name} is not for upstreams` });
    if (!/^[\x20-\x7e]*$/.test(value)) return new Fault('internal', { internal: `header ${name} is no text` });
    all += `${name}: ${value}\r\n`;
  }
  return all;
}

function closedFault(): Fault {
  return new Fault('unavailable', { internal: 'this node is shutting down' });
}
