import { mkdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import type { Clock, DeploymentSlots, Log } from '../../../ground/std/index.ts';
import { type EngineDeployment, EngineProcess, type EngineStatus } from './engine-process.ts';
import { openSocketFolder } from './socket-path.ts';

export interface Engines extends AsyncDisposable {
  /** `unix:<path>:/v1`. The same before, during and after every life of the host, so a catalog can hold it. */
  baseUrl(deploymentId: string): string;
  /** Makes what runs equal to this list: starts what is new, ends what is gone, and restarts what changed. */
  update(deployments: readonly EngineDeployment[]): Promise<void>;
  status(): readonly EngineStatus[];
  /** Tells of every change of a state. @returns a call that ends it */
  onChange(listener: () => void): () => void;
  /** Ends all hosts, without waiting for their answers: drain first. */
  stop(): Promise<void>;
}

/** At most this many of libuv's threads help with sampling; evaluation takes one of them. */
const WORKER_THREADS_MAX = 4;
/** A start waits this long for another host to finish loading, then goes ahead: a huge model must not hold up a small one. */
const TURN_WAIT_MS = 10_000;

/** Runs one host process per embedded model and keeps it running. For the main thread. */
export function superviseEngines(options: {
  readonly node: string;
  /** A folder of ours for sockets; made where it is missing. */
  readonly runDir: string;
  readonly deployments: readonly EngineDeployment[];
  readonly slots: DeploymentSlots;
  readonly log: Log;
  readonly clock: Clock;
  readonly random?: () => number;
}): Engines {
  mkdirSync(options.runDir, { recursive: true, mode: 0o700 });
  const sockets = openSocketFolder(options.runDir);
  const running = new Map<string, EngineProcess>();
  const listeners = new Set<() => void>();
  const parts = {
    node: options.node,
    slots: options.slots,
    log: options.log,
    clock: options.clock,
    random: options.random ?? Math.random,
    // One core is the gateway's, as for the engine's own threads.
    workerThreads: Math.min(WORKER_THREADS_MAX, Math.max(1, availableParallelism() - 1)),
    turn: createTurns(),
    onChange() {
      for (const listener of listeners) listener();
    },
  };
  let stopped = false;
  let changes: Promise<void> = Promise.resolve();

  const apply = async (deployments: readonly EngineDeployment[]): Promise<void> => {
    const wanted = new Map(deployments.map(deployment => [deployment.deploymentId, deployment]));
    const ending = [...running.values()].filter(
      ({ deployment }) => !isSame(deployment, wanted.get(deployment.deploymentId)),
    );
    for (const engine of ending) running.delete(engine.deployment.deploymentId);
    await Promise.all(ending.map(engine => engine[Symbol.asyncDispose]()));
    for (const [id, deployment] of wanted)
      if (!running.has(id) && !stopped) running.set(id, new EngineProcess(deployment, sockets.pathOf(id), parts));
  };
  const update = (deployments: readonly EngineDeployment[]): Promise<void> => {
    changes = changes.catch(() => {}).then(() => apply(deployments));
    return changes;
  };
  const stop = async (): Promise<void> => {
    stopped = true;
    await update([]);
    sockets[Symbol.dispose]();
  };
  void update(options.deployments);
  return {
    baseUrl: deploymentId => `unix:${sockets.pathOf(deploymentId)}:/v1`,
    update,
    status: () => [...running.values()].map(engine => engine.status()),
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

function isSame(a: EngineDeployment, b: EngineDeployment | undefined): boolean {
  const keys = ['slot', 'file', 'contextTokens', 'sequences', 'threads', 'stallMs'] as const;
  return b !== undefined && keys.every(key => a[key] === b[key]);
}

/** One holder at a time, in order of asking; who waited long enough goes ahead without. */
function createTurns(): () => Promise<Disposable> {
  let last: Promise<void> = Promise.resolve();
  return async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const before = last;
    last = promise;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>(accept => {
      timer = setTimeout(accept, TURN_WAIT_MS).unref();
    });
    await Promise.race([before, late]);
    clearTimeout(timer);
    return { [Symbol.dispose]: resolve };
  };
}
