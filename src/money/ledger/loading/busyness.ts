import { availableParallelism } from 'node:os';

/** Share of the processors that this process, with all its threads, used since the last call: 0 to about 1. */
export function createBusyness(): () => number {
  const processors = availableParallelism();
  let cpu = process.cpuUsage();
  let atMs = performance.now();
  return () => {
    const { user, system } = process.cpuUsage(cpu);
    const nowMs = performance.now();
    const share = (user + system) / 1000 / Math.max(1, nowMs - atMs) / processors;
    cpu = process.cpuUsage();
    atMs = nowMs;
    return share;
  };
}
