import { type Clock, Fault } from '../../ground/std/index.ts';
import { busyMs, enter, leave } from './breaker.ts';
import { before, Heap, type Heaped } from './heap.ts';
import type { Loads, Target } from './loads.ts';
import type { Turns } from './turns.ts';

/** A request waits at most this long for a place; beyond it, "busy" is said at once, with the estimate. */
export const QUEUE_BOUND_MS = 30_000;
/** Other threads give places back too, and do not call here: who is first looks again this often. */
const LOOK_MS = 5;
const WAITING_MAX = 10_000;
/** Before the first answer is seen, a request is taken to last this long. */
const DURATION_GUESS_MS = 1_000;
/** Positions are worked out for all at once, and are as old as this at most when they are told. */
const POSITIONS_MS = 500;

export interface Waiting<T extends Target> {
  /** Whose turns are reckoned together: a small number, the same on all threads. */
  readonly tenant: number;
  readonly weight: number;
  /** Likely work, in input plus twice output tokens (VTC's cost). */
  readonly cost: number;
  readonly targets: readonly T[];
  /** Called once with the place taken; never after {@link Place.cancel}. */
  granted(target: T): void;
  refused(fault: Fault): void;
}

export interface Place {
  cancel(): void;
  /** Position (1 is next) and estimate, for the one who waits. */
  report(): { readonly position: number; readonly etaMs: number };
}

/** Places at targets, handed out fairly between tenants over all threads, see {@link Turns}. Each event costs O(log n). */
export interface PlaceQueue<T extends Target> {
  /** The target when a place is free now and nobody waits for it, else undefined. */
  tryTake(targets: readonly T[]): T | undefined;
  /** Throws Fault `capacity` when the wait would exceed the bound. */
  wait(waiting: Waiting<T>): Place;
  giveBack(target: T, durationMs: number | undefined): void;
  close(): void;
}

/** Calls again and again until it is stopped. */
export type Every = (ms: number, look: () => void) => { stop(): void };

export interface PlaceQueueOptions {
  readonly loads: Loads;
  readonly turns: Turns;
  readonly clock: Clock;
  readonly every: Every;
}

export function createPlaceQueue<T extends Target>(options: PlaceQueueOptions): PlaceQueue<T> {
  return new FairQueue<T>(options);
}

/** Who waits for the same targets: one of them is first. */
interface Lane<T extends Target> {
  readonly key: string;
  readonly slots: readonly number[];
  readonly heap: Heap<Entry<T>>;
  positionsAtMs: number;
}

interface Entry<T extends Target> extends Heaped {
  readonly waiting: Waiting<T>;
  readonly lane: Lane<T>;
  readonly sinceMs: number;
  position: number;
}

class FairQueue<T extends Target> implements PlaceQueue<T> {
  private readonly loads: Loads;
  private readonly turns: Turns;
  private readonly clock: Clock;
  private readonly lanes = new Map<string, Lane<T>>();
  private readonly bySlot = new Map<number, Set<Lane<T>>>();
  /** In the order in which they came: the first has waited longest. */
  private readonly entries = new Set<Entry<T>>();
  private arrivals = 0;
  private readonly every: Every;
  private looking: ReturnType<Every> | undefined = undefined;

  constructor({ loads, turns, clock, every }: PlaceQueueOptions) {
    this.loads = loads;
    this.turns = turns;
    this.clock = clock;
    this.every = every;
  }

  tryTake(targets: readonly T[]): T | undefined {
    const nowMs = this.clock.nowMs();
    return targets.find(target => this.loads.get(target.slot, 'waiting') === 0 && enter(target, this.loads, nowMs));
  }

  wait(waiting: Waiting<T>): Place {
    const ahead = Math.max(...waiting.targets.map(({ slot }) => this.loads.get(slot, 'waiting')), 0);
    const etaMs = this.estimateMs(waiting.targets, ahead + 1);
    if (etaMs > QUEUE_BOUND_MS || this.entries.size >= WAITING_MAX) throw busy(etaMs);
    const lane = this.laneOf(waiting.targets);
    const entry: Entry<T> = {
      ...{ waiting, lane, sinceMs: this.clock.monotonicMs(), order: ++this.arrivals, heapAt: -1 },
      tag: this.turns.enter(waiting.tenant, waiting.cost / waiting.weight),
      position: ahead + 1,
    };
    this.entries.add(entry);
    lane.heap.add(entry);
    for (const { slot } of waiting.targets) this.loads.add(slot, 'waiting', 1);
    this.turns.beat(this.clock.monotonicMs());
    this.publish(lane);
    this.looking ??= this.every(LOOK_MS, () => this.look());
    return { cancel: () => this.withdraw(entry), report: () => this.report(entry) };
  }

  giveBack(target: T, durationMs: number | undefined): void {
    leave(target, this.loads, durationMs);
    const lanes = this.bySlot.get(target.slot);
    if (lanes) this.dispatch(lanes);
  }

  close(): void {
    for (const entry of [...this.entries])
      if (this.leave(entry)) entry.waiting.refused(new Fault('unavailable', { retryAfterMs: 2_000 }));
    this.looking?.stop();
  }

  private look(): void {
    const nowMs = this.clock.monotonicMs();
    this.turns.beat(nowMs);
    for (const entry of this.entries) {
      if (nowMs - entry.sinceMs <= QUEUE_BOUND_MS) break;
      this.withdraw(entry, () => entry.waiting.refused(busy(this.estimateMs(entry.waiting.targets, 1))));
    }
    this.dispatch(this.lanes.values());
  }

  /** Gives places to those who are first for one, the least tag first. */
  private dispatch(lanes: Iterable<Lane<T>>): void {
    const due = [...lanes].filter(({ heap }) => heap.size > 0);
    while (due.length > 0) {
      let first = due[0];
      for (const lane of due) {
        const [one, other] = [lane.heap.first(), first?.heap.first()];
        if (one && other && before(one, other)) first = lane;
      }
      const entry = first?.heap.first();
      const target = entry && this.enterFor(entry);
      if (entry && target) {
        this.turns.serve(entry.tag);
        if (this.leave(entry)) entry.waiting.granted(target);
      }
      // Whoever is behind the first of a lane wants the same targets.
      if (first && (!target || first.heap.size === 0)) due.splice(due.indexOf(first), 1);
    }
  }

  /** A place at one of its targets, where no other thread has someone before it; each is looked at anew. */
  private enterFor({ waiting, tag }: Entry<T>): T | undefined {
    const nowMs = this.clock.nowMs();
    const monotonicMs = this.clock.monotonicMs();
    return waiting.targets.find(
      target => this.turns.isFirst(target.slot, tag, monotonicMs) && enter(target, this.loads, nowMs),
    );
  }

  private withdraw(entry: Entry<T>, then?: () => void): void {
    if (!this.leave(entry)) return;
    this.turns.withdraw(entry.waiting.tenant, entry.waiting.cost / entry.waiting.weight);
    then?.();
  }

  private leave(entry: Entry<T>): boolean {
    if (!this.entries.delete(entry)) return false;
    const { lane } = entry;
    lane.heap.remove(entry);
    for (const { slot } of entry.waiting.targets) this.loads.add(slot, 'waiting', -1);
    if (lane.heap.size === 0) {
      this.lanes.delete(lane.key);
      for (const slot of lane.slots) this.bySlot.get(slot)?.delete(lane);
    }
    this.publish(lane);
    if (this.entries.size === 0) {
      this.looking?.stop();
      this.looking = undefined;
    }
    return true;
  }

  private laneOf(targets: readonly T[]): Lane<T> {
    const slots = targets.map(({ slot }) => slot).toSorted((a, b) => a - b);
    const key = slots.join(' ');
    const known = this.lanes.get(key);
    if (known) return known;
    const lane: Lane<T> = { key, slots, heap: new Heap(), positionsAtMs: Number.NEGATIVE_INFINITY };
    this.lanes.set(key, lane);
    for (const slot of slots) {
      const lanes = this.bySlot.get(slot) ?? new Set();
      this.bySlot.set(slot, lanes.add(lane));
    }
    return lane;
  }

  /** Tells the other threads who is first here for each of the lane's targets. */
  private publish({ slots }: Lane<T>): void {
    for (const slot of slots) {
      let least = 0n;
      for (const { heap } of this.bySlot.get(slot) ?? []) {
        const tag = heap.first()?.tag;
        if (tag !== undefined && (least === 0n || tag < least)) least = tag;
      }
      this.turns.publish(slot, least);
    }
  }

  /** Time until the n-th waiting request gets a place: places come free one per duration / concurrency. */
  private estimateMs(targets: readonly T[], position: number): number {
    const perMs = targets.reduce(
      (sum, { slot, concurrency = 1 }) => sum + concurrency / (this.loads.get(slot, 'durationMs') || DURATION_GUESS_MS),
      0,
    );
    const restMs = Math.min(...targets.map(target => busyMs(target, this.loads, this.clock.nowMs())));
    return Math.ceil(restMs + position / Math.max(perMs, 1e-6));
  }

  /** Where it stands among all who wait for its targets: by its place on this thread, as much longer as the whole queue is. */
  private report(entry: Entry<T>): { readonly position: number; readonly etaMs: number } {
    const { lane, waiting } = entry;
    const nowMs = this.clock.monotonicMs();
    if (nowMs - lane.positionsAtMs >= POSITIONS_MS) {
      lane.positionsAtMs = nowMs;
      const inOrder = lane.heap.all().toSorted((a, b) => (before(a, b) ? -1 : 1));
      const all = Math.max(inOrder.length, ...lane.slots.map(slot => this.loads.get(slot, 'waiting')));
      for (const [index, each] of inOrder.entries())
        each.position = Math.max(1, Math.round(((index + 1) * all) / inOrder.length));
    }
    return { position: entry.position, etaMs: this.estimateMs(waiting.targets, entry.position) };
  }
}

function busy(etaMs: number): Fault {
  return new Fault('capacity', {
    message: `All capacity is taken; a place is expected in about ${Math.ceil(etaMs / 1000)} s`,
    messageZh: `容量已满，预计约 ${Math.ceil(etaMs / 1000)} 秒后有空位`,
    retryAfterMs: etaMs,
    headers: { 'x-queue-eta-ms': String(etaMs) },
  });
}
