import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Fault, toFault } from '../../../../../ground/std/index.ts';
import type { Engine, Generator } from '../model/engine.ts';
import type { Fields } from '../requests/fields.ts';
import { readFields } from '../requests/read-body.ts';
import { answerChat } from './chat.ts';
import { answerCompletion } from './completions.ts';
import { describeModels, describeProps } from './describe.ts';
import { answerEmbeddings } from './embeddings.ts';
import { renderMetrics } from './metrics.ts';
import { sendFault, sendJson } from './reply.ts';

type Answer = (engine: Engine, fields: Fields, response: ServerResponse, signal: AbortSignal) => Promise<void>;

const POSTS: ReadonlyMap<string, Answer> = new Map<string, Answer>([
  ['/v1/chat/completions', (engine, ...rest) => answerChat(withText(engine), ...rest)],
  ['/v1/completions', (engine, ...rest) => answerCompletion(withText(engine), ...rest)],
  ['/v1/embeddings', answerEmbeddings],
]);

const GETS: ReadonlyMap<string, (engine: Engine, response: ServerResponse) => void> = new Map([
  ['/health', (_, response) => sendJson(response, { status: 'ok' })],
  ['/v1/models', (engine, response) => sendJson(response, describeModels(engine))],
  ['/props', (engine, response) => sendJson(response, describeProps(engine))],
  [
    '/metrics',
    (engine, response) => {
      response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' });
      response.end(renderMetrics(engine.metrics, engine.generator?.pool));
    },
  ],
]);

/** The gateway keeps connections for as long as it likes; the socket is this machine's own. */
const KEEP_ALIVE_MS = 600_000;

function withText(engine: Engine): Engine & { readonly generator: Generator } {
  const { generator } = engine;
  if (generator !== undefined) return { ...engine, generator };
  throw new Fault('invalid_parameter', {
    message: 'this model makes embeddings only',
    messageZh: '此模型只能生成向量',
    param: 'model',
  });
}

export interface EngineServer {
  readonly server: Server;
  /** Ends every request with its fault, whatever it waits for, and takes no more. Settles when all was written. */
  endAll(faultOf: (owner: object) => Fault): Promise<void>;
}

/** The OpenAI dialect over one loaded model. Faults are rendered and counted here and nowhere else. */
export function createEngineServer(engine: Engine, onFailure: (fault: Fault, path: string) => void): EngineServer {
  const { metrics } = engine;
  const open = new Map<AbortSignal, ServerResponse>();
  let ending: ((owner: object) => Fault) | undefined;
  const server = createServer((request, response) => {
    // Not by URL, which throws on some targets that HTTP allows, `//` for one.
    const [pathname = '/'] = (request.url ?? '/').split('?', 1);
    const gone = new AbortController();
    if (ending !== undefined) return sendFault(response, ending(gone.signal));
    open.set(gone.signal, response);
    response.on('close', () => {
      open.delete(gone.signal);
      gone.abort();
    });
    answer(engine, request, response, { pathname, signal: gone.signal }).catch((error: unknown) => {
      if (gone.signal.aborted || ending !== undefined) return;
      const fault = toFault(error);
      if (fault.status >= 500 && fault.code !== 'capacity') {
        metrics.failures += 1;
        onFailure(fault, pathname);
      } else {
        metrics.refusals += 1;
      }
      // What was not read of a body would be taken for the next request.
      if (!request.complete) response.setHeader('connection', 'close');
      sendFault(response, fault);
    });
  });
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.requestTimeout = 0;
  return {
    server,
    async endAll(faultOf) {
      ending = faultOf;
      const written = [...open].map(async ([owner, response]) => {
        const { promise, resolve } = Promise.withResolvers<void>();
        response.on('close', resolve);
        response.shouldKeepAlive = false;
        sendFault(response, faultOf(owner));
        await promise;
      });
      await Promise.all(written);
    },
  };
}

async function answer(
  engine: Engine,
  request: IncomingMessage,
  response: ServerResponse,
  { pathname, signal }: { readonly pathname: string; readonly signal: AbortSignal },
): Promise<void> {
  const get = GETS.get(pathname);
  const post = POSTS.get(pathname);
  if (get === undefined && post === undefined) throw new Fault('not_found');
  if (get !== undefined && (request.method === 'GET' || request.method === 'HEAD')) return get(engine, response);
  if (post === undefined || request.method !== 'POST') throw new Fault('method_not_allowed');
  engine.metrics.requests += 1;
  await post(engine, await readFields(request), response, signal);
}
