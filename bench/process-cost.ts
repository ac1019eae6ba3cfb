import { readdirSync, readFileSync } from 'node:fs';

/** What a process has used so far (Linux); undefined where the system does not say. */
export interface ProcessCost {
  /** User and system time of all its threads, ended ones too, µs; good to 10 ms. */
  readonly cpuUs: number;
  readonly residentBytes: number;
  /** Threads that live, oldest first. */
  readonly threads: readonly ThreadCost[];
}

export interface ThreadCost {
  readonly id: number;
  readonly name: string;
  readonly cpuUs: number;
}

/** `sysconf(_SC_CLK_TCK)`, which is 100 on every Linux that Node runs on. */
const TICK_US = 10_000;
const PAGE_BYTES = 4_096;

export function processCost(pid: number): ProcessCost | undefined {
  try {
    const fields = statFields(`/proc/${pid}/stat`);
    return { cpuUs: cpuUsOf(fields), residentBytes: Number(fields[21]) * PAGE_BYTES, threads: threadCosts(pid) };
  } catch {
    return undefined;
  }
}

function threadCosts(pid: number): ThreadCost[] {
  return readdirSync(`/proc/${pid}/task`)
    .map(Number)
    .sort((a, b) => a - b)
    .flatMap(id => {
      const folder = `/proc/${pid}/task/${id}`;
      try {
        return [{ id, name: readFileSync(`${folder}/comm`, 'utf8').trim(), cpuUs: threadCpuUs(folder) }];
      } catch {
        // It ended between the two looks.
        return [];
      }
    });
}

/** From the scheduler in nanoseconds, where the kernel counts so, else in ticks. */
function threadCpuUs(folder: string): number {
  try {
    return Number(readFileSync(`${folder}/schedstat`, 'latin1').split(' ')[0]) / 1_000;
  } catch {
    return cpuUsOf(statFields(`${folder}/stat`));
  }
}

/** The fields from the third on: the name before them, in parentheses, may hold anything. */
function statFields(path: string): string[] {
  const stat = readFileSync(path, 'latin1');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function cpuUsOf(fields: readonly string[]): number {
  return (Number(fields[11]) + Number(fields[12])) * TICK_US;
}
