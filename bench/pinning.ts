import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Which processor a process may use: what is measured gets one for itself, engine and load share another. */
export type Place = 'server' | 'load';

export interface Pinning {
  /** Numbers of the processors; undefined where nothing is pinned. */
  readonly processors: { readonly server: number; readonly load: number } | undefined;
  /** Why nothing is pinned. */
  readonly reason: string | undefined;
  /** The command line that runs a program in its place; the process keeps its id. */
  command(place: Place, argv: readonly [string, ...string[]]): readonly [string, ...string[]];
}

/** Pins with `taskset` (util-linux) on the first two processors that this process may use. Without them it goes on unpinned, and says why. */
export function createPinning(): Pinning {
  const found = processorsAllowed();
  if (typeof found === 'string') return { processors: undefined, reason: found, command: (_place, argv) => argv };
  return {
    processors: found,
    reason: undefined,
    command: (place, argv) => ['taskset', '-c', String(found[place]), ...argv],
  };
}

function processorsAllowed(): { readonly server: number; readonly load: number } | string {
  if (process.platform !== 'linux') return `processes are pinned on Linux only (this is ${process.platform})`;
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '';
  const [server, load] = list.split(',').flatMap(range => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return last > first ? [first, first + 1] : [first];
  });
  if (server === undefined || load === undefined)
    return 'there is one processor only: server, engine and load share it';
  if (spawnSync('taskset', ['-c', String(server), 'true']).status !== 0) return 'taskset (util-linux) is not installed';
  return { server, load };
}
