import { request } from 'node:http';
import type { Config } from '../config.ts';
import { controlSocket, openControlPlane } from '../main.ts';
import { Fault } from '../std/index.ts';

/** What the commands talk to: the running server's socket, or, where none runs, the same control plane in this process. */
export interface ControlClient extends AsyncDisposable {
  call(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<Record<string, unknown>>;
}

export async function openControlClient(config: Config): Promise<ControlClient> {
  const path = controlSocket(config.home);
  if (await answers(path)) {
    return {
      call: async (method, target, body) => unwrap(await overSocket(path, { method, target, body, lang: config.lang })),
      [Symbol.asyncDispose]: async () => {},
    };
  }
  const plane = await openControlPlane(config);
  return {
    async call(method, target, body) {
      const answer = await plane.fetch(
        new Request(`http://localhost${target}`, {
          method,
          headers: { 'accept-language': config.lang, 'content-type': 'application/json' },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        }),
      );
      return unwrap({ status: answer.status, text: await answer.text() });
    },
    [Symbol.asyncDispose]: () => plane.close(),
  };
}

interface Reply {
  readonly status: number;
  readonly text: string;
}

async function answers(path: string): Promise<boolean> {
  return overSocket(path, { method: 'GET', target: '/healthz', body: undefined, lang: 'en' }).then(
    ({ status }) => status === 200,
    () => false,
  );
}

function overSocket(
  socketPath: string,
  {
    method,
    target,
    body,
    lang,
  }: { readonly method: string; readonly target: string; readonly body: unknown; readonly lang: string },
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { socketPath, path: target, method, headers: { 'accept-language': lang, 'content-type': 'application/json' } },
      incoming => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.on('end', () =>
          resolve({ status: incoming.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }),
        );
        incoming.on('error', reject);
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** The answer's object, or the fault that it says: what the server said to a person, this side says on. */
function unwrap({ status, text }: Reply): Record<string, unknown> {
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null)
    throw new Fault('internal', {
      message: 'The server gave an answer that is no object',
      messageZh: '服务器返回的不是对象',
    });
  if (status < 400) return { ...value };
  const { error } = value as { error?: { message?: string; code?: string } };
  const message = error?.message ?? `HTTP ${status}`;
  throw new Fault(
    status === 404
      ? 'not_found'
      : status === 409
        ? 'conflict'
        : status === 402
          ? 'insufficient_funds'
          : status >= 500
            ? 'internal'
            : 'config_invalid',
    { message, messageZh: message },
  );
}
