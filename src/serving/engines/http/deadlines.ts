import { type Clock, callEach } from '../../../ground/std/index.ts';

/** Something with a time limit that moves often and is rarely met. */
export interface Deadlined {
  /** When it is due by what is known now, in ms of the monotonic clock; asked only when its time may have come. */
  dueMs(): number;
  /** It is due. It is out of the wheel; it may be added again. */
  onDue(nowMs: number): void;
  /** Its shortest limit. What is due may move nearer, as from connecting to a first byte: so often it is asked, at the least. */
  readonly shortestMs: number;
  /** The wheel's own; start with `undefined` and -1. */
  wheelPrevious: Deadlined | undefined;
  wheelNext: Deadlined | undefined;
  wheelSlot: number;
  /** Seen overdue once. */
  wheelLate: boolean;
}

/**
 * Hashed timer wheel (Varghese and Lauck 1987, scheme 6) with lazy deadlines: a chunk that moves a deadline writes one
 * number, and the wheel asks again when the old time has come. `setTimeout` per request costs an object and a list; with
 * `refresh()` per chunk it costs a clock reading as well.
 */
export interface Deadlines {
  /** Now, as of the last tick: good to one tick, and free. */
  readonly nowMs: number;
  add(entry: Deadlined): void;
  remove(entry: Deadlined): void;
  /** Visits what is due; called by its own timer, and by tests. */
  tick(): void;
  close(): void;
}

const TICK_MS = 20;
const SLOTS = 512;

export function createDeadlines(clock: Clock): Deadlines {
  const slots: (Deadlined | undefined)[] = Array.from({ length: SLOTS }, () => undefined);
  let count = 0;
  let nowMs = clock.monotonicMs();
  let visited = Math.floor(nowMs / TICK_MS);
  let timer: NodeJS.Timeout | undefined;

  const insert = (entry: Deadlined, dueMs: number) => {
    // Never the slot being visited, and never beyond one turn: what is later is asked again after it.
    const ticks = Math.min(Math.max(Math.ceil(dueMs / TICK_MS), visited + 1), visited + SLOTS - 1);
    const slot = ticks % SLOTS;
    const first = slots[slot];
    entry.wheelPrevious = undefined;
    entry.wheelNext = first;
    entry.wheelSlot = slot;
    if (first) first.wheelPrevious = entry;
    slots[slot] = entry;
    count += 1;
  };
  const unlink = (entry: Deadlined) => {
    const { wheelPrevious: previous, wheelNext: next } = entry;
    if (previous) previous.wheelNext = next;
    else slots[entry.wheelSlot] = next;
    if (next) next.wheelPrevious = previous;
    entry.wheelPrevious = undefined;
    entry.wheelNext = undefined;
    entry.wheelSlot = -1;
    count -= 1;
  };
  const visit = (slot: number) => {
    let entry = slots[slot];
    while (entry) {
      // Taken from the head each time: what `onDue` adds or removes goes to other slots or is re-read here.
      unlink(entry);
      const dueMs = entry.dueMs();
      if (dueMs > nowMs) {
        entry.wheelLate = false;
        insert(entry, Math.min(dueMs, nowMs + entry.shortestMs));
      } else if (entry.wheelLate) callEach([entry.onDue.bind(entry)], nowMs);
      else {
        // Overdue, but perhaps only because this thread was busy: the bytes that save it may wait in the socket. One
        // round of the event loop reads them; if it is still overdue then, it is.
        entry.wheelLate = true;
        insert(entry, nowMs);
      }
      entry = slots[slot];
    }
  };
  const tick = () => {
    nowMs = clock.monotonicMs();
    const last = Math.floor(nowMs / TICK_MS);
    const from = Math.max(visited + 1, last - SLOTS + 1);
    for (let at = from; at <= last; at += 1) {
      visited = at;
      visit(at % SLOTS);
    }
    if (count === 0 && timer) {
      clearInterval(timer);
      timer = undefined;
    }
  };
  return {
    get nowMs() {
      // A wheel that stands still has an old idea of now.
      return timer ? nowMs : clock.monotonicMs();
    },
    add(entry) {
      if (count === 0 && !timer) {
        nowMs = clock.monotonicMs();
        visited = Math.floor(nowMs / TICK_MS);
        timer = setInterval(tick, TICK_MS).unref();
      }
      entry.wheelLate = false;
      insert(entry, Math.min(entry.dueMs(), nowMs + entry.shortestMs));
    },
    remove(entry) {
      if (entry.wheelSlot >= 0) unlink(entry);
    },
    tick,
    close() {
      clearInterval(timer);
      timer = undefined;
    },
  };
}
