/** Lanes run side by side, requests of a lane one after the other: each is a model with a deployment of its own. */
const LANES = 12;
/** Below the five failures in a row after which a deployment is left alone. */
const FAILURES_IN_A_ROW = 4;

/** Names of one length, so that the bytes of their answers are as many. */
export function lanesOf(name: string): readonly string[] {
  return Array.from({ length: LANES }, (_, lane) => `${name}-${String(lane).padStart(2, '0')}`);
}

/** Runs the jobs, each in the next free lane; `heal` is a good request before some that may fail. */
export async function inLanes<T>(
  lanes: readonly string[],
  jobs: readonly T[],
  {
    run,
    heal,
  }: { readonly run: (lane: string, job: T) => Promise<void>; readonly heal?: (lane: string) => Promise<void> },
): Promise<void> {
  let next = 0;
  await Promise.all(
    lanes.map(async lane => {
      for (let count = 0; next < jobs.length; count++) {
        if (heal && count % FAILURES_IN_A_ROW === 0) await heal(lane);
        const job = jobs[next++];
        if (job !== undefined) await run(lane, job);
      }
    }),
  );
}
