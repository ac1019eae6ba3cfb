import type { LlamaContext, LlamaContextSequence, Token } from 'node-llama-cpp';
import { Fault } from '../../../../../ground/std/index.ts';
import { createStepper } from './stepper.ts';

/** llama.cpp's server reuses a slot when a tenth of the prompt is in it already (`--slot-prompt-similarity`). */
const REUSE_SHARE_MIN = 0.1;
const RETRY_AFTER_MS_MIN = 1_000;
const RETRY_AFTER_MS_MAX = 60_000;
/** Weight of the newest in the running mean of how long a sequence is held. */
const MEAN_WEIGHT = 0.1;

/** One sequence of the context, for one answer. */
export interface SequenceLease {
  readonly sequence: LlamaContextSequence;
  /** Tokens of the prompt that are in the cache already and are not evaluated again. */
  readonly cachedTokens: number;
  /** `broken` after a failed evaluation: what is in the cache is not known then, and is cleared. */
  release(state: 'whole' | 'broken'): Promise<void>;
}

type Grant = (slot: Slot) => void;

interface Slot {
  readonly sequence: LlamaContextSequence;
  usedAt: number;
}

export interface SequencePool {
  readonly size: number;
  readonly busy: number;
  readonly waiting: number;
  /** @throws Fault `capacity` where `count` more answers would overfill the queue. Asked before any work. */
  reserve(count: number): void;
  /** The idle sequence that shares most with `tokens`; waits in line for one. @throws the signal's reason */
  acquire(tokens: readonly Token[], signal: AbortSignal): Promise<SequenceLease>;
  /** Runs one evaluation of an answer, together with those of all other answers; see {@link createStepper}. */
  step<Result>(evaluate: () => Promise<Result>): Promise<Result>;
}

/** Sequences of one context, each keeping the prompt it last held. */
export function createSequencePool(
  context: LlamaContext,
  options: { readonly queueMax: number; readonly nowMs: () => number },
): SequencePool {
  const size = context.totalSequences;
  const idle: Slot[] = Array.from({ length: size }, () => ({ sequence: context.getSequence(), usedAt: 0 }));
  const line: Grant[] = [];
  let uses = 0;
  let meanHeldMs = 0;

  const giveBack = (slot: Slot): void => {
    uses += 1;
    slot.usedAt = uses;
    const next = line.shift();
    if (next === undefined) idle.push(slot);
    else next(slot);
  };

  const lease = (slot: Slot, cachedTokens: number): SequenceLease => {
    const sinceMs = options.nowMs();
    return {
      sequence: slot.sequence,
      cachedTokens,
      async release(state) {
        const heldMs = options.nowMs() - sinceMs;
        meanHeldMs += (meanHeldMs === 0 ? 1 : MEAN_WEIGHT) * (heldMs - meanHeldMs);
        try {
          if (state === 'broken') await slot.sequence.clearHistory();
        } finally {
          giveBack(slot);
        }
      },
    };
  };

  return {
    size,
    get busy() {
      return size - idle.length;
    },
    get waiting() {
      return line.length;
    },
    reserve(count) {
      if (line.length + count <= idle.length + options.queueMax) return;
      const rounds = Math.ceil((line.length + count) / size);
      const retryAfterMs = Math.min(RETRY_AFTER_MS_MAX, Math.max(RETRY_AFTER_MS_MIN, rounds * meanHeldMs));
      throw new Fault('capacity', { retryAfterMs, internal: `${line.length} wait for ${size} sequences` });
    },
    async acquire(tokens, signal) {
      signal.throwIfAborted();
      const slot = takeBest(idle, tokens) ?? (await standInLine(line, signal));
      try {
        // At least one token is evaluated: the model's next word comes out of an evaluation.
        const reusable = tokens.slice(0, -1);
        if (slot.sequence.compareContextTokens(reusable).firstDifferentIndex < slot.sequence.nextTokenIndex)
          await slot.sequence.adaptStateToTokens(reusable, false);
        return lease(slot, slot.sequence.nextTokenIndex);
      } catch (error) {
        giveBack(slot);
        throw error;
      }
    },
    step: createStepper(),
  };
}

/** Waits for a slot to be granted. @throws the signal's reason, with the place in line given up */
function standInLine(line: Grant[], signal: AbortSignal): Promise<Slot> {
  const { promise, resolve, reject } = Promise.withResolvers<Slot>();
  const grant: Grant = slot => {
    signal.removeEventListener('abort', leave);
    resolve(slot);
  };
  const leave = () => {
    line.splice(line.indexOf(grant), 1);
    reject(signal.reason);
  };
  line.push(grant);
  signal.addEventListener('abort', leave, { once: true });
  return promise;
}

/** The one with the longest common beginning where that is worth it; else the one that was idle longest. */
function takeBest(idle: Slot[], tokens: readonly Token[]): Slot | undefined {
  if (idle.length === 0) return undefined;
  let best: Slot | undefined;
  let bestShared = tokens.length * REUSE_SHARE_MIN;
  for (const slot of idle) {
    const shared = slot.sequence.compareContextTokens([...tokens]).firstDifferentIndex;
    if (shared > bestShared || (shared === bestShared && best !== undefined && slot.usedAt < best.usedAt)) {
      best = slot;
      bestShared = shared;
    }
  }
  const chosen = best ?? idle.reduce((oldest, slot) => (slot.usedAt < oldest.usedAt ? slot : oldest));
  idle.splice(idle.indexOf(chosen), 1);
  return chosen;
}
