import type { MessagePort } from 'node:worker_threads';
import { Worker } from 'node:worker_threads';
import { Fault, type Log } from '../../ground/std/index.ts';
import type { CatalogSnapshot } from '../../models/catalog/index.ts';
import type { CallerDelta } from '../../people/callers/index.ts';
import { createTurnCells } from '../../serving/routing/index.ts';
import type { UpstreamFailure } from '../stages/failures.ts';
import type { SupplyAnswer, SupplyRequest } from './shared-admission.ts';
import type { FromThread, ThreadStart, ToThread } from './thread.ts';

export interface GatewayOptions
  extends Omit<ThreadStart, 'journal' | 'turns' | 'reusePort' | 'callers' | 'snapshot' | 'sharing'> {
  /** Gets more of what is short, where wallets and limits are shared with other nodes; never rejects. */
  readonly supply: ((request: SupplyRequest) => Promise<SupplyAnswer>) | undefined;
  readonly threads: number;
  /** A journal connection of its own for each thread. */
  readonly connectJournal: () => MessagePort;
  readonly callers: () => ThreadStart['callers'];
  readonly snapshot: () => CatalogSnapshot;
  /** Called once, before a thread is given what there is: what changes from then on is told to all, also to those that still start. */
  readonly follow: (threads: Informed) => void;
  readonly log: Log;
  /** A thread died by itself: the node cannot go on as it is. */
  readonly onCrash: (error: Error) => void;
}

export interface Informed {
  snapshot(snapshot: CatalogSnapshot): void;
  callers(delta: CallerDelta): void;
}

export interface GatewayThreads {
  readonly port: number;
  /** How long each thread has worked since its start, read without asking it. */
  busyMs(): readonly number[];
  /** Why a deployment failed last, by the thread that saw it; undefined where it did not since the start. */
  lastFailure(deploymentId: string): UpstreamFailure | undefined;
  /** Stops accepting, waits for running requests, cuts the rest off at the deadline. Returns how many were cut off. */
  drain(deadlineMs: number): Promise<number>;
  stop(): Promise<void>;
}

/** Starts the gateway threads, all on one port. Throws Fault `config_invalid` where the port cannot be had. */
export async function startGatewayThreads(options: GatewayOptions): Promise<GatewayThreads> {
  const workers: Worker[] = [];
  const failures = new Map<string, UpstreamFailure>();
  const turns = createTurnCells();
  let stopping = false;
  const spawn = async (port: number, reusePort: boolean): Promise<number> => {
    const journal = options.connectJournal();
    const { threads: _threads, connectJournal: _connect, log: _log, onCrash, ...more } = options;
    const { callers, snapshot, supply, follow: _follow, ...rest } = more;
    const known = { sharing: supply !== undefined, callers: callers(), snapshot: snapshot() };
    const start: ThreadStart = { ...rest, ...known, turns, port, reusePort, journal };
    const worker = new Worker(new URL('./thread.ts', import.meta.url), {
      name: 'gateway',
      workerData: start,
      transferList: [journal],
    });
    workers.push(worker);
    hear(worker, { supply, failures });
    worker.on('error', error => onCrash(error instanceof Error ? error : new Error(String(error))));
    worker.on('exit', code => {
      if (!stopping) onCrash(new Error(`a gateway thread exited with ${code}`));
    });
    const answer = await new Promise<FromThread>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
    if (answer.type === 'listening') return answer.port;
    throw listenFault(options, answer.type === 'failed' ? answer : { code: '', message: '' });
  };
  const stop = async () => {
    stopping = true;
    await Promise.all(workers.map(worker => worker.terminate()));
  };
  const tell = (message: ToThread) => {
    for (const worker of workers) worker.postMessage(message);
  };
  options.follow({
    snapshot: snapshot => tell({ type: 'snapshot', snapshot }),
    callers: delta => tell({ type: 'callers', delta }),
  });
  try {
    // Sharing a port between threads needs SO_REUSEPORT with balancing, which Linux has; elsewhere one thread serves.
    const many = options.threads > 1 && process.platform === 'linux';
    const port = await spawn(options.port, many);
    for (let count = 1; many && count < options.threads; count++) await spawn(port, true);
    return {
      port,
      lastFailure: deploymentId => failures.get(deploymentId),
      busyMs: () => workers.map(worker => worker.performance.eventLoopUtilization().active),
      async drain(deadlineMs) {
        stopping = true;
        const cut = workers.map(
          worker =>
            new Promise<number>(resolve => {
              worker.on('message', (message: FromThread) => {
                if (message.type === 'drained') resolve(message.cutOff);
              });
            }),
        );
        tell({ type: 'drain', deadlineMs });
        return (await Promise.all(cut)).reduce((sum, count) => sum + count, 0);
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What a thread is short of is asked for, and the answer goes back to it; why upstreams failed is kept. */
function hear(
  worker: Worker,
  { supply, failures }: { readonly supply: GatewayOptions['supply']; readonly failures: Map<string, UpstreamFailure> },
): void {
  worker.on('message', (message: FromThread) => {
    if (message.type === 'upstream-failed') failures.set(message.failure.deploymentId, message.failure);
    if (message.type !== 'supply') return;
    const { id, request } = message;
    void supply?.(request).then(answer => worker.postMessage({ type: 'supplied', id, answer } satisfies ToThread));
  });
}

function listenFault(
  { host, port }: { readonly host: string; readonly port: number },
  { code, message }: { readonly code: string; readonly message: string },
): Fault {
  const place = `${host}:${port}`;
  if (code === 'EADDRINUSE') {
    return new Fault('config_invalid', {
      message: `${place} is taken by another program: stop it, or set MILLRACE_PORT`,
      messageZh: `${place} 已被其他程序占用：请停止该程序，或设置 MILLRACE_PORT`,
    });
  }
  if (code === 'EACCES')
    return new Fault('config_invalid', {
      message: `${place} may not be opened by this user: set MILLRACE_PORT to 1024 or more`,
      messageZh: `当前用户无权监听 ${place}：请将 MILLRACE_PORT 设为 1024 或更大`,
    });
  return new Fault('config_invalid', {
    message: `Cannot listen on ${place}: ${message}`,
    messageZh: `无法监听 ${place}：${message}`,
  });
}
