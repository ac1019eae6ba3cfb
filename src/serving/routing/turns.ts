/**
 * Whose turn it is, over all threads: start-time fair queueing (Goyal, Vin and Cheng, SIGCOMM 1996) with the cost of virtual token
 * counters (VTC, arXiv 2401.00588). Work gets a start tag when it comes: not before the tag that was served last, and behind what
 * its tenant asked for before, by cost per weight. The least tag goes first. A tenant that comes back gets no credit for its time
 * away, and one that asks for much waits for itself, not for others.
 */
export interface Turns {
  /** The tag of work that comes now. `cost` per weight, above 0. */
  enter(tenant: number, cost: number): bigint;
  /** It left without being served: what its tenant asks for next comes that much sooner. */
  withdraw(tenant: number, cost: number): void;
  serve(tag: bigint): void;
  /** The least tag that waits on this thread for a place of this slot; 0n: none. */
  publish(slot: number, tag: bigint): void;
  /** Said now and then by a thread on which something waits: a thread that is stuck holds nobody up. */
  beat(nowMs: number): void;
  /** No other thread has something that waits for this slot, and is due before. */
  isFirst(slot: number, tag: bigint, nowMs: number): boolean;
}

const TENANTS = 65_536;
const SLOTS = 4_096;
const THREADS_MAX = 64;
/** Costs come with fractions, by weight. */
const SCALE = 256;
/** A thread that did not say so for so long is not waited for. */
const BEAT_MS_MAX = 100;

const NOW = 0;
const THREADS = 1;
const BEATS = 2;
const FINISHES = BEATS + THREADS_MAX;
const HEADS = FINISHES + TENANTS;
const CELLS = HEADS + THREADS_MAX * SLOTS;

/** Reserved, not resident: pages no one touched cost nothing. */
export function createTurnCells(): SharedArrayBuffer {
  return new SharedArrayBuffer(CELLS * 8);
}

/** One for each thread. */
export function openTurns(shared: SharedArrayBuffer): Turns {
  const cells = new BigInt64Array(shared);
  const thread = Number(Atomics.add(cells, THREADS, 1n)) % THREADS_MAX;
  const finishOf = (tenant: number) => FINISHES + (tenant % TENANTS);
  const scaled = (cost: number) => BigInt(Math.max(1, Math.round(cost * SCALE)));
  const headOf = (of: number, slot: number) => HEADS + of * SLOTS + (slot % SLOTS);
  return {
    enter(tenant, cost) {
      const at = finishOf(tenant);
      for (let seen = Atomics.load(cells, at); ; ) {
        const now = Atomics.load(cells, NOW);
        const tag = seen > now ? seen : now + 1n;
        const was = Atomics.compareExchange(cells, at, seen, tag + scaled(cost));
        if (was === seen) return tag;
        seen = was;
      }
    },
    withdraw(tenant, cost) {
      Atomics.sub(cells, finishOf(tenant), scaled(cost));
    },
    serve(tag) {
      for (let seen = Atomics.load(cells, NOW); seen < tag; ) {
        const was = Atomics.compareExchange(cells, NOW, seen, tag);
        if (was === seen) return;
        seen = was;
      }
    },
    publish(slot, tag) {
      Atomics.store(cells, headOf(thread, slot), tag);
    },
    beat(nowMs) {
      Atomics.store(cells, BEATS + thread, BigInt(Math.floor(nowMs)));
    },
    isFirst(slot, tag, nowMs) {
      const threads = Math.min(Number(Atomics.load(cells, THREADS)), THREADS_MAX);
      const alive = BigInt(Math.floor(nowMs) - BEAT_MS_MAX);
      for (let other = 0; other < threads; other += 1) {
        if (other === thread) continue;
        const head = Atomics.load(cells, headOf(other, slot));
        if (head !== 0n && head < tag && Atomics.load(cells, BEATS + other) >= alive) return false;
      }
      return true;
    },
  };
}
