import { type ChildProcess, spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { getCompileCacheDir } from 'node:module';
import { homedir, setPriority } from 'node:os';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Clock, type DeploymentSlots, ENGINE_FAILED, type Log } from '../../../ground/std/index.ts';
import { backoffMs, CRASH_BACKOFF, REFUSAL_BACKOFF } from './backoff.ts';
import { CRASH_LOOP_FAILURES, type EnginePhase, enginePhase } from './engine-phase.ts';
import {
  BEAT_MS,
  type HostFacts,
  type HostLoad,
  type HostMessage,
  type HostOptions,
  isMessage,
  type SupervisorMessage,
} from './host-messages.ts';
import { ProgressWatch } from './progress-watch.ts';

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
  /** A step of an answer that takes longer hangs; absent: from the speed that was measured. */
  readonly stallMs?: number | undefined;
}

export interface EngineStatus {
  readonly deploymentId: string;
  /** `waiting`: between a failure and the next start. */
  readonly state: 'starting' | 'ready' | 'waiting' | 'stopped';
  readonly phase: EnginePhase;
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
  /** Told whenever a state changes. */
  readonly onChange: () => void;
  /** Waited for before a start: two hosts that measure at once would measure each other. */
  readonly turn: () => Promise<Disposable>;
}

/** A host that answers nothing for this long hangs. */
const SILENCE_MS_MAX = 30 * BEAT_MS;
const STOP_GRACE_MS = 2_000;
/** Ready for this long, and earlier failures are forgiven. */
const STABLE_MS = 60_000;
/** The host's own watch comes first, and needs time to tell its clients. */
const STALLS_MAX = 2;
const STDERR_KEPT = 2_048;
const NICENESS = 5;
/** What the gateway's threads see of a phase. */
const READY_OF_PHASE: Readonly<Record<EnginePhase, number>> = { loading: 0, ready: 1, failed: ENGINE_FAILED };
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
  private everReady = false;
  private progress: ProgressWatch | undefined;
  private readySinceMs = 0;
  private heardMs = 0;
  private stderr = '';
  private nextStartMs = 0;
  private timer: NodeJS.Timeout | undefined;
  private readonly watchdog: NodeJS.Timeout;
  private exited: PromiseWithResolvers<void> | undefined;
  /** Its own words, before its end. */
  private said: { readonly message: string; readonly messageZh: string } | undefined;
  private lastFailure: EngineStatus['lastFailure'];
  private facts: HostFacts | undefined;
  private load: HostLoad | undefined;

  constructor(deployment: EngineDeployment, socketPath: string, parts: EngineParts) {
    this.deployment = deployment;
    this.socketPath = socketPath;
    this.parts = parts;
    this.log = parts.log.child({ deploymentId: deployment.deploymentId });
    this.watchdog = setInterval(() => this.killWhenStuck(), BEAT_MS).unref();
    this.publish();
    this.startOrWait();
  }

  status(): EngineStatus {
    const { deployment, state, child, lastFailure, facts, load, refused, failures, everReady } = this;
    return {
      deploymentId: deployment.deploymentId,
      state,
      phase: enginePhase({ isReady: state === 'ready', refused, failures, everReady }),
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
    this.publish();
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
    this.said = undefined;
    this.progress = undefined;
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
    const { file, contextTokens, sequences, threads, stallMs } = this.deployment;
    // Of this runtime's version alone; a process adds that by itself.
    const compiled = getCompileCacheDir();
    return {
      file,
      socketPath: this.socketPath,
      ...(contextTokens === undefined ? {} : { contextTokens }),
      ...(sequences === undefined ? {} : { sequences }),
      ...(threads === undefined ? {} : { threads }),
      ...(compiled === undefined ? {} : { compileCache: dirname(compiled) }),
      ...(stallMs === undefined ? {} : { stallMs }),
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
        this.refused = false;
        this.everReady = true;
        this.progress = new ProgressWatch(STALLS_MAX * message.facts.stallMs + SILENCE_MS_MAX);
        this.endTurn();
        this.publish();
        this.log.info('engine.ready', { ...message.facts });
        return;
      case 'beat':
        this.load = message.load;
        this.progress?.hear(message.load, this.heardMs);
        return;
      case 'log':
        this.log[message.level](message.event, { ...message.fields });
        return;
      case 'refused':
      case 'stalled':
        this.refused = message.type === 'refused';
        this.said = { message: message.message, messageZh: message.messageZh };
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
    this.exited?.resolve();
    if (this.isStopped()) return;
    const nowMs = this.parts.clock.monotonicMs();
    if (this.state === 'ready' && nowMs - this.readySinceMs >= STABLE_MS) this.failures = 0;
    this.failures += 1;
    const words = this.said ?? { message: `the engine ended: ${how}`, messageZh: `引擎已退出：${how}` };
    this.lastFailure = { ...words, atMs: this.parts.clock.nowMs() };
    const delayMs = backoffMs(this.refused ? REFUSAL_BACKOFF : CRASH_BACKOFF, this.failures, this.parts.random());
    this.state = 'waiting';
    this.nextStartMs = nowMs + delayMs;
    this.timer = setTimeout(() => this.startOrWait(), delayMs).unref();
    this.publish();
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

  private killWhenStuck(): void {
    const nowMs = this.parts.clock.monotonicMs();
    const isSilent = nowMs - this.heardMs >= SILENCE_MS_MAX;
    if (this.child === undefined || !(isSilent || this.progress?.isStuck(nowMs) === true)) return;
    this.log.error('engine.hangs', { how: isSilent ? 'silent' : 'no progress' });
    this.child.kill('SIGKILL');
  }

  /** To those who count on it: the gateway by the counters, others by a call. */
  private publish(): void {
    const { phase } = this.status();
    this.parts.slots.set(this.deployment.slot, 'ready', this.isStopped() ? 0 : READY_OF_PHASE[phase]);
    this.parts.onChange();
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
