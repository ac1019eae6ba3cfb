import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { CatalogSnapshot } from '../catalog/index.ts';
import type { Operation } from '../dialects/index.ts';
import { type CallerIndex, modelAllowed } from '../identity/index.ts';
import { Fault, toFault } from '../std/index.ts';
import { admit } from './admit.ts';
import { authenticate } from './authenticate.ts';
import type { ControlProxy } from './control-proxy.ts';
import { type ExchangeDeps, runExchange } from './exchange.ts';
import { listModels } from './models.ts';
import { planCall } from './plan.ts';
import { type Lang, langOf, sendFault, sendJson } from './respond.ts';

/** Largest request body: long contexts with images in them pass, a flood does not. */
export const BODY_BYTES_MAX = 32 * 1024 * 1024;
const HEADER_BYTES_MAX = 16 * 1024;
/** Slow senders (slowloris) are cut: headers within 15 s, the whole request within 300 s. */
const HEADERS_MS = 15_000;
const REQUEST_MS = 300_000;
/** Longer than the idle time of common load balancers (60 s), so that they close first and never meet a closing socket. */
const KEEP_ALIVE_MS = 75_000;

const OPERATIONS: ReadonlyMap<string, Operation> = new Map([
  ['/v1/chat/completions', 'chat'],
  ['/v1/completions', 'completions'],
  ['/v1/embeddings', 'embeddings'],
]);

export interface DataPlaneDeps extends ExchangeDeps {
  readonly newRequestId: () => string;
  readonly callers: CallerIndex;
  readonly snapshot: () => CatalogSnapshot;
  readonly control: ControlProxy;
}

/** The HTTP server of one gateway thread: `/v1/*` is served here, all else is handed to the control plane. */
export function createDataPlane(deps: DataPlaneDeps): Server {
  const server = createServer(
    {
      maxHeaderSize: HEADER_BYTES_MAX,
      headersTimeout: HEADERS_MS,
      requestTimeout: REQUEST_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      noDelay: true,
    },
    (req, res) => {
      const path = pathOf(req.url ?? '/');
      if (path.startsWith('/v1/')) serve(deps, path, { req, res });
      else deps.control.forward(req, res);
    },
  );
  // A malformed request line or header never reaches the handler above.
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (!socket.writable) return;
    const [status, text] =
      error.code === 'HPE_HEADER_OVERFLOW'
        ? [431, 'Request Header Fields Too Large']
        : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
          ? [408, 'Request Timeout']
          : [400, 'Bad Request'];
    socket.end(`HTTP/1.1 ${status} ${text}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
  });
  return server;
}

/** The raw path without its query. Routing never uses the Host header or a decoded path (attack S11). */
function pathOf(url: string): string {
  const query = url.indexOf('?');
  return query < 0 ? url : url.slice(0, query);
}

function serve(deps: DataPlaneDeps, path: string, { req, res }: { req: IncomingMessage; res: ServerResponse }): void {
  const requestId = deps.newRequestId();
  const lang = langOf(req.headers['accept-language']);
  const arrivedMonotonicMs = deps.clock.monotonicMs();
  res.on('error', () => {});
  const refuse = (error: unknown) => refuseRequest(deps, error, { req, res, requestId, lang });
  try {
    const operation = OPERATIONS.get(path);
    if (operation === undefined) {
      serveModels(deps, path, { req, res, requestId });
      return;
    }
    if (req.method !== 'POST') throw new Fault('method_not_allowed', { headers: { allow: 'POST' } });
    const caller = authenticate(req, deps.callers, deps.clock.nowMs());
    readBody(
      req,
      body => {
        try {
          const call = deps.codec.decodeRequest(operation, body);
          const nowMs = deps.clock.nowMs();
          const plan = planCall(call, caller, { snapshot: deps.snapshot(), slots: deps.slots.deployments, nowMs });
          const ticket = admit(caller, call, { plan, slots: deps.slots, nowMs });
          runExchange(deps, ticket, { res, requestId, lang, arrivedMonotonicMs });
        } catch (error) {
          refuse(error);
        }
      },
      refuse,
    );
  } catch (error) {
    refuse(error);
  }
}

function serveModels(
  deps: DataPlaneDeps,
  path: string,
  { req, res, requestId }: { req: IncomingMessage; res: ServerResponse; requestId: string },
): void {
  if (path !== '/v1/models' && !path.startsWith('/v1/models/'))
    throw new Fault('not_found', {
      message: `Nothing is served at ${path.slice(0, 128)}`,
      messageZh: `此路径没有服务：${path.slice(0, 128)}`,
    });
  if (req.method !== 'GET' && req.method !== 'HEAD')
    throw new Fault('method_not_allowed', { headers: { allow: 'GET' } });
  const caller = authenticate(req, deps.callers, deps.clock.nowMs());
  req.resume();
  const id = path.startsWith('/v1/models/') ? decodeId(path.slice('/v1/models/'.length)) : undefined;
  const body = listModels(deps.snapshot(), { allowed: model => modelAllowed(caller, model), id });
  sendJson(res, 200, { body, headers: ['x-request-id', requestId] });
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
  { req, res, requestId, lang }: { req: IncomingMessage; res: ServerResponse; requestId: string; lang: Lang },
): void {
  const fault = toFault(error);
  deps.slots.refusals.count(fault.code);
  if (fault.details.internal !== undefined)
    deps.log.error('request-failed', { requestId, code: fault.code, internal: fault.details.internal });
  // What is still coming is read and thrown away, so that the sender can read our answer; a flood is cut off.
  const unread = !req.complete;
  const flood = Number(req.headers['content-length'] ?? 0) > 8 * BODY_BYTES_MAX;
  const headers = unread && flood ? ['x-request-id', requestId, 'connection', 'close'] : ['x-request-id', requestId];
  sendFault(res, fault, { codec: deps.codec, requestId, lang, headers });
  if (unread) req.resume();
}

/** Collects the body within {@link BODY_BYTES_MAX}. Calls exactly one of the two, once; neither when the client leaves first. */
function readBody(req: IncomingMessage, done: (body: Buffer) => void, refuse: (fault: Fault) => void): void {
  const encoding = req.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    throw new Fault('malformed_request', {
      message: `content-encoding ${encoding.slice(0, 32)} is not taken: send the body as it is`,
      messageZh: `不支持 content-encoding ${encoding.slice(0, 32)}：请直接发送未压缩的请求体`,
    });
  }
  const declared = Number(req.headers['content-length'] ?? 0);
  const tooLarge = () =>
    new Fault('payload_too_large', {
      message: `The body is larger than ${BODY_BYTES_MAX / 1_048_576} MiB`,
      messageZh: `请求体超过 ${BODY_BYTES_MAX / 1_048_576} MiB`,
    });
  if (declared > BODY_BYTES_MAX) throw tooLarge();
  const chunks: Buffer[] = [];
  let bytes = 0;
  let ended = false;
  req.on('data', (chunk: Buffer) => {
    if (ended) return;
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) {
      ended = true;
      refuse(tooLarge());
      return;
    }
    chunks.push(chunk);
  });
  req.on('end', () => {
    if (ended) return;
    ended = true;
    const [only] = chunks;
    done(chunks.length === 1 && only ? only : Buffer.concat(chunks, bytes));
  });
  req.on('error', () => {
    ended = true;
  });
}
