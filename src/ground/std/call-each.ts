/**
 * Calls each, whatever one of them throws: who comes after it still hears. What was thrown goes to the thread's own last net
 * (`uncaughtException`) in a turn of its own, as it would have without others.
 */
export function callEach<A extends readonly unknown[]>(each: Iterable<(...args: A) => void>, ...args: A): void {
  for (const call of each) {
    try {
      call(...args);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}
