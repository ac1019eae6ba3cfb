import { createContext, Script } from 'node:vm';

const TIMEOUT = 'ERR_SCRIPT_EXECUTION_TIMEOUT';

/**
 * Runs a function that may not end, on this thread, for so long at most.
 * @throws Error where that is not enough; whatever the function throws
 */
export function createBoundedRun(timeoutMs: number): <Result>(run: () => Result) => Result {
  const script = new Script('run()');
  const context = createContext({ run: () => {} });
  return <Result>(run: () => Result): Result => {
    const results: Result[] = [];
    context['run'] = () => void results.push(run());
    try {
      script.runInContext(context, { timeout: timeoutMs });
    } catch (error) {
      // It comes out of the other context, where errors are none of ours.
      const isLate = typeof error === 'object' && error !== null && 'code' in error && error.code === TIMEOUT;
      throw isLate ? new Error(`it takes over ${timeoutMs} ms`) : error;
    }
    for (const result of results) return result;
    throw new Error('it gave nothing');
  };
}
