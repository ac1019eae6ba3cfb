import { type ChildProcess, spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { getCompileCacheDir } from 'node:module';
import { homedir, setPriority } from 'node:os';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Clock, DeploymentSlots, Log } from '../../../ground/std/index.ts';
import { backoffMs, CRASH_BACKOFF, REFUSAL_BACKOFF } from './backoff.ts';
import {
  BEAT_MS,
  type HostFacts,
  type HostLoad,
  type HostMessage,
  type HostOptions,
  isMessage,
  type SupervisorMessage,
} from './host-messages.ts';

/** One embedded model to be served. */
export interface EngineDeployment {
  readonly deploymentId: string;
  /** Row in the shared counters, whose `ready` this sets. */
  readonly slot: number;
  /** A GGUF file on this machine. */
  readonly file: string;
  /** Longest prompt plus answer; absent: from the model and the memory. */
  readonly contextTokens?: number | undefined;
  /** Answers at once; absent: from the memory. */
  readonly sequences?: number | undefined;
  /** Absent: measured. */
  readonly threads?: number | undefined;
}

export interface EngineStatus {
  readonly deploymentId: string;
  /** `waiting`: between a failure and the next start. */
  readonly state: 'starting' | 'ready' | 'waiting' | 'stopped';
  readonly pid?: number;
  /** Starts after the first. */
  readonly restarts: number;
  /** It keeps failing and someone should look; it is still started again, ever more rarely. */
  readonly crashLoop: boolean;
  readonly nextStartInMs?: number;
  readonly lastFailure?: { readonly message: string; readonly messageZh: string; readonly atMs: number };
  readonly facts?: HostFacts;
  readonly load?: HostLoad;
}

export interface EngineParts {
  /** The pinned Node. */
  readonly node: string;
  readonly slots: DeploymentSlots;
  readonly log: Log;
  readonly clock: Clock;
  /** 0 to 1; for the jitter. */
  readonly random: () => number;
  /** libuv's threads in the host: decoding and sampling run on them. */
  readonly workerThreads: number;
  /** Waited for before a start: two hosts that measure at once would measure each other. */
  readonly turn: () => Promise<Disposable>;
}

/** A host that answers nothing for this long hangs. */
const SILENCE_MS_MAX = 30 * BEAT_MS;
const STOP_GRACE_MS = 2_000;
/** Ready for this long, and earlier failures are forgiven. */
const STABLE_MS = 60_000;
const CRASH_LOOP_FAILURES = 5;
const STDERR_KEPT = 2_048;
const NICENESS = 5;
const HOST = fileURLToPath(new URL('./host.ts', import.meta.url));

/** One deployment's host through all its lives. */
export class EngineProcess implements AsyncDisposable {
  readonly deployment: EngineDeployment;
  private readonly socketPath: string;
  private readonly parts: EngineParts;
  private readonly log: Log;
  private child: ChildProcess | undefined;
  private turn: Disposable | undefined;
  private state: EngineStatus['state'] = 'starting';
  private starts = 0;
  private failures = 0;
  private refused = false;
  private readySinceMs = 0;
  private heardMs = 0;
  private stderr = '';
  private nextStartMs = 0;
  private timer: NodeJS.Timeout | undefined;
  private readonly watchdog: NodeJS.Timeout;
  private exited: PromiseWithResolvers<void> | undefined;
  private lastFailure: EngineStatus['lastFailure'];
  private facts: HostFacts | undefined;
  private load: HostLoad | undefined;

  constructor(deployment: EngineDeployment, socketPath: string, parts: EngineParts) {
    this.deployment = deployment;
    this.socketPath = socketPath;
    this.parts = parts;
    this.log = parts.log.child({ deploymentId: deployment.deploymentId });
    this.watchdog = setInterval(() => this.killWhenSilent(), BEAT_MS).unref();
    parts.slots.set(deployment.slot, 'ready', 0);
    this.startOrWait();
  }

  status(): EngineStatus {
    const { deployment, state, child, lastFailure, facts, load } = this;
    return {
      deploymentId: deployment.deploymentId,
      state,
      ...(child?.pid === undefined ? {} : { pid: child.pid }),
      restarts: Math.max(0, this.starts - 1),
      crashLoop: this.failures >= CRASH_LOOP_FAILURES,
      ...(state === 'waiting' ? { nextStartInMs: Math.max(0, this.nextStartMs - this.parts.clock.monotonicMs()) } : {}),
      ...(lastFailure === undefined ? {} : { lastFailure }),
      ...(facts === undefined ? {} : { facts }),
      ...(load === undefined ? {} : { load }),
    };
  }

  /** Ends the host; what it was answering is lost. Nothing is started any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.state = 'stopped';
    clearTimeout(this.timer);
    clearInterval(this.watchdog);
    this.parts.slots.set(this.deployment.slot, 'ready', 0);
    const { child, exited } = this;
    if (child === undefined) return;
    const message: SupervisorMessage = { type: 'stop' };
    if (child.connected) child.send(message, () => {});
    const killer = setTimeout(() => child.kill('SIGKILL'), STOP_GRACE_MS);
    await exited?.promise;
    clearTimeout(killer);
  }

  private startOrWait(): void {
    this.start().catch((error: unknown) => this.afterEnd(error instanceof Error ? error.message : String(error)));
  }

  private async start(): Promise<void> {
    this.state = 'starting';
    const turn = await this.parts.turn();
    if (this.isStopped()) return turn[Symbol.dispose]();
    this.turn = turn;
    this.starts += 1;
    this.refused = false;
    this.stderr = '';
    this.load = undefined;
    this.heardMs = this.parts.clock.monotonicMs();
    this.exited = Promise.withResolvers();
    // What a host that was killed left behind would make the next one fail to listen.
    if (process.platform !== 'win32') rmSync(this.socketPath, { force: true });
    const child = spawn(this.parts.node, [HOST, JSON.stringify(this.hostOptions())], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: this.environment(),
    });
    this.child = child;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr = (this.stderr + text).slice(-STDERR_KEPT);
    });
    child.on('message', message => {
      if (isMessage<HostMessage>(message)) this.hear(message);
    });
    // A process that could not be made has no exit; one that could not be told or killed still has to end.
    child.on('error', error => (child.pid === undefined ? this.ended(child, error.message) : child.kill('SIGKILL')));
    child.on('exit', (code, signal) => this.ended(child, signal === null ? `exit code ${code}` : signal));
    this.yieldToGateway(child);
  }

  private hostOptions(): HostOptions {
    const { file, contextTokens, sequences, threads } = this.deployment;
    // Of this runtime's version alone; a process adds that by itself.
    const compiled = getCompileCacheDir();
    return {
      file,
      socketPath: this.socketPath,
      ...(contextTokens === undefined ? {} : { contextTokens }),
      ...(sequences === undefined ? {} : { sequences }),
      ...(threads === undefined ? {} : { threads }),
      ...(compiled === undefined ? {} : { compileCache: dirname(compiled) }),
    };
  }

  /** Its own, and none of ours: keys of providers and databases are no business of a native engine. */
  private environment(): NodeJS.ProcessEnv {
    return {
      HOME: homedir(),
      LANG: 'C.UTF-8',
      PATH: '/usr/local/bin:/usr/bin:/bin',
      UV_THREADPOOL_SIZE: String(this.parts.workerThreads),
    };
  }

  /** As early as can be: threads inherit the priority of the one that starts them. */
  private yieldToGateway(child: ChildProcess): void {
    try {
      if (child.pid !== undefined) setPriority(child.pid, NICENESS);
    } catch {
      // Gone already, which `exit` tells.
    }
  }

  private hear(message: HostMessage): void {
    this.heardMs = this.parts.clock.monotonicMs();
    switch (message.type) {
      case 'ready':
        if (this.isStopped()) return;
        this.state = 'ready';
        this.facts = message.facts;
        this.readySinceMs = this.heardMs;
        this.endTurn();
        this.parts.slots.set(this.deployment.slot, 'ready', 1);
        this.log.info('engine.ready', { ...message.facts });
        return;
      case 'beat':
        this.load = message.load;
        return;
      case 'log':
        this.log[message.level](message.event, { ...message.fields });
        return;
      case 'refused':
        this.refused = true;
        this.lastFailure = { message: message.message, messageZh: message.messageZh, atMs: this.parts.clock.nowMs() };
        return;
      default:
        message satisfies never;
    }
  }

  private ended(child: ChildProcess, how: string): void {
    if (this.child !== child) return;
    this.child = undefined;
    if (process.platform !== 'win32') rmSync(this.socketPath, { force: true });
    this.afterEnd(how);
  }

  /** Puts off the next start, longer each time. */
  private afterEnd(how: string): void {
    this.endTurn();
    this.parts.slots.set(this.deployment.slot, 'ready', 0);
    this.exited?.resolve();
    if (this.isStopped()) return;
    const nowMs = this.parts.clock.monotonicMs();
    if (this.state === 'ready' && nowMs - this.readySinceMs >= STABLE_MS) this.failures = 0;
    this.failures += 1;
    if (!this.refused)
      this.lastFailure = {
        message: `the engine ended: ${how}`,
        messageZh: `引擎已退出：${how}`,
        atMs: this.parts.clock.nowMs(),
      };
    const delayMs = backoffMs(this.refused ? REFUSAL_BACKOFF : CRASH_BACKOFF, this.failures, this.parts.random());
    this.state = 'waiting';
    this.nextStartMs = nowMs + delayMs;
    this.timer = setTimeout(() => this.startOrWait(), delayMs).unref();
    const crashLoop = this.failures >= CRASH_LOOP_FAILURES;
    const fields = {
      how,
      failures: this.failures,
      delayMs,
      crashLoop,
      reason: this.lastFailure?.message,
      stderr: this.stderr.trim(),
    };
    if (crashLoop || this.refused) this.log.error('engine.failed', fields);
    else this.log.warn('engine.failed', fields);
  }

  private killWhenSilent(): void {
    if (this.child === undefined || this.parts.clock.monotonicMs() - this.heardMs < SILENCE_MS_MAX) return;
    this.log.error('engine.hangs', { silentMs: SILENCE_MS_MAX });
    this.child.kill('SIGKILL');
  }

  private endTurn(): void {
    this.turn?.[Symbol.dispose]();
    this.turn = undefined;
  }

  /** Asked after every wait; a method, so that the compiler does not take the answer of before for the one of now. */
  private isStopped(): boolean {
    return this.state === 'stopped';
  }
}
