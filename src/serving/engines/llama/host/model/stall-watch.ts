/** What one step is done for. */
export interface StepOwner {
  /** Whoever asked: ended by its own name when the step hangs. */
  readonly owner: object;
  /** The step is at what only this answer asked for, a grammar: where it hangs, the answer is to blame. */
  isSuspect(): boolean;
}

export interface Stall {
  /** Owners whose steps hang by what they asked for. */
  readonly suspects: ReadonlySet<object>;
  readonly forMs: number;
}

/** Watches the work itself: native evaluations and samplings, each of which must end. */
export interface StallWatch extends Disposable {
  /** Steps that came to their end. */
  readonly steps: number;
  /** Steps that go on. */
  readonly running: number;
  during<Result>(step: StepOwner, run: () => Promise<Result>): Promise<Result>;
}

const LOOK_MS_MAX = 1_000;

/**
 * Native work cannot be stopped, and while it hangs nothing else of the context goes on: all are told, once, and the process
 * has to end.
 */
export function createStallWatch(options: {
  readonly stallMs: number;
  readonly nowMs: () => number;
  readonly onStall: (stall: Stall) => void;
}): StallWatch {
  const { stallMs, nowMs, onStall } = options;
  const running = new Map<StepOwner, number>();
  let steps = 0;
  let stalled = false;
  const look = () => {
    const hanging = [...running].filter(([, sinceMs]) => nowMs() - sinceMs >= stallMs);
    if (stalled || hanging.length === 0) return;
    stalled = true;
    const suspects = hanging.filter(([step]) => step.isSuspect()).map(([{ owner }]) => owner);
    onStall({ suspects: new Set(suspects), forMs: stallMs });
  };
  const timer = setInterval(look, Math.min(LOOK_MS_MAX, stallMs)).unref();
  return {
    get steps() {
      return steps;
    },
    get running() {
      return running.size;
    },
    async during(step, run) {
      running.set(step, nowMs());
      try {
        return await run();
      } finally {
        running.delete(step);
        steps += 1;
      }
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}

const STALL_MS_MIN = 15_000;
/** How much slower than measured a step may be before it is taken to hang: machines are shared, and swap. */
const SLOWER_MAX = 30;

/** How long a step may take: the largest batch at the speed that was measured, many times over. */
export function stallMsOf(how: {
  readonly batchTokens: number;
  readonly promptTokensPerSecond: number;
  readonly tokensPerSecond: number;
}): number {
  const batchMs = (how.batchTokens / how.promptTokensPerSecond + 1 / how.tokensPerSecond) * 1000;
  return Math.round(Math.max(STALL_MS_MIN, SLOWER_MAX * batchMs));
}
