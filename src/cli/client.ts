import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { type AnswerOf, errorSchema, isFaultCode, type Route, type RouteInput, routeTarget } from '@millrace/contract';
import type * as z from 'zod';
import type { Config } from '../config.ts';
import type { Lang } from '../control/index.ts';
import { Fault, systemClock } from '../ground/std/index.ts';

export type Method = Route['method'];

export interface Reply {
  readonly status: number;
  readonly body: unknown;
}

/** What the commands talk to: the running server's socket, or, where none runs, the same control plane in this process. */
export interface ControlClient extends AsyncDisposable {
  /** Any answer, faults too. */
  send(method: Method, target: string, body?: unknown): Promise<Reply>;
  /** An answer of the expected shape. Throws the fault that the server answered, in its words. */
  call<S extends z.ZodType>(shape: S, method: Method, target: string, body?: unknown): Promise<z.output<S>>;
  /** A route of the control API, by its row of the table. Throws the fault that the server answered, in its words. */
  ask<R extends Route>(route: R, input: RouteInput<R>): Promise<AnswerOf<R>>;
}

/** How one request travels. */
interface Transport extends AsyncDisposable {
  exchange(
    method: Method,
    target: string,
    body: string | undefined,
  ): Promise<{ readonly status: number; readonly text: string }>;
}

type OpenPlane = (config: Config) => Promise<{ fetch(request: Request): Promise<Response>; close(): Promise<void> }>;

/** Who has the home and answers nothing is starting, ending, or another command: that passes within this. */
const HOME_WAIT_MS = 15_000;
const LOOK_MS = 50;

interface Way {
  readonly lang: Lang;
  readonly socket: string;
  readonly openPlane: OpenPlane;
}

/** Connects to the server of this home; where none answers, opens the home itself, which takes its lock. */
export async function openControlClient(config: Config, way: Way): Promise<ControlClient> {
  const transport = await findWay(config, way);
  const send: ControlClient['send'] = async (method, target, body) => {
    const sent = body === undefined ? undefined : JSON.stringify(body);
    const { status, text } = await transport.exchange(method, target, sent);
    return { status, body: parsed(text) };
  };
  const call: ControlClient['call'] = async (shape, method, target, body) => {
    const reply = await send(method, target, body);
    if (reply.status >= 400) throw faultOf(reply);
    const read = shape.safeParse(reply.body);
    if (!read.success) throw strangeAnswer(`${method} ${target}: ${read.error.issues[0]?.message}`);
    return read.data;
  };
  return {
    send,
    call,
    ask: (route, { params, query, body }) =>
      call<(typeof route)['answer']>(
        route.answer,
        route.method,
        routeTarget(route, { ...(params ? { params } : {}), ...(query ? { query } : {}) }),
        body,
      ),
    [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose](),
  };
}

async function findWay(config: Config, { lang, socket, openPlane }: Way): Promise<Transport> {
  const until = systemClock.monotonicMs() + HOME_WAIT_MS;
  for (;;) {
    if (await answers(socket)) return overSocket(socket, lang);
    try {
      return await inProcess(config, lang, openPlane);
    } catch (error) {
      const isTaken = error instanceof Fault && error.code === 'conflict' && error.details.param === 'MILLRACE_HOME';
      if (!isTaken || systemClock.monotonicMs() > until) throw error;
    }
    await sleep(LOOK_MS);
  }
}

/** The fault that an answer tells. */
export function faultOf({ status, body }: Reply): Fault {
  const told = errorSchema.safeParse(body);
  if (!told.success) return strangeAnswer(`HTTP ${status}`);
  const { code, message, param } = told.data.error;
  return new Fault(isFaultCode(code) ? code : 'internal', {
    message,
    messageZh: message,
    ...(param === null ? {} : { param }),
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function strangeAnswer(internal: string): Fault {
  return new Fault('internal', {
    message: `The server gave an answer that this millrace does not understand (${internal}): are both of one version?`,
    messageZh: `无法理解服务器的回应（${internal}）：两者版本是否一致？`,
  });
}

const headersIn = (lang: Lang) => ({ 'accept-language': lang, 'content-type': 'application/json', host: 'localhost' });

function overSocket(socketPath: string, lang: Lang): Transport {
  return {
    exchange: (method, path, body) =>
      new Promise((resolve, reject) => {
        const outgoing = request({ socketPath, path, method, headers: headersIn(lang) }, incoming => {
          const chunks: Buffer[] = [];
          incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
          incoming.on('error', reject);
          incoming.on('end', () =>
            resolve({ status: incoming.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }),
          );
        });
        outgoing.on('error', cause =>
          reject(
            new Fault('unavailable', {
              message: `The server on ${socketPath} went away (${cause.message})`,
              messageZh: `${socketPath} 上的服务已断开（${cause.message}）`,
              cause,
            }),
          ),
        );
        outgoing.end(body);
      }),
    [Symbol.asyncDispose]: async () => {},
  };
}

async function inProcess(config: Config, lang: Lang, openPlane: OpenPlane): Promise<Transport> {
  const plane = await openPlane(config);
  return {
    async exchange(method, target, body) {
      const sent = new Request(`http://localhost${target}`, {
        method,
        headers: headersIn(lang),
        ...(body === undefined ? {} : { body }),
      });
      const answer = await plane.fetch(sent);
      return { status: answer.status, text: await answer.text() };
    },
    [Symbol.asyncDispose]: () => plane.close(),
  };
}

/**
 * Whether a server listens there: it accepts, however busy it is. A socket file that a killed server left refuses. One that we
 * may not open belongs to somebody else, which must not pass for "no server".
 */
function answers(socketPath: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const probe = request({ socketPath, path: '/healthz', method: 'GET' }, incoming => {
      incoming.resume();
      resolve(true);
    });
    probe.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EACCES' || error.code === 'EPERM')
        reject(
          new Fault('forbidden', {
            message: `${socketPath} belongs to another user: run this as the owner of MILLRACE_HOME`,
            messageZh: `${socketPath} 属于其他用户：请以 MILLRACE_HOME 所有者的身份运行`,
            cause: error,
          }),
        );
      else resolve(false);
    });
    probe.end();
  });
}
