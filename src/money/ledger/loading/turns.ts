import { setImmediate as nextTurn } from 'node:timers/promises';

/** The main thread has other work too: nothing holds it for longer than about this. */
const TURN_MS = 3;

/** Long work in turns of the event loop. */
export interface Turns {
  /** Lets others have their turn when this one was long enough. */
  breathe(): Promise<void>;
}

export function createTurns(): Turns {
  let since = performance.now();
  return {
    async breathe() {
      if (performance.now() - since < TURN_MS) return;
      await nextTurn();
      since = performance.now();
    },
  };
}
