import { KEY_HOLDER_PATHS } from '@millrace/contract/words';
import { crashPoint, Fault, toFault } from '../../ground/std/index.ts';
import type { Operation } from '../../models/dialects/index.ts';
import { type CallerIndex, modelAllowed } from '../../people/callers/index.ts';
import { createHttpServer, type HttpExchange, type HttpServer } from '../server/index.ts';
import { authenticate } from '../stages/authenticate.ts';
import { BODY_BYTES_MAX } from '../stages/read-body.ts';
import type { ClientAddress } from './client-address.ts';
import type { ControlProxy } from './control-proxy.ts';
import { allowOrigin } from './cors.ts';
import { type IncomingCallDeps, serveCall } from './incoming-call.ts';
import { listModels } from './models.ts';
import { type Lang, langOf, sendFault, sendJson } from './respond.ts';
import { nothingAt } from './unknown-path.ts';

const LIMITS = {
  /** Slow senders (slowloris) are cut: heads within 15 s, the whole request within 300 s. */
  headMs: 15_000,
  requestMs: 300_000,
  /** Longer than the idle time of common load balancers (60 s), so that they close first and never meet a closing socket. */
  keepAliveMs: 75_000,
  /** What is refused and still coming is read and thrown away, so that the sender can read our answer; a flood is cut off. */
  unwantedBytesMax: 8 * BODY_BYTES_MAX,
};

const OPERATIONS: ReadonlyMap<string, Operation> = new Map([
  ['/v1/chat/completions', 'chat'],
  ['/v1/completions', 'completions'],
  ['/v1/embeddings', 'embeddings'],
]);

/** What a key's holder asks of the books is answered where they are. */
const OF_CONTROL: ReadonlySet<string> = new Set(KEY_HOLDER_PATHS);

export interface DataPlaneDeps extends IncomingCallDeps {
  readonly newRequestId: () => string;
  readonly callers: CallerIndex;
  readonly clientAddress: ClientAddress;
  /** Of pages that may call the model API from a browser. */
  readonly corsOrigins: ReadonlySet<string>;
  readonly control: ControlProxy;
}

/** The HTTP server of one gateway thread: `/v1/*` is served here, all else is handed to the control plane. */
export function createDataPlane(deps: DataPlaneDeps): HttpServer {
  return createHttpServer({
    clock: deps.clock,
    log: deps.log,
    limits: LIMITS,
    serve(http) {
      const path = pathOf(http.head.target);
      if (path.startsWith('/v1/')) {
        if (allowOrigin(http, deps.corsOrigins)) return;
        if (OF_CONTROL.has(path)) deps.control.forward(http);
        else serve(deps, path, http);
      } else deps.control.forward(http);
    },
  });
}

/** The raw path without its query. Routing never uses the Host header or a decoded path (attack S11). */
function pathOf(url: string): string {
  const query = url.indexOf('?');
  return query < 0 ? url : url.slice(0, query);
}

function serve(deps: DataPlaneDeps, path: string, http: HttpExchange): void {
  crashPoint('gateway.request');
  const requestId = deps.newRequestId();
  const lang = langOf(http.head.acceptLanguage);
  const arrivedMonotonicMs = deps.clock.monotonicMs();
  const refuse = (error: unknown) => refuseRequest(deps, error, { http, requestId, lang });
  try {
    const operation = OPERATIONS.get(path);
    if (operation === undefined) {
      serveModels(deps, path, http, requestId);
      return;
    }
    if (http.head.method !== 'POST') throw new Fault('method_not_allowed', { headers: { allow: 'POST' } });
    const caller = authenticate(http, { ...deps, nowMs: deps.clock.nowMs() });
    const timeoutMs = timeoutOf(http.head.timeoutMs);
    const inbound = { res: http, requestId, lang, arrivedMonotonicMs, timeoutMs };
    serveCall(deps, { operation, caller, http, inbound, refuse });
  } catch (error) {
    refuse(error);
  }
}

/** From as soon as an answer can come to as long as any deployment may take. */
const TIMEOUT_MS = { least: 100, most: 86_400_000 };

/** How long the caller gives the request, by `x-millrace-timeout-ms`. Throws `invalid_parameter`. */
function timeoutOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= TIMEOUT_MS.least && value <= TIMEOUT_MS.most) return value;
  const range = `${TIMEOUT_MS.least} to ${TIMEOUT_MS.most}`;
  throw new Fault('invalid_parameter', {
    message: `x-millrace-timeout-ms must be a whole number of milliseconds, ${range}`,
    messageZh: `x-millrace-timeout-ms 必须是整数毫秒，范围 ${range}`,
    param: 'x-millrace-timeout-ms',
  });
}

function serveModels(deps: DataPlaneDeps, path: string, http: HttpExchange, requestId: string): void {
  if (path !== '/v1/models' && !/^\/v1\/models\/./.test(path)) throw nothingAt(path);
  if (http.head.method !== 'GET' && http.head.method !== 'HEAD')
    throw new Fault('method_not_allowed', { headers: { allow: 'GET' } });
  const caller = authenticate(http, { ...deps, nowMs: deps.clock.nowMs() });
  const id = path.startsWith('/v1/models/') ? decodeId(path.slice('/v1/models/'.length)) : undefined;
  const body = listModels(deps.snapshot(), { allowed: model => modelAllowed(caller, model), id });
  sendJson(http, 200, { body, headers: ['x-request-id', requestId] });
}

function decodeId(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Fault('malformed_request', {
      message: 'The model id in the path is not well encoded',
      messageZh: '路径中的模型 ID 编码有误',
    });
  }
}

function refuseRequest(
  deps: DataPlaneDeps,
  error: unknown,
  { http, requestId, lang }: { http: HttpExchange; requestId: string; lang: Lang },
): void {
  crashPoint('gateway.refuse');
  const fault = toFault(error);
  deps.slots.refusals.count(fault.code);
  if (fault.details.internal !== undefined)
    deps.log.error('request-failed', { requestId, code: fault.code, internal: fault.details.internal });
  const { length } = http.head;
  if (!http.isWhole && length !== 'chunked' && length > LIMITS.unwantedBytesMax) http.closeAfter();
  sendFault(http, fault, { codec: deps.codec, requestId, lang, headers: ['x-request-id', requestId] });
}
