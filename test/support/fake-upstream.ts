import { createHash } from 'node:crypto';
import { closeSync, fsync, openSync, writeSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type Answer, type Asked, type Behaviour, planAnswer } from './fake-behaviour.ts';

/** What the provider saw of one request, and what it will bill for it. */
export interface FakeCall {
  readonly seq: number;
  /** `x-request-id` as it came, where it came. */
  readonly requestId: string | undefined;
  readonly path: string;
  readonly model: string;
  readonly stream: boolean;
  readonly maxTokens: number | undefined;
  readonly bodySha256: string;
  /** Parsed; where the behaviour keeps it. */
  readonly body?: unknown;
  readonly headers: Readonly<Record<string, string>>;
  readonly startedMs: number;
  status: number;
  outcome: 'running' | 'complete' | 'aborted' | 'died' | 'stalled';
  bytesSent: number;
  /** Tokens that were really made: the truth which reported usage may lie about. */
  billed: { promptTokens: number; cachedTokens: number; completionTokens: number };
}

export interface FakeUpstream {
  readonly port: number;
  /** `http://127.0.0.1:PORT/v1` */
  readonly baseUrl: string;
  readonly calls: readonly FakeCall[];
  /** Behaviour of a model from now on; `*` is for all that have none of their own. */
  script(model: string, behaviour: Behaviour): void;
  /** Lets so many more steps of a `stepwise` answer of that model go out; they are the head, each event, and the end. */
  release(model: string, steps: number): void;
  /** Resolves when no call of that model runs. */
  idle(model: string): Promise<void>;
  /** Connections that are open. */
  connections(): number;
  close(): Promise<void>;
}

export interface FakeUpstreamOptions {
  readonly port?: number;
  readonly scripts?: Readonly<Record<string, Behaviour>>;
  /** Appends one JSON line when a request came and one when it ended; synced to disk, in groups. */
  readonly recordFile?: string;
}

/**
 * A provider that speaks the OpenAI dialect on a raw socket, so that it can also lie about HTTP itself. Control, for when it
 * runs as its own process: `PUT /_fake/script` with `{ model: behaviour }`, `GET /_fake/calls`.
 */
export async function startFakeUpstream(options: FakeUpstreamOptions = {}): Promise<FakeUpstream> {
  const scripts = new Map(Object.entries(options.scripts ?? {}));
  const calls: FakeCall[] = [];
  const sockets = new Set<Socket>();
  const record = openRecord(options.recordFile);
  const gates = createGates();
  const running = new Map<string, Set<Promise<void>>>();
  const serve = { scripts, calls, record, gates, running };
  const server = createServer({ noDelay: true }, socket => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    readRequests(socket, serve);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port: options.port ?? 0, host: '127.0.0.1', backlog: 4096 }, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    port,
    baseUrl: `http://127.0.0.1:${port}/v1`,
    calls,
    script: (model, behaviour) => void scripts.set(model, behaviour),
    release: gates.release,
    idle: async model => void (await Promise.all(running.get(model) ?? [])),
    connections: () => sockets.size,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>(resolve => server.close(() => resolve()));
      record.close();
    },
  };
}

interface Serving {
  readonly scripts: Map<string, Behaviour>;
  readonly calls: FakeCall[];
  readonly record: CallRecord;
  readonly gates: Gates;
  /** Calls that run, by model. */
  readonly running: Map<string, Set<Promise<void>>>;
}

interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

function readRequests(socket: Socket, serving: Serving): void {
  let held: Buffer = Buffer.alloc(0);
  let busy = false;
  const next = () => {
    if (busy) return;
    const headEnd = held.indexOf('\r\n\r\n');
    if (headEnd < 0) return;
    const [first = '', ...lines] = held.toString('latin1', 0, headEnd).split('\r\n');
    const [method = '', path = ''] = first.split(' ');
    const headers: Record<string, string> = {};
    for (const line of lines) {
      const colon = line.indexOf(':');
      headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
    }
    const end = headEnd + 4 + Number(headers['content-length'] ?? 0);
    if (held.length < end) return;
    const received = { method, path, headers, body: held.subarray(headEnd + 4, end) };
    held = held.subarray(end);
    busy = true;
    answer(socket, received, serving).then(
      () => {
        busy = false;
        next();
      },
      () => socket.destroy(),
    );
  };
  socket.on('data', data => {
    if (typeof data === 'string') return;
    held = held.length === 0 ? data : Buffer.concat([held, data]);
    next();
  });
}

async function answer(socket: Socket, received: Received, serving: Serving): Promise<void> {
  if (received.path.startsWith('/_fake/')) return control(socket, received, serving);
  if (received.method === 'GET') return respond(socket, 200, '{"object":"list","data":[]}');
  const asked = parseAsked(received);
  if (!asked) return respond(socket, 400, '{"error":{"message":"not JSON","type":"invalid_request_error"}}');
  const behaviour = serving.scripts.get(asked.model) ?? serving.scripts.get('*') ?? {};
  const name = behaviour.namesCalls ? { 'x-request-id': `fake-${serving.calls.length}` } : {};
  const planned = planAnswer(asked, { ...behaviour, headers: { ...behaviour.headers, ...name } });
  const call: FakeCall = {
    seq: serving.calls.length,
    requestId: received.headers['x-request-id'],
    path: asked.path,
    model: asked.model,
    stream: asked.stream,
    maxTokens: asked.maxTokens,
    bodySha256: createHash('sha256').update(received.body).digest('hex'),
    ...(behaviour.keepsBody ? { body: JSON.parse(received.body.toString('utf8')) } : {}),
    headers: received.headers,
    startedMs: Date.now(),
    status: planned.status,
    outcome: 'running',
    bytesSent: 0,
    billed: {
      promptTokens: planned.status === 200 ? planned.promptTokens : 0,
      cachedTokens: planned.status === 200 ? planned.cachedTokens : 0,
      completionTokens: 0,
    },
  };
  serving.calls.push(call);
  serving.record.write({ event: 'call', ...call });
  const playing = play(socket, { call, behaviour, planned, gates: serving.gates });
  const ofModel = serving.running.get(asked.model) ?? new Set();
  serving.running.set(asked.model, ofModel.add(playing));
  try {
    await playing;
  } finally {
    ofModel.delete(playing);
    serving.record.write({ event: 'end', ...call });
  }
}

function parseAsked(received: Received): Asked | undefined {
  try {
    const body = JSON.parse(received.body.toString('utf8'));
    const maxTokens = body.max_completion_tokens ?? body.max_tokens;
    return {
      path: received.path,
      model: String(body.model),
      stream: body.stream === true,
      includeUsage: body.stream_options?.include_usage === true,
      maxTokens: typeof maxTokens === 'number' ? maxTokens : undefined,
      promptTokens: Math.ceil(JSON.stringify(body.messages ?? body.prompt ?? body.input ?? '').length / 4),
      choices: typeof body.n === 'number' ? body.n : 1,
    };
  } catch {
    return undefined;
  }
}

/** Sends the steps, and breaks where the behaviour says so. */
async function play(
  socket: Socket,
  {
    call,
    behaviour,
    planned,
    gates,
  }: { readonly call: FakeCall; readonly behaviour: Behaviour; readonly planned: Answer; readonly gates: Gates },
): Promise<void> {
  const dieByte = behaviour.dieAt?.byte ?? Number.POSITIVE_INFINITY;
  if (behaviour.headersDelayMs) await wait(socket, behaviour.headersDelayMs);
  for (const step of planned.steps) {
    if (behaviour.stepwise) await gates.pass(call.model, socket);
    if (step.waitMs > 0) await wait(socket, step.waitMs);
    if (socket.destroyed && !behaviour.billsAfterAbort) {
      call.outcome = 'aborted';
      return;
    }
    call.billed.completionTokens += step.tokens;
    const room = dieByte - call.bytesSent;
    const bytes = step.bytes.length > room ? step.bytes.subarray(0, room) : step.bytes;
    if (!socket.destroyed) await send(socket, bytes, behaviour.dripMs);
    call.bytesSent += bytes.length;
    if (call.bytesSent >= dieByte) return die(socket, call, behaviour.dieAt?.how ?? 'fin');
  }
  call.outcome = socket.destroyed ? 'aborted' : 'complete';
  if (behaviour.closes || behaviour.framing === 'close') await ended(socket);
}

interface Gates {
  release(model: string, steps: number): void;
  /** Waits for its turn; resolves early when the client is gone, unless steps were let go for it already. */
  pass(model: string, socket: Socket): Promise<void>;
}

function createGates(): Gates {
  const free = new Map<string, number>();
  const waiting = new Map<string, (() => void)[]>();
  return {
    release(model, steps) {
      const queue = waiting.get(model) ?? [];
      for (let step = 0; step < steps; step += 1) {
        const next = queue.shift();
        if (next) next();
        else free.set(model, (free.get(model) ?? 0) + 1);
      }
    },
    pass(model, socket) {
      const left = free.get(model) ?? 0;
      if (left > 0) {
        free.set(model, left - 1);
        return Promise.resolve();
      }
      if (socket.destroyed) return Promise.resolve();
      return new Promise(resolve => {
        const queue = waiting.get(model) ?? [];
        waiting.set(model, queue);
        const gone = () => {
          queue.splice(queue.indexOf(done), 1);
          resolve();
        };
        const done = () => {
          socket.off('close', gone);
          resolve();
        };
        queue.push(done);
        socket.once('close', gone);
      });
    },
  };
}

async function send(socket: Socket, bytes: Buffer, dripMs: number | undefined): Promise<void> {
  if (dripMs === undefined) {
    if (!socket.write(bytes)) await once(socket, 'drain');
    return;
  }
  for (let at = 0; at < bytes.length && !socket.destroyed; at += 1) {
    socket.write(bytes.subarray(at, at + 1));
    await wait(socket, dripMs);
  }
}

async function die(socket: Socket, call: FakeCall, how: 'fin' | 'rst' | 'stall'): Promise<void> {
  call.outcome = how === 'stall' ? 'stalled' : 'died';
  if (how === 'stall') await once(socket, 'close');
  // It runs until the other side can know: who waits for the end of a call must not meet its connection again.
  else if (how === 'fin') await ended(socket);
  else {
    // After what was written has left; a reset at once would take the bytes before it along.
    await setImmediate();
    socket.resetAndDestroy();
  }
}

/** Resolves when all that was written is sent, and the end behind it. */
function ended(socket: Socket): Promise<void> {
  return new Promise(resolve => void socket.end(() => resolve()));
}

/** Resolves early when the client is gone. */
function wait(socket: Socket, delayMs: number): Promise<void> {
  if (socket.destroyed) return Promise.resolve();
  return new Promise(resolve => {
    const done = () => {
      clearTimeout(timer);
      socket.off('close', done);
      resolve();
    };
    const timer = setTimeout(done, delayMs);
    socket.on('close', done);
  });
}

function once(socket: Socket, event: 'drain' | 'close'): Promise<void> {
  if (socket.destroyed) return Promise.resolve();
  return new Promise(resolve => {
    const done = () => {
      socket.off(event, done).off('close', done);
      resolve();
    };
    socket.on(event, done).on('close', done);
  });
}

async function control(socket: Socket, { method, path, body }: Received, { scripts, calls }: Serving): Promise<void> {
  if (method === 'PUT' && path === '/_fake/script') {
    const given: Record<string, Behaviour> = JSON.parse(body.toString('utf8'));
    for (const [model, behaviour] of Object.entries(given)) scripts.set(model, behaviour);
    return respond(socket, 200, '{}');
  }
  if (path === '/_fake/calls') return respond(socket, 200, JSON.stringify(calls));
  return respond(socket, 404, '{}');
}

async function respond(socket: Socket, status: number, body: string): Promise<void> {
  socket.write(
    `HTTP/1.1 ${status} Fake\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

interface CallRecord {
  write(line: object): void;
  close(): void;
}

/** Written at once, so that it outlives this process; synced in groups, so that load does not wait for the disk. */
function openRecord(file: string | undefined): CallRecord {
  if (file === undefined) return { write: () => {}, close: () => {} };
  const fd = openSync(file, 'a');
  let open = true;
  let syncing = false;
  let dirty = false;
  const sync = () => {
    if (!open || syncing || !dirty) return;
    syncing = true;
    dirty = false;
    fsync(fd, () => {
      syncing = false;
      if (open) sync();
      else closeSync(fd);
    });
  };
  return {
    write(line) {
      if (!open) return;
      writeSync(fd, `${JSON.stringify(line)}\n`);
      dirty = true;
      sync();
    },
    close() {
      open = false;
      if (!syncing) closeSync(fd);
    },
  };
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { port: { type: 'string' }, record: { type: 'string' }, scripts: { type: 'string' } },
  });
  const fake = await startFakeUpstream({
    port: Number(values.port ?? 0),
    scripts: JSON.parse(values.scripts ?? '{}'),
    ...(values.record === undefined ? {} : { recordFile: values.record }),
  });
  process.stdout.write(`${JSON.stringify({ port: fake.port, baseUrl: fake.baseUrl })}\n`);
  process.on('SIGTERM', () => process.exit(0));
}
