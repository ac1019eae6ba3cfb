import { type Clock, callEach, type DeploymentSlots, Fault } from '../../ground/std/index.ts';
import type { Deployment } from '../../models/catalog/index.ts';

/** A request waits at most this long for a place; beyond it, "busy" is said at once, with the estimate. */
export const QUEUE_BOUND_MS = 30_000;
/** Other threads give places back too, and do not call here: the head of a queue looks again this often. */
const LOOK_MS = 10;
const WAITING_MAX = 10_000;
/** Before the first answer is seen, a request is taken to last this long. */
const DURATION_GUESS_MS = 1_000;

export interface Waiting {
  readonly organizationId: string;
  readonly weight: number;
  /** Likely work, in input plus twice output tokens (VTC's cost). */
  readonly cost: number;
  readonly targets: readonly Deployment[];
  /** Called once with the place taken; never after {@link Place.cancel}. */
  granted(deployment: Deployment): void;
  refused(fault: Fault): void;
}

export interface Place {
  cancel(): void;
  /** Position (1 is next) and estimate, for the one who waits. */
  report(): { readonly position: number; readonly etaMs: number };
}

/**
 * Places at deployments with a concurrency limit, handed out fairly between tenants by virtual token counters (VTC, arXiv
 * 2401.00588): of the tenants that wait, the one that was served least per weight goes first, its own requests in order.
 */
export interface PlaceQueue {
  /** The deployment when a place is free now, else undefined. */
  tryTake(targets: readonly Deployment[]): Deployment | undefined;
  /** Throws Fault `capacity` when the wait would exceed the bound. */
  wait(waiting: Waiting): Place;
  giveBack(deployment: Deployment, durationMs: number | undefined): void;
  close(): void;
}

interface Entry {
  readonly waiting: Waiting;
  readonly sinceMs: number;
}

export function createPlaceQueue(slots: DeploymentSlots, clock: Clock): PlaceQueue {
  let entries: Entry[] = [];
  const served = new Map<string, number>();
  let timer: NodeJS.Timeout | undefined;

  const tryTake = (targets: readonly Deployment[]) =>
    targets.find(target => {
      if (target.concurrency !== undefined) return slots.tryEnter(target.slot, target.concurrency);
      slots.add(target.slot, 'inFlight', 1);
      return true;
    });

  /** Time until the n-th waiting request gets a place: places come free one per duration / concurrency. */
  const estimateMs = (targets: readonly Deployment[], position: number) => {
    const perMs = targets.reduce(
      (sum, { slot, concurrency = 1 }) => sum + concurrency / (slots.get(slot, 'durationMs') || DURATION_GUESS_MS),
      0,
    );
    return Math.ceil(position / Math.max(perMs, 1e-6));
  };
  const counter = (waiting: Waiting) => served.get(waiting.organizationId) ?? 0;
  const inOrder = () => entries.toSorted((a, b) => counter(a.waiting) - counter(b.waiting) || a.sinceMs - b.sinceMs);
  const leave = (entry: Entry) => {
    const count = entries.length;
    entries = entries.filter(other => other !== entry);
    if (entries.length === count) return false;
    for (const { slot } of entry.waiting.targets) slots.add(slot, 'waiting', -1);
    if (entries.length === 0) {
      served.clear();
      clearInterval(timer);
      timer = undefined;
    }
    return true;
  };

  const dispatch = () => {
    const nowMs = clock.monotonicMs();
    for (const entry of inOrder()) {
      const { waiting } = entry;
      const target = tryTake(waiting.targets);
      if (target) {
        served.set(waiting.organizationId, counter(waiting) + waiting.cost / waiting.weight);
        if (leave(entry)) callEach([waiting.granted], target);
      } else if (nowMs - entry.sinceMs > QUEUE_BOUND_MS) {
        if (leave(entry)) callEach([waiting.refused], busy(estimateMs(waiting.targets, 1)));
      }
    }
  };

  return {
    tryTake: targets =>
      entries.length > 0 && entries.some(entry => entry.waiting.targets.some(target => targets.includes(target)))
        ? undefined
        : tryTake(targets),
    wait(waiting) {
      const ahead = Math.max(...waiting.targets.map(({ slot }) => slots.get(slot, 'waiting')), 0);
      const etaMs = estimateMs(waiting.targets, ahead + 1);
      if (etaMs > QUEUE_BOUND_MS || entries.length >= WAITING_MAX) throw busy(etaMs);
      // No credit from idling: a tenant that comes back starts at the least served of those that wait.
      const floor = entries.length === 0 ? 0 : Math.min(...entries.map(entry => counter(entry.waiting)));
      served.set(waiting.organizationId, Math.max(counter(waiting), floor));
      const entry: Entry = { waiting, sinceMs: clock.monotonicMs() };
      entries.push(entry);
      for (const { slot } of waiting.targets) slots.add(slot, 'waiting', 1);
      timer ??= setInterval(dispatch, LOOK_MS);
      return {
        cancel: () => void leave(entry),
        report: () => {
          const position = inOrder().indexOf(entry) + 1;
          return { position, etaMs: estimateMs(waiting.targets, position) };
        },
      };
    },
    giveBack(deployment, durationMs) {
      slots.add(deployment.slot, 'inFlight', -1);
      if (durationMs !== undefined) {
        const seen = slots.get(deployment.slot, 'durationMs');
        // Exponentially weighted, 1/8 new: follows a change within some ten answers, and is not thrown by one.
        slots.set(
          deployment.slot,
          'durationMs',
          Math.max(1, Math.round(seen === 0 ? durationMs : seen + (durationMs - seen) / 8)),
        );
      }
      if (entries.length > 0) dispatch();
    },
    close() {
      clearInterval(timer);
      for (const entry of [...entries])
        if (leave(entry)) callEach([entry.waiting.refused], new Fault('unavailable', { retryAfterMs: 2_000 }));
    },
  };
}

function busy(etaMs: number): Fault {
  return new Fault('capacity', {
    message: `All capacity is taken; a place is expected in about ${Math.ceil(etaMs / 1000)} s`,
    messageZh: `容量已满，预计约 ${Math.ceil(etaMs / 1000)} 秒后有空位`,
    retryAfterMs: etaMs,
    headers: { 'x-queue-eta-ms': String(etaMs) },
  });
}
