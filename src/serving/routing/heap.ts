/** Something in a heap; `heapAt` is the heap's own: begin with -1. */
export interface Heaped {
  readonly tag: bigint;
  /** Breaks ties: who came first. */
  readonly order: number;
  heapAt: number;
}

/** A binary heap, least tag first, from which anything can be taken: O(log n) each. */
export class Heap<T extends Heaped> {
  private readonly items: T[] = [];

  get size(): number {
    return this.items.length;
  }

  first(): T | undefined {
    return this.items[0];
  }

  /** In no order. */
  all(): readonly T[] {
    return this.items;
  }

  add(item: T): void {
    this.put(item, this.items.length);
    this.rise(item);
  }

  remove(item: T): void {
    const at = item.heapAt;
    const last = this.items.pop();
    item.heapAt = -1;
    if (last === undefined || last === item) return;
    this.put(last, at);
    this.rise(last);
    this.sink(last);
  }

  private put(item: T, at: number): void {
    this.items[at] = item;
    item.heapAt = at;
  }

  private swap(one: T, other: T): void {
    const { heapAt } = one;
    this.put(one, other.heapAt);
    this.put(other, heapAt);
  }

  private rise(item: T): void {
    while (item.heapAt > 0) {
      const parent = this.items[(item.heapAt - 1) >> 1];
      if (parent === undefined || !before(item, parent)) return;
      this.swap(item, parent);
    }
  }

  private sink(item: T): void {
    for (;;) {
      const left = this.items[2 * item.heapAt + 1];
      const right = this.items[2 * item.heapAt + 2];
      const least = right !== undefined && left !== undefined && before(right, left) ? right : left;
      if (least === undefined || !before(least, item)) return;
      this.swap(item, least);
    }
  }
}

export function before(one: Heaped, other: Heaped): boolean {
  return one.tag < other.tag || (one.tag === other.tag && one.order < other.order);
}
