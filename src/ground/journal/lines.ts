import { encodeRecord } from './encode-record.ts';
import type { JournalRecord } from './records.ts';

/**
 * Records as they lie on disk, a line each: `kind,fields`. All lines together are the inside of one JSON list, so that a batch
 * crosses threads, is written and is parsed as one text; and as no record has a line end in it, each can be looked at alone.
 */
export interface Lines {
  readonly count: number;
  readonly text: string;
}

/** One character alone is looked for several times as fast as two; the comma before it belongs to its line. */
export const LINE_END = '\n';
const BETWEEN = `,${LINE_END}`;
export const NO_LINES: Lines = { count: 0, text: '' };

/** Throws RangeError as `encodeRecord` does. */
export function linesOf(records: readonly JournalRecord[]): Lines {
  let text = '';
  for (const record of records) text += `${text === '' ? '' : BETWEEN}${record.kind},${encodeRecord(record)}`;
  return { count: records.length, text };
}

export function joinLines(a: Lines, b: Lines): Lines {
  if (a.count === 0) return b;
  if (b.count === 0) return a;
  return { count: a.count + b.count, text: a.text + BETWEEN + b.text };
}
