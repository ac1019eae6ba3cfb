import { type Lines, linesOf } from './lines.ts';
import { ENTRY_KIND, type Progress } from './records.ts';

/** The newest progress of each request that runs, until it is time to write it. */
export interface Notes {
  add(value: Progress): void;
  /** What is settled needs no note. */
  drop(id: string): void;
  stop(): void;
}

export function createNotes(everyMs: number, write: (lines: Lines) => void): Notes {
  let latest = new Map<string, Progress>();
  let timer: NodeJS.Timeout | undefined;
  const writeAll = () => {
    timer = undefined;
    const notes = latest;
    latest = new Map();
    write(linesOf([...notes.values()].map(value => ({ kind: ENTRY_KIND.progress, value }))));
  };
  return {
    add(value) {
      latest.set(value.id, value);
      timer ??= setTimeout(writeAll, everyMs);
    },
    drop(id) {
      if (latest.size > 0) latest.delete(id);
    },
    stop: () => clearTimeout(timer),
  };
}
