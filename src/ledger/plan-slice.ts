import { ENTRY_KIND, type JournalEntry, type Settlement } from '../journal/index.ts';
import { Fault } from '../std/index.ts';
import { type OpenRequest, type OpenRequests, openRequest } from './open-requests.ts';
import type { Settled } from './settled-rows.ts';

/** What one transaction of the loader writes. */
export interface SlicePlan {
  readonly settled: readonly Settled[];
  /** Holds that end. */
  readonly released: readonly OpenRequest[];
  /** Requests that get a hold. */
  readonly fresh: readonly OpenRequest[];
  /** Requests whose hold gets a newer note. */
  readonly noted: readonly OpenRequest[];
  /** The entry up to which all is in the store once this is written. */
  readonly cursor: number;
}

export interface SliceOptions {
  /** Requests that have a row already: their entries are passed over. */
  readonly known: ReadonlySet<string>;
  /** The last entry that was read, these included. */
  readonly readTo: number;
  /** By the wall clock: when holds end. */
  readonly nowMs: number;
  /** By the clock that never steps: when these entries were read. */
  readonly readAtMs: number;
  /** What was read before this moment and is still open gets its hold, or its note, written; `Infinity`: all. */
  readonly writeReadBeforeMs: number;
}

/**
 * Works out what entries change, and brings `open` to the state after them. When what is planned cannot be written, `open` is
 * thrown away and read from the store again. Throws Fault `config_invalid` on a settlement without an intent.
 */
export function planSlice(
  open: OpenRequests,
  entries: readonly JournalEntry[],
  { known, readTo, nowMs, readAtMs, writeReadBeforeMs }: SliceOptions,
): SlicePlan {
  const settled = new Map<string, Settled>();
  const released: OpenRequest[] = [];
  for (const { seq, record } of entries) {
    const { id } = record.value;
    if (known.has(id) || settled.has(id)) continue;
    const request = open.get(id);
    if (record.kind === ENTRY_KIND.intent) {
      if (!request) open.open(openRequest(record.value, { seq, readAtMs }));
    } else if (record.kind === ENTRY_KIND.progress) open.note(record.value, { seq, readAtMs });
    else {
      if (!request) throw phantom(record.value, seq);
      settled.set(id, { settlement: record.value, intent: request.intent });
      if (open.stored.has(id)) released.push(request);
      open.close(id);
    }
  }
  const due = dueBefore(open, { nowMs, writeReadBeforeMs });
  return { settled: [...settled.values()], released, ...due, cursor: safeCursor(open, due, readTo) };
}

type Due = Pick<SlicePlan, 'fresh' | 'noted'>;

/** Both maps are in the order of reading, so the first that is not due ends the search. */
function dueBefore(
  open: OpenRequests,
  { nowMs, writeReadBeforeMs }: Pick<SliceOptions, 'nowMs' | 'writeReadBeforeMs'>,
): Due {
  const fresh: OpenRequest[] = [];
  for (const request of open.fresh.values()) {
    if (request.readAtMs >= writeReadBeforeMs) break;
    // Of a node that was down for long: its money is free, its row waits for the settlement.
    fresh.push(request.intent.expiresAtMs <= nowMs ? { ...request, expired: true } : request);
  }
  const noted: OpenRequest[] = [];
  for (const [id, { readAtMs }] of open.noted) {
    if (readAtMs >= writeReadBeforeMs) break;
    const request = open.stored.get(id);
    if (request) noted.push(request);
  }
  return { fresh, noted };
}

/** Before the first entry that only memory knows. */
function safeCursor(open: OpenRequests, { fresh, noted }: Due, lastSeq: number): number {
  const written = new Set([...fresh, ...noted].map(({ intent }) => intent.id));
  let cursor = lastSeq;
  for (const waiting of [open.fresh, open.noted]) {
    for (const [id, { seq }] of waiting) {
      if (written.has(id)) continue;
      cursor = Math.min(cursor, seq - 1);
      break;
    }
  }
  return cursor;
}

function phantom({ id }: Settlement, seq: number): Fault {
  return new Fault('config_invalid', {
    message: `Entry ${seq} of the journal settles request ${id}, which has no intent: the journal and the store do not belong together`,
    messageZh: `日志第 ${seq} 条结算了请求 ${id}，但找不到它的意向记录：日志与存储不匹配`,
  });
}
