import { readdirSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { setPriority } from 'node:os';
import { Fault, toFault } from '../../../../ground/std/index.ts';
import { BEAT_MS, type HostMessage, type HostOptions, isMessage, type SupervisorMessage } from '../host-messages.ts';
import { createEngineServer, type EngineServer } from './answers/server.ts';
import type { Engine } from './model/engine.ts';
import { loadEngine, machineFacts } from './model/load-engine.ts';
import type { Stall } from './model/stall-watch.ts';
import { invalid } from './requests/fields.ts';

/** Below the gateway, above idle: when both want a core, the gateway has it. */
const NICENESS = 5;
/** Owner may read and write: connecting to a socket needs both. */
const SOCKET_UMASK = 0o177;
const NATIVES_KEPT = 100;
/** For the words to those who waited, before the end. */
const STALL_GRACE_MS = 1_000;
const RESTART_MS = 5_000;

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
  let server: EngineServer | undefined;
  const natives: string[] = [];
  setInterval(() => beat(engine), BEAT_MS);
  try {
    const nowMs = () => performance.now();
    engine = await loadEngine({
      ...options,
      nowMs,
      // Warnings of llama.cpp are about its own ways; what matters of them is the reason when it gives up.
      onLog(level, message) {
        if (engine === undefined && level !== 'debug' && natives.length < NATIVES_KEPT) natives.push(message);
        send({ type: 'log', level: 'debug', event: 'engine.native', fields: { level, message } });
      },
      onStall: stall => void endStalled(stall, server),
    });
    server = await listen(engine, options.socketPath);
    yieldToGateway();
    report(engine, startedMs);
    // A host ends by SIGKILL, which leaves no time for it.
    flushCompileCache();
  } catch (error) {
    const fault = toFault(error);
    const message = fault.code === 'internal' ? nativeWords(error, natives) : fault.messageIn('en');
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

async function listen(engine: Engine, socketPath: string): Promise<EngineServer> {
  const made = createEngineServer(engine, (fault, path) =>
    send({
      type: 'log',
      level: 'error',
      event: 'engine.request_failed',
      fields: { path, code: fault.code, reason: fault.details.internal },
    }),
  );
  process.umask(SOCKET_UMASK);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  made.server.once('error', reject);
  made.server.listen(socketPath, resolve);
  await promise;
  return made;
}

/**
 * Native work hangs. The request whose grammar it hangs in is told so; the others that there is no room now, and when to come
 * again: after the start of the next host.
 */
async function endStalled({ suspects, forMs }: Stall, server: EngineServer | undefined): Promise<void> {
  const seconds = Math.round(forMs / 1000);
  const blamed = invalid(
    'response_format',
    `takes over ${seconds} s for one token; ask for a simpler schema`,
    `每个词元的处理时间超过 ${seconds} 秒，请使用更简单的 schema`,
  );
  const others = new Fault('capacity', {
    retryAfterMs: RESTART_MS,
    internal: 'an evaluation hangs; the engine starts again',
  });
  const told = server?.endAll(owner => (suspects.has(owner) ? blamed : others));
  const late = new Promise(resolve => setTimeout(resolve, STALL_GRACE_MS));
  send({
    type: 'log',
    level: 'error',
    event: 'engine.stalled',
    fields: { forMs, suspects: suspects.size },
  });
  await Promise.race([told, late]);
  const message = `an evaluation did not end within ${seconds} s`;
  send({ type: 'stalled', message, messageZh: `一次计算在 ${seconds} 秒内未结束` }, die);
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
      stallMs: engine.stallMs,
    },
  });
}

/** Shows that the event loop turns, from the first moment on: loading may take minutes. */
function beat(engine: Engine | undefined): void {
  const { busy = 0, waiting = 0 } = engine?.generator?.pool ?? {};
  const { steps = 0, running = 0 } = engine?.watch ?? {};
  const tokensPredicted = engine?.metrics.predictedTokens ?? 0;
  send({
    type: 'beat',
    load: {
      processing: Math.max(busy, running),
      deferred: waiting,
      tokensPredicted,
      steps,
      residentBytes: process.memoryUsage.rss(),
    },
  });
}

function send(message: HostMessage, sent?: () => void): void {
  if (process.connected) process.send?.(message, () => sent?.());
  else sent?.();
}

/** The engine's own words, on one line: its last errors say why, where the library says only that. */
function nativeWords(error: unknown, natives: readonly string[]): string {
  const said = error instanceof Error ? error.message : String(error);
  const reasons = natives
    .filter(text => /error|fail|unknown|unsupported|invalid|missing/i.test(text.slice(0, 1_000)))
    .slice(0, 2);
  return [said, ...reasons].join('; ').replace(/\s+/g, ' ').slice(0, 500);
}
