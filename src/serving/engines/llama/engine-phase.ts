/** What a deployment's engine is to those who would use it. */
export type EnginePhase = 'loading' | 'ready' | 'failed';

/**
 * `failed`: it said that it cannot serve its model, or ended again and again, and no start since has come to its end. It is
 * tried again all the same, but nobody should wait for it. One crash is no failure: it is back in a moment.
 */
export function enginePhase(engine: {
  readonly isReady: boolean;
  /** The last host said so itself. */
  readonly refused: boolean;
  /** In a row. */
  readonly failures: number;
  readonly everReady: boolean;
}): EnginePhase {
  if (engine.isReady) return 'ready';
  const failuresMax = engine.everReady ? CRASH_LOOP_FAILURES : FIRST_FAILURES;
  return engine.refused || engine.failures >= failuresMax ? 'failed' : 'loading';
}

/** From here on someone should look. */
export const CRASH_LOOP_FAILURES = 5;
/** A host that never was ready and died twice will not be. */
const FIRST_FAILURES = 2;
