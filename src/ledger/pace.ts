import type { StoreDialect } from '../store/index.ts';

/** How many entries one transaction takes. */
export interface Pace {
  limit(): number;
  took(entries: number, ms: number): void;
}

/** The main thread has other work: no transaction holds it for longer than about this. */
const TURN_MS = 4;
const LEAST = 50;
const MOST = 2_000;

/**
 * SQLite works in this thread, so slices grow and shrink to fit a turn; beside PostgreSQL the thread waits, and the round trips
 * are shared by as many entries as there are.
 */
export function createPace(dialect: StoreDialect): Pace {
  if (dialect === 'postgres') return { limit: () => MOST, took: () => {} };
  let limit = 200;
  return {
    limit: () => limit,
    took(entries, ms) {
      // A slice that was not full says little about a full one.
      if (entries < limit / 2) return;
      const fitting = (entries * TURN_MS) / Math.max(ms, 0.1);
      limit = Math.round(Math.min(MOST, Math.max(LEAST, limit + (fitting - limit) / 4)));
    },
  };
}
