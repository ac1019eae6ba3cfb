import {
  ENTRY_KIND,
  type Intent,
  type JournalEntry,
  type Progress,
  type Settlement,
} from '../../../ground/journal/index.ts';
import type { Suspended } from '../suspense.ts';
import { type OpenRequest, type OpenRequests, openRequest } from './open-requests.ts';
import { type Settled, settledOf } from './settled.ts';

export interface Stray {
  readonly settlement: Settlement;
  readonly seq: number;
}

/** What one transaction of the loader writes. */
export interface SlicePlan {
  readonly settled: readonly Settled[];
  /** Settlements whose request is neither open nor among these entries: settled before, or the journal is not this store's. */
  readonly strays: readonly Stray[];
  /** What goes to suspense. */
  readonly suspended: readonly Suspended[];
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

const NONE: readonly Progress[] = [];

/** A request whose intent is among the entries. */
interface Begun {
  readonly intent: Intent;
  readonly seq: number;
  notes: readonly Progress[];
  ended: boolean;
}

/**
 * Works out what entries change, and brings `open` to the state after them. When what is planned cannot be written, `open` is
 * thrown away and read from the store again. A request that begins and ends among these entries never gets into `open`: a map
 * that lives long, and through which every request passes, would keep the dead ones from being collected.
 */
export function planSlice(
  open: OpenRequests,
  entries: readonly JournalEntry[],
  { known, readTo, nowMs, readAtMs, writeReadBeforeMs }: SliceOptions,
): SlicePlan {
  const begun = new Map<string, Begun>();
  const settled: Settled[] = [];
  const released: OpenRequest[] = [];
  const ended = new Set<string>();
  const strays: Stray[] = [];
  for (const { seq, record } of entries) {
    const { id } = record.value;
    if (known.has(id)) continue;
    const here = begun.get(id);
    if (record.kind === ENTRY_KIND.intent) {
      if (!here && !ended.has(id) && !open.get(id))
        begun.set(id, { intent: record.value, seq, notes: NONE, ended: false });
    } else if (record.kind === ENTRY_KIND.progress) {
      if (here) here.notes = [...here.notes, record.value];
      else open.note(record.value, { seq, readAtMs });
    } else if (here) {
      if (here.ended) continue;
      here.ended = true;
      settled.push(settledOf(seq, record.value, here.intent));
    } else {
      const request = open.get(id);
      if (request) {
        settled.push(settledOf(seq, record.value, request.intent));
        ended.add(id);
        if (open.stored.has(id)) released.push(request);
        open.close(id);
      } else if (!ended.has(id)) strays.push({ settlement: record.value, seq });
    }
  }
  for (const { intent, seq, notes, ended: over } of begun.values()) {
    if (over) continue;
    open.open(openRequest(intent, { seq, readAtMs }));
    for (const note of notes) open.note(note, { seq, readAtMs });
  }
  const due = dueBefore(open, { nowMs, writeReadBeforeMs });
  return { settled, strays, suspended: [], released, ...due, cursor: safeCursor(open, due, readTo) };
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
