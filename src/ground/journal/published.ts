/** What the journal thread shows to the others: numbers of one writer, read without a message. */
export interface Published {
  /** The newest durable sequence number. */
  lastSeq(): number;
  setLastSeq(seq: number): void;
  /** Commits of this process so far, and the time they took, sync included. */
  commits(): { readonly count: number; readonly seconds: number };
  addCommit(ms: number): void;
}

const CELL = { lastSeq: 0, commits: 1, commitNs: 2 } as const;

export function createPublished(): SharedArrayBuffer {
  return new SharedArrayBuffer(Object.keys(CELL).length * 8);
}

export function openPublished(shared: SharedArrayBuffer): Published {
  const cells = new BigInt64Array(shared);
  return {
    lastSeq: () => Number(Atomics.load(cells, CELL.lastSeq)),
    setLastSeq: seq => void Atomics.store(cells, CELL.lastSeq, BigInt(seq)),
    commits: () => ({
      count: Number(Atomics.load(cells, CELL.commits)),
      seconds: Number(Atomics.load(cells, CELL.commitNs)) / 1e9,
    }),
    addCommit(ms) {
      Atomics.add(cells, CELL.commits, 1n);
      Atomics.add(cells, CELL.commitNs, BigInt(Math.round(ms * 1e6)));
    },
  };
}
