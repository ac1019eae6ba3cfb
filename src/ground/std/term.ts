import type { Clock } from './clock.ts';

/**
 * Until when a node may spend what it leased, on all its threads. Judged by two clocks: the monotonic one, which does not step, and
 * the wall clock, which goes on while a machine is suspended. Either one that is past it ends the term.
 */
export interface Term {
  holds(): boolean;
  /** From a moment that was taken before the database was asked. */
  extend(from: TermMoment, forMs: number): void;
  now(): TermMoment;
}

export interface TermMoment {
  readonly wallMs: number;
  readonly bootMs: number;
}

const CELL = { wallMs: 0, bootMs: 1 } as const;

/** Each thread opens it over the same memory: 16 bytes, at first a term that is over. */
export function openTerm(
  shared: SharedArrayBuffer,
  { nowMs, bootMs }: Pick<Clock, 'nowMs'> & { bootMs: () => number },
): Term {
  const cells = new BigInt64Array(shared);
  const now = () => ({ wallMs: Math.floor(nowMs()), bootMs: Math.floor(bootMs()) });
  return {
    now,
    holds() {
      const at = now();
      return (
        BigInt(at.wallMs) < Atomics.load(cells, CELL.wallMs) && BigInt(at.bootMs) < Atomics.load(cells, CELL.bootMs)
      );
    },
    extend(from, forMs) {
      Atomics.store(cells, CELL.wallMs, BigInt(from.wallMs + forMs));
      Atomics.store(cells, CELL.bootMs, BigInt(from.bootMs + forMs));
    },
  };
}
