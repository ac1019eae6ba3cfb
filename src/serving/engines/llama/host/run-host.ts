import { readdirSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { setPriority } from 'node:os';
import { toFault } from '../../../../ground/std/index.ts';
import { BEAT_MS, type HostMessage, type HostOptions, isMessage, type SupervisorMessage } from '../host-messages.ts';
import { createEngineServer } from './answers/server.ts';
import type { Engine } from './model/engine.ts';
import { loadEngine, machineFacts } from './model/load-engine.ts';

/** Below the gateway, above idle: when both want a core, the gateway has it. */
const NICENESS = 5;
/** Owner may read and write: connecting to a socket needs both. */
const SOCKET_UMASK = 0o177;

/** Runs one engine host until its supervisor says stop, or is gone. */
export async function runHost(options: HostOptions, startedMs: number): Promise<void> {
  // A supervisor that died takes its hosts along, whatever they do: nobody could reach them any more.
  process.on('disconnect', die);
  if (!process.connected) die();
  process.on('message', message => {
    if (isMessage<SupervisorMessage>(message) && message.type === 'stop') die();
  });
  // Ctrl-C, and a service manager's stop, go to the whole group while the gateway still drains; when to stop is the
  // supervisor's to say.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
  yieldToGateway();
  let engine: Engine | undefined;
  setInterval(() => beat(engine), BEAT_MS);
  try {
    const nowMs = () => performance.now();
    engine = await loadEngine({
      ...options,
      nowMs,
      onLog: (level, message) => send({ type: 'log', level, event: 'engine.native', fields: { message } }),
    });
    await listen(engine, options.socketPath);
    yieldToGateway();
    report(engine, startedMs);
    // A host ends by SIGKILL, which leaves no time for it.
    flushCompileCache();
  } catch (error) {
    const fault = toFault(error);
    const message = fault.code === 'internal' ? nativeWords(error) : fault.messageIn('en');
    send(
      {
        type: 'refused',
        code: fault.code,
        message,
        messageZh: fault.code === 'internal' ? message : fault.messageIn('zh'),
      },
      die,
    );
  }
}

/** SIGKILL: native threads may be in the middle of a batch, and waiting for them is what a stop must not do. */
function die(): never {
  process.kill(process.pid, 'SIGKILL');
  throw new Error('unreachable');
}

/**
 * Lowers the priority of every thread there is. On Linux priority belongs to threads, and those that the runtime started
 * before us keep theirs; threads started later inherit ours.
 */
function yieldToGateway(): void {
  try {
    setPriority(NICENESS);
    if (process.platform === 'linux')
      for (const id of readdirSync('/proc/self/task')) setPriority(Number(id), NICENESS);
  } catch {
    // A thread that ended meanwhile, or a system that does not allow it: no reason not to serve.
  }
}

async function listen(engine: Engine, socketPath: string): Promise<void> {
  const server = createEngineServer(engine, (fault, path) =>
    send({
      type: 'log',
      level: 'error',
      event: 'engine.request_failed',
      fields: { path, code: fault.code, reason: fault.details.internal },
    }),
  );
  process.umask(SOCKET_UMASK);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen(socketPath, resolve);
  await promise;
}

function report(engine: Engine, startedMs: number): void {
  const { summary, plan, tuning } = engine;
  const { readings, chosen } = tuning;
  send({
    type: 'log',
    level: 'info',
    event: 'engine.tuned',
    fields: { model: summary.name, chosen, readings, ...machineFacts(engine.llama) },
  });
  send({
    type: 'ready',
    facts: {
      name: summary.name,
      contextTokens: plan.contextTokens,
      sequences: plan.sequences,
      threads: chosen.threads,
      tokensPerSecond: Math.round(chosen.tokensPerSecond),
      neededBytes: plan.neededBytes,
      startMs: Math.round(Date.now() - startedMs),
    },
  });
}

/** Shows that the event loop turns, from the first moment on: loading may take minutes. */
function beat(engine: Engine | undefined): void {
  const { busy = 0, waiting = 0 } = engine?.generator?.pool ?? {};
  const tokensPredicted = engine?.metrics.predictedTokens ?? 0;
  send({
    type: 'beat',
    load: { processing: busy, deferred: waiting, tokensPredicted, residentBytes: process.memoryUsage.rss() },
  });
}

function send(message: HostMessage, sent?: () => void): void {
  if (process.connected) process.send?.(message, () => sent?.());
  else sent?.();
}

/** The engine's own words, on one line. */
function nativeWords(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replace(/\s+/g, ' ').slice(0, 500);
}
