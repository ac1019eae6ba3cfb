// One gateway thread: an HTTP server with what it needs, and nothing that blocks. Talks to main by messages only.
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { openJournalClient } from '../../ground/journal/index.ts';
import {
  armCrashPoint,
  bootMs,
  crashPoint,
  createEgress,
  createLog,
  createUuid7,
  every,
  Fault,
  type Log,
  type LogLevel,
  openSlots,
  openTerm,
  Secret,
  type SharedSlots,
  systemClock,
  toFault,
} from '../../ground/std/index.ts';
import type { CatalogSnapshot, Deployment } from '../../models/catalog/index.ts';
import { codecs } from '../../models/dialects/index.ts';
import { type CallerDelta, type CallerRecord, createCallerIndex, createKeyHasher } from '../../people/callers/index.ts';
import { createUpstreams } from '../../serving/engines/index.ts';
import { createPlaceQueue, openTurns } from '../../serving/routing/index.ts';
import { type BodyRoomLimits, createBodyRoom } from '../stages/body-room.ts';
import { createFailureNotes, type UpstreamFailure } from '../stages/failures.ts';
import { createClientAddress } from '../surfaces/client-address.ts';
import { createControlProxy } from '../surfaces/control-proxy.ts';
import type { Exchange } from '../surfaces/exchange-deps.ts';
import { createDataPlane } from '../surfaces/http.ts';
import { createRunning } from '../surfaces/running.ts';
import { createSharedAdmission, type SupplyAnswer, type SupplyRequest } from './shared-admission.ts';

/** Given to a thread at its start; structured-cloneable, the port transferred. */
export interface ThreadStart {
  readonly shared: SharedSlots;
  readonly journal: MessagePort;
  readonly host: string;
  readonly port: number;
  readonly reusePort: boolean;
  readonly pepper: string;
  readonly callers: readonly CallerRecord[];
  readonly snapshot: CatalogSnapshot;
  readonly controlSocket: string;
  readonly logLevel: LogLevel;
  /** A stream that says nothing for so long says that it lives. */
  readonly silenceMs: number;
  /** Whose turn it is, over all threads. */
  readonly turns: SharedArrayBuffer;
  readonly crashAt: string | undefined;
  readonly bodyLimits: BodyRoomLimits;
  /** Addresses and ranges of proxies whose word is taken for who asks. */
  readonly trustedProxies: readonly string[];
  readonly corsOrigins: readonly string[];
  /** Wallets and limits are shared with other nodes. */
  readonly sharing: boolean;
}

export type ToThread =
  | { readonly type: 'snapshot'; readonly snapshot: CatalogSnapshot }
  | { readonly type: 'callers'; readonly delta: CallerDelta }
  /** Answers `supply`. */
  | { readonly type: 'supplied'; readonly id: number; readonly answer: SupplyAnswer }
  /** Stop accepting; answer `drained` when the last exchange ended, at the latest at the deadline. */
  | { readonly type: 'drain'; readonly deadlineMs: number };

export type FromThread =
  | { readonly type: 'listening'; readonly port: number }
  | { readonly type: 'failed'; readonly code: string; readonly message: string }
  | { readonly type: 'supply'; readonly id: number; readonly request: SupplyRequest }
  | { readonly type: 'upstream-failed'; readonly failure: UpstreamFailure }
  | { readonly type: 'drained'; readonly cutOff: number };

/** Of the control plane's own, which may be sent without a key: eight of the largest. */
const CONTROL_BODIES = { nodeBytes: 64 * 1024 * 1024 };
const STOPPING = { message: 'This node is shutting down', messageZh: '本节点正在关闭', retryAfterMs: 2_000 };
/** Long enough for a settlement to become durable and its last bytes to leave. */
const AFTER_CUT_MS = 2_000;

/** Questions to main, and who waits for their answers. */
function createSupplyLine(tell: (message: FromThread) => void) {
  const waiting = new Map<number, (answer: SupplyAnswer) => void>();
  let last = 0;
  return {
    ask(request: SupplyRequest, answered: (answer: SupplyAnswer) => void) {
      const id = ++last;
      waiting.set(id, answered);
      tell({ type: 'supply', id, request });
    },
    answered(id: number, answer: SupplyAnswer) {
      const answered = waiting.get(id);
      waiting.delete(id);
      answered?.(answer);
    },
  };
}

/** The last net. Connections and requests have their own, and end by it; what comes here belongs to none, and ending the thread would end all. */
function catchTheRest(log: Log): void {
  process.on('uncaughtException', error => {
    const { message, details } = toFault(error);
    log.error('thread-threw', { internal: details.internal ?? message });
  });
}

function runThread(start: ThreadStart, main: MessagePort): void {
  armCrashPoint(start.crashAt);
  const slots = openSlots(start.shared, start.sharing ? 'shares' : 'own');
  const log = createLog(start.logLevel);
  catchTheRest(log);
  const callers = createCallerIndex({ hash: createKeyHasher(new Secret(start.pepper)), slots: slots.keys });
  callers.apply({ upserted: start.callers, removed: [] });
  let { snapshot } = start;
  const running = createRunning<Exchange>();
  const turns = openTurns(start.turns);
  const queue = createPlaceQueue<Deployment>({ loads: slots.deployments, turns, clock: systemClock, every });
  const upstreams = createUpstreams({ egress: createEgress({ clock: systemClock }), clock: systemClock, log });
  const tell = (message: FromThread) => main.postMessage(message);
  const supplies = createSupplyLine(tell);
  const term = openTerm(start.shared.term, { ...systemClock, bootMs });
  const clientAddress = createClientAddress(start.trustedProxies);
  const server = createDataPlane({
    sharing: start.sharing
      ? createSharedAdmission({ slots, term, clock: systemClock, supply: supplies.ask })
      : undefined,
    ...{ slots, log, upstreams, queue, running, callers, clientAddress },
    clock: systemClock,
    journal: openJournalClient(start.journal),
    codec: codecs['openai-chat'],
    logRequests: start.logLevel === 'info' || start.logLevel === 'debug',
    silenceMs: start.silenceMs,
    failures: createFailureNotes({
      ...{ log, clock: systemClock },
      tell: failure => tell({ type: 'upstream-failed', failure }),
    }),
    newRequestId: createUuid7(systemClock.nowMs),
    snapshot: () => snapshot,
    room: createBodyRoom(slots.bodies, start.bodyLimits, slots.keys),
    corsOrigins: new Set(start.corsOrigins),
    control: createControlProxy(start.controlSocket, {
      ...{ log, clientAddress },
      room: createBodyRoom(slots.controlBodies, CONTROL_BODIES),
    }),
  });
  const drain = async (deadlineMs: number) => {
    server.close();
    const until = systemClock.monotonicMs() + deadlineMs;
    while (running.size > 0 && systemClock.monotonicMs() < until) await new Promise(resolve => setTimeout(resolve, 20));
    const cutOff = running.size;
    // Who is cut off leaves the list.
    for (const exchange of [...running.all()]) exchange.cutOff(new Fault('unavailable', STOPPING));
    const last = systemClock.monotonicMs() + AFTER_CUT_MS;
    while (running.size > 0 && systemClock.monotonicMs() < last) await new Promise(resolve => setTimeout(resolve, 10));
    queue.close();
    // Last bytes of finished answers are given a turn of the loop to leave before sockets close.
    await new Promise(resolve => setTimeout(resolve, 20));
    server.closeAllConnections();
    tell({ type: 'drained', cutOff });
  };

  main.on('message', (message: ToThread) => {
    crashPoint('gateway.message');
    if (message.type === 'snapshot') snapshot = message.snapshot;
    else if (message.type === 'callers') callers.apply(message.delta);
    else if (message.type === 'supplied') supplies.answered(message.id, message.answer);
    else void drain(message.deadlineMs);
  });
  server.listen(start).then(
    port => tell({ type: 'listening', port }),
    (error: NodeJS.ErrnoException) => tell({ type: 'failed', code: error.code ?? '', message: error.message }),
  );
}

if (parentPort) runThread(workerData as ThreadStart, parentPort as unknown as MessagePort);
