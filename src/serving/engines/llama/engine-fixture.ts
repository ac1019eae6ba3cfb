import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createSlots, type DeploymentSlots, openSlots, silentLog, systemClock } from '../../../ground/std/index.ts';
import type { EngineDeployment } from './engine-process.ts';
import { type Engines, superviseEngines } from './supervise-engines.ts';

/** The real model, for tests and benches of the real engine. */
export const NANO = fileURLToPath(new URL('../../../../models/nano/millrace-nano.gguf', import.meta.url));

export interface Reply {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look deep into answers and say what they expect there
  readonly json: any;
}

export interface RunningEngine extends AsyncDisposable {
  readonly engines: Engines;
  readonly slots: DeploymentSlots;
  readonly socketPath: string;
  /** A string goes out as it is, anything else as JSON. */
  post(path: string, body: unknown, signal?: AbortSignal): Promise<Reply>;
  get(path: string): Promise<Reply>;
  /** Data of each event as it comes; `[DONE]` included. */
  stream(path: string, body: object, signal?: AbortSignal): AsyncGenerator<string>;
  /** A gauge or counter of `/metrics`. */
  metric(name: string): Promise<number>;
  until(condition: () => boolean | Promise<boolean>): Promise<void>;
}

const SLOT = 1;
/** For what never comes: a machine that others use took 20 s to load the model. */
const WAIT_MS = 90_000;

/** Starts a supervisor with one host on the built-in model, and waits until it is ready. */
export async function startNano(more: Partial<EngineDeployment> = {}): Promise<RunningEngine> {
  const runDir = mkdtempSync(join(tmpdir(), 'mr-'));
  const slots = openSlots(createSlots()).deployments;
  const deployment = { deploymentId: 'nano', slot: SLOT, file: NANO, ...more };
  const engines = superviseEngines({
    node: process.execPath,
    runDir,
    deployments: [deployment],
    slots,
    log: silentLog,
    clock: systemClock,
  });
  const socketPath = engines.baseUrl('nano').slice('unix:'.length, -':/v1'.length);
  const client = createClient(socketPath);
  const until: RunningEngine['until'] = async condition => {
    const endMs = Date.now() + WAIT_MS;
    while (!(await condition())) {
      if (Date.now() > endMs) throw new Error(`waited in vain; ${JSON.stringify(engines.status())}`);
      await sleep(5);
    }
  };
  const dispose = async () => {
    client.close();
    await engines.stop();
    rmSync(runDir, { recursive: true, force: true });
  };
  // A host that is left behind would keep the test's process alive.
  await becomesReady(engines, slots).catch(async error => {
    await dispose();
    throw error;
  });
  return {
    engines,
    slots,
    socketPath,
    ...client,
    until,
    [Symbol.asyncDispose]: dispose,
  };
}

/** Told by the supervisor. @throws Error where the host refused, which waiting would not change, or never came */
async function becomesReady(engines: Engines, slots: DeploymentSlots): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const look = () => {
    const [status] = engines.status();
    if (slots.get(SLOT, 'ready') === 1) resolve();
    else if (status?.phase === 'failed') reject(new Error(status.lastFailure?.message));
  };
  const timer = setTimeout(() => reject(new Error(`waited in vain; ${JSON.stringify(engines.status())}`)), WAIT_MS);
  const leave = engines.onChange(look);
  try {
    look();
    await promise;
  } finally {
    leave();
    clearTimeout(timer);
  }
}

function createClient(
  socketPath: string,
): Pick<RunningEngine, 'post' | 'get' | 'stream' | 'metric'> & { close(): void } {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const open = (
    method: string,
    path: string,
    body: string | undefined,
    signal?: AbortSignal,
  ): Promise<IncomingMessage> => {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body ?? '') };
    const request = httpRequest({
      socketPath,
      path,
      method,
      headers,
      agent,
      ...(signal === undefined ? {} : { signal }),
    });
    request.on('response', resolve).on('error', reject).end(body);
    return promise;
  };
  const read = async (response: IncomingMessage): Promise<Reply> => {
    let text = '';
    for await (const chunk of response.setEncoding('utf8')) text += chunk;
    const isJson = response.headers['content-type'] === 'application/json';
    return {
      status: response.statusCode ?? 0,
      headers: response.headers,
      text,
      json: isJson ? JSON.parse(text) : undefined,
    };
  };
  const get = async (path: string) => read(await open('GET', path, undefined));
  return {
    close: () => agent.destroy(),
    post: async (path, body, signal) =>
      read(await open('POST', path, typeof body === 'string' ? body : JSON.stringify(body), signal)),
    get,
    async *stream(path, body, signal) {
      const response = await open('POST', path, JSON.stringify({ ...body, stream: true }), signal);
      let held = '';
      for await (const chunk of response.setEncoding('utf8')) {
        const parts = (held + chunk).split('\n\n');
        held = parts.pop() ?? '';
        for (const part of parts) yield part.replace(/^data: /, '');
      }
    },
    async metric(name) {
      const { text } = await get('/metrics');
      return Number(new RegExp(`^llamacpp:${name} (\\S+)$`, 'm').exec(text)?.[1]);
    },
  };
}
