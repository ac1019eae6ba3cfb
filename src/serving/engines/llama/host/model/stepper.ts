/** Runs what it is given when the round before it is over, together with all else that waits for that. */
export type Stepper = <Result>(evaluate: () => Promise<Result>) => Promise<Result>;

/**
 * Keeps answers in step: each round is one batch with a token of everyone.
 *
 * Left to itself node-llama-cpp goes on decoding, under the context's lock, with whoever has asked for a next token by the
 * end of a batch. Since tokens are sampled one after the other, that is about half of them: 4.6 of 8 answers in a batch
 * were read, and a newcomer, who needs that lock to cut a cache back, waited 0.3 to 1.2 s under load.
 */
export function createStepper(): Stepper {
  const waiting: (() => void)[] = [];
  let running = 0;
  let opening = false;
  const openWhenOver = () => {
    if (running > 0 || opening || waiting.length === 0) return;
    opening = true;
    // The one that ended the round has yet to come back with its next step.
    setImmediate(() => {
      opening = false;
      running = waiting.length;
      for (const start of waiting.splice(0)) start();
    });
  };
  return async evaluate => {
    const { promise, resolve } = Promise.withResolvers<void>();
    waiting.push(resolve);
    openWhenOver();
    await promise;
    try {
      return await evaluate();
    } finally {
      running -= 1;
      openWhenOver();
    }
  };
}
