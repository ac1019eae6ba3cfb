import { readFileSync } from 'node:fs';

/** What a process has used so far (Linux); undefined where the system does not say. */
export interface ProcessCost {
  /** User and system time of all its threads, µs; good to 10 ms. */
  readonly cpuUs: number;
  readonly residentBytes: number;
}

/** `sysconf(_SC_CLK_TCK)`, which is 100 on every Linux that Node runs on. */
const TICK_US = 10_000;
const PAGE_BYTES = 4_096;

export function processCost(pid: number): ProcessCost | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name, in parentheses, may hold anything; what is counted follows it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return {
      cpuUs: (Number(fields[11]) + Number(fields[12])) * TICK_US,
      residentBytes: Number(fields[21]) * PAGE_BYTES,
    };
  } catch {
    return undefined;
  }
}
