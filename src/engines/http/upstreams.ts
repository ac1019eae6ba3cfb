import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { type Dispatcher, Pool } from 'undici';
import type { Upstream } from '../../catalog/index.ts';
import { type Clock, type Destination, type Egress, Fault } from '../../std/index.ts';
import type { UpstreamCall, UpstreamRequest, UpstreamSink } from './upstream.ts';

export interface Upstreams {
  send(request: UpstreamRequest, sink: UpstreamSink): UpstreamCall;
  close(): Promise<void>;
}

/** Idle sockets are kept this long; vendors' load balancers close at 60 s and more. */
const KEEP_ALIVE_MS = 50_000;
const CONNECTIONS_MAX = 8_192;
const HEADER_BYTES_MAX = 32_768;
/** Granularity of all timeouts: one timer for all requests of a thread, none per chunk. */
const TICK_MS = 100;

interface Origin {
  readonly pool: Pool;
  readonly basePath: string;
}

/** Sends requests to engines and vendors over kept connections. Push: bytes reach the sink in the turn they arrive. */
export function createUpstreams({ egress, clock }: { readonly egress: Egress; readonly clock: Clock }): Upstreams {
  const origins = new Map<string, Origin>();
  const watched = new Set<{ check(nowMs: number): void }>();
  let ticker: NodeJS.Timeout | undefined;
  const watch = (entry: { check(nowMs: number): void }) => {
    watched.add(entry);
    ticker ??= setInterval(() => {
      const now = clock.monotonicMs();
      for (const each of watched) each.check(now);
      if (watched.size === 0) {
        clearInterval(ticker);
        ticker = undefined;
      }
    }, TICK_MS);
  };

  const originOf = (upstream: Upstream, connectMs: number): Origin => {
    // The provider is part of the key: connections, like keys, are never shared between providers of one host.
    const key = `${upstream.providerId} ${upstream.allowPrivateNetwork} ${upstream.baseUrl}`;
    let origin = origins.get(key);
    if (!origin) {
      origin = createOrigin(egress, upstream, connectMs);
      origins.set(key, origin);
    }
    return origin;
  };

  return {
    send(request, sink) {
      const { pool, basePath } = originOf(request.upstream, request.timeoutMs.connect);
      const startedMs = clock.monotonicMs();
      const { timeoutMs } = request;
      let controller: Dispatcher.DispatchController | undefined;
      let over = false;
      let answered = false;
      let paused = false;
      let lastMs = startedMs;
      const finish = () => {
        over = true;
        watched.delete(entry);
      };
      const stop = (fault: Fault, reached: boolean) => {
        if (over) return;
        finish();
        controller?.abort(new Error('stopped'));
        sink.onError(fault, reached);
      };
      const entry = {
        check(nowMs: number) {
          if (nowMs - startedMs > timeoutMs.total) stop(timedOut('total', timeoutMs.total), true);
          else if (!answered && nowMs - startedMs > timeoutMs.firstByte)
            stop(timedOut('first byte', timeoutMs.firstByte), true);
          // While we hold the upstream back for a slow client, its silence is ours.
          else if (answered && !paused && nowMs - lastMs > timeoutMs.idle) stop(timedOut('idle', timeoutMs.idle), true);
        },
      };
      watch(entry);
      pool.dispatch(
        { path: basePath + request.path, method: 'POST', headers: headersOf(request), body: request.body },
        {
          onRequestStart(started) {
            controller = started;
            if (over) started.abort(new Error('stopped'));
          },
          onResponseStart(_controller, status, headers) {
            if (over) return;
            answered = true;
            lastMs = clock.monotonicMs();
            const encoding = headers['content-encoding'];
            if (status >= 300 && status < 400)
              stop(new Fault('upstream_error', { internal: `the upstream redirects (${status})` }), true);
            else if (encoding !== undefined && encoding !== 'identity')
              stop(
                new Fault('upstream_error', {
                  internal: `the upstream answered with content-encoding ${String(encoding)} though identity was asked`,
                }),
                true,
              );
            else sink.onHeaders(status, flatten(headers));
          },
          onResponseData(_controller, chunk) {
            if (over) return;
            lastMs = clock.monotonicMs();
            sink.onData(chunk);
          },
          onResponseEnd() {
            if (over) return;
            finish();
            sink.onEnd();
          },
          onResponseError(_controller, error) {
            if (over) return;
            finish();
            const [fault, reached] = faultOf(error);
            sink.onError(fault, answered || reached);
          },
        },
      );
      return {
        pause() {
          paused = true;
          controller?.pause();
        },
        resume() {
          paused = false;
          lastMs = clock.monotonicMs();
          controller?.resume();
        },
        abort() {
          if (over) return;
          finish();
          controller?.abort(new Error('aborted'));
        },
      };
    },
    async close() {
      clearInterval(ticker);
      await Promise.all([...origins.values()].map(({ pool }) => pool.destroy()));
    },
  };
}

function createOrigin(egress: Egress, upstream: Upstream, connectMs: number): Origin {
  const unix = /^unix:[^:]+:(\/.*)$/.exec(upstream.baseUrl)?.[1];
  const url = unix === undefined ? new URL(upstream.baseUrl) : undefined;
  const pool = new Pool(url?.origin ?? 'http://localhost', {
    connections: CONNECTIONS_MAX,
    pipelining: 1,
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: KEEP_ALIVE_MS,
    maxHeaderSize: HEADER_BYTES_MAX,
    // Ours are in `send`: one timer for all.
    headersTimeout: 0,
    bodyTimeout: 0,
    connect(_options, callback) {
      egress
        .resolve(upstream.baseUrl, { allowPrivateNetwork: upstream.allowPrivateNetwork })
        .then(destination => open(destination, url, connectMs))
        .then(
          socket => callback(null, socket),
          error => callback(error instanceof Error ? error : new Error(String(error)), null),
        );
    },
  });
  return { pool, basePath: (unix ?? url?.pathname ?? '').replace(/\/+$/, '') };
}

/** Connects to a checked address, the next one where that fails. TLS verifies the name of the URL, not of the address. */
async function open(destination: Destination, url: URL | undefined, connectMs: number): Promise<Socket> {
  if (destination.kind === 'unix') return opened(connectTcp({ path: destination.path }), 'connect', connectMs);
  const port = Number(url?.port || (url?.protocol === 'https:' ? 443 : 80));
  let last: unknown;
  for (const { address, family } of destination.addresses) {
    try {
      const base = { host: address, port, family, noDelay: true, keepAlive: true };
      if (url?.protocol !== 'https:') return await opened(connectTcp(base), 'connect', connectMs);
      return await opened(
        connectTls({ ...base, servername: destination.hostname, ALPNProtocols: ['http/1.1'] }),
        'secureConnect',
        connectMs,
      );
    } catch (error) {
      last = error;
    }
  }
  throw last;
}

function opened(socket: Socket, event: 'connect' | 'secureConnect', connectMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => socket.destroy(timedOut('connect', connectMs)), connectMs);
    const failed = (error: Error) => {
      clearTimeout(timer);
      reject(
        error instanceof Fault
          ? error
          : new Fault('unavailable', {
              internal: `cannot connect: ${error.message}`,
              retryAfterMs: 2_000,
              cause: error,
            }),
      );
    };
    socket.once('error', failed);
    socket.once(event, () => {
      clearTimeout(timer);
      socket.off('error', failed);
      resolve(socket);
    });
  });
}

function timedOut(what: string, ms: number): Fault {
  return new Fault('upstream_timeout', { internal: `${what} timeout after ${ms} ms` });
}

/** Our fault, and whether a byte of the request can have arrived. */
function faultOf(error: unknown): readonly [Fault, boolean] {
  const cause = error instanceof Error && error.cause instanceof Fault ? error.cause : error;
  if (cause instanceof Fault) return [cause, false];
  const text =
    error instanceof Error ? `${'code' in error ? String(error.code) : error.name}: ${error.message}` : String(error);
  return [
    new Fault('upstream_error', { internal: `the connection to the upstream broke (${text})`, cause: error }),
    true,
  ];
}

function headersOf({ upstream, headers }: UpstreamRequest): Record<string, string> {
  return {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'accept-encoding': 'identity',
    'user-agent': 'millrace',
    ...(upstream.apiKey === undefined ? {} : { authorization: `Bearer ${upstream.apiKey}` }),
    ...headers,
  };
}

function flatten(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string | undefined> {
  const flat: Record<string, string | undefined> = {};
  for (const name in headers) {
    const value = headers[name];
    flat[name] = typeof value === 'string' ? value : value?.[0];
  }
  return flat;
}
