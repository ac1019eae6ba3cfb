/** Something of a {@link Running} list; `runningAt` is the list's own: begin with -1. */
export interface Listed {
  runningAt: number;
}

/** What runs on this thread now, in no order. */
export interface Running<T extends Listed> {
  readonly size: number;
  add(item: T): void;
  /** Does nothing where it is not in the list. */
  delete(item: T): void;
  all(): readonly T[];
}

/**
 * Not a `Set`: V8 grows and shrinks a set by a new table, and each old table points to the next one, entries included (for
 * iterators under way). The first old table that reaches the old generation therefore keeps all later ones, and every request
 * in them, from the cheap collection of young objects: at 9,000 requests/s half of the young generation survived each
 * collection, a third of all CPU time. An array whose last item fills the gap leaves nothing behind.
 */
export function createRunning<T extends Listed>(): Running<T> {
  const items: T[] = [];
  return {
    get size() {
      return items.length;
    },
    add(item) {
      item.runningAt = items.push(item) - 1;
    },
    delete(item) {
      if (item.runningAt < 0) return;
      const last = items.pop();
      if (last && last !== item) {
        items[item.runningAt] = last;
        last.runningAt = item.runningAt;
      }
      item.runningAt = -1;
    },
    all: () => [...items],
  };
}
