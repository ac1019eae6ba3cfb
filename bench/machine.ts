import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem } from 'node:os';
import { resolve } from 'node:path';

export interface Machine {
  readonly node: string;
  readonly platform: string;
  readonly kernel: string;
  readonly cpu: string;
  /** Processors that this process may use. */
  readonly cores: number;
  readonly memoryBytes: number;
}

export function machineOf(): Machine {
  return {
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
    kernel: release(),
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
  };
}

/** What is measured: the version, and the commit where git knows it. */
export function sourceOf(): { readonly version: string; readonly commit: string | undefined } {
  const root = resolve(import.meta.dirname, '..');
  const { version }: { version: string } = JSON.parse(readFileSync(resolve(root, 'package.json'), 'utf8'));
  const { status, stdout } = spawnSync('git', ['describe', '--always', '--dirty', '--exclude=*'], {
    cwd: root,
    encoding: 'utf8',
  });
  return { version, commit: status === 0 ? stdout.trim() : undefined };
}

/** Time of all processors so far (Linux), in ticks. */
export interface ProcessorTime {
  readonly total: number;
  /** Taken by the machine below a virtual one. */
  readonly stolen: number;
  /** Of programs. */
  readonly programs: number;
  /** Of this process, and of its children that have ended. */
  readonly own: number;
}

export function processorTime(): ProcessorTime | undefined {
  try {
    const fields = /^cpu +(.+)$/m.exec(readFileSync('/proc/stat', 'latin1'))?.[1]?.split(' ').map(Number) ?? [];
    const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, stolen = 0] = fields;
    const stat = readFileSync('/proc/self/stat', 'latin1');
    const times = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return {
      total: user + nice + system + idle + iowait + irq + softirq + stolen,
      stolen,
      programs: user + nice + system,
      own: times.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0),
    };
  } catch {
    return undefined;
  }
}

/** Noise that nothing here can avoid: shares of the processors' time that others took between two looks. */
export interface Noise {
  readonly otherMachines: number;
  readonly otherPrograms: number;
}

export function noiseBetween(before: ProcessorTime | undefined, after: ProcessorTime | undefined): Noise | undefined {
  if (!before || !after || after.total <= before.total) return undefined;
  const share = (ticks: number) => Math.max(0, Math.round((ticks / (after.total - before.total)) * 10_000) / 10_000);
  return {
    otherMachines: share(after.stolen - before.stolen),
    otherPrograms: share(after.programs - before.programs - (after.own - before.own)),
  };
}
