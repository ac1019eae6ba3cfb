import type { MessagePort } from 'node:worker_threads';
import { callEach, Fault } from '../std/index.ts';
import { joinLines, type Lines, linesOf, NO_LINES } from './lines.ts';
import { createNotes } from './notes.ts';
import { createQuietWait } from './quiet-wait.ts';
import { ENTRY_KIND, type JournalRecord } from './records.ts';

/**
 * What was appended since the last batch: its number, then count and text of the lines of promises, of facts and of notes. A flat
 * list of few texts is the cheapest thing to clone: a text for each entry costs 0.2 µs each, bytes 0.3 to 6.
 */
export type JournalBatch = readonly [
  batch: number,
  promises: number,
  promisesText: string,
  facts: number,
  factsText: string,
  notes: number,
  notesText: string,
];
/** Everything up to this batch is durable; or, with a code, what is not: `storage_full` promises only, `internal` all. */
export type JournalReply = number | readonly [batch: number, code: 'storage_full' | 'internal'];

/** Promises of one thread that wait for the disk at once. A disk that is slow must push back, not fill the memory. */
const WAITING_MAX = 8_192;
const NOTE_MS = 500;

export type AppendDone = (fault?: Fault) => void;

/** A thread's connection to the journal. */
export interface JournalClient {
  /**
   * `done` is called when the records are durable, all of them; or with the fault, none. With an intent among them they are a
   * promise, which a full disk refuses (`storage_full`) and a slow one too (`capacity`). Without, they are facts, which cannot
   * be refused: they wait until there is room. `internal`: the journal broke and the process is about to end.
   */
  append(records: readonly JournalRecord[], done: AppendDone): void;
  /** Not waited for; of several notes on one request within half a second only the last is written, and none on a full disk. */
  note(record: Extract<JournalRecord, { readonly kind: typeof ENTRY_KIND.progress }>): void;
  close(): void;
}

interface Sent {
  readonly batch: number;
  promises: readonly AppendDone[];
  facts: readonly AppendDone[];
}

type Waiting = Readonly<Record<'promises' | 'facts' | 'noted', Lines>>;

function messageOf(batch: number, { promises, facts, noted }: Waiting): JournalBatch {
  return [batch, promises.count, promises.text, facts.count, facts.text, noted.count, noted.text];
}

/** `waitingMax` and `noteMs` are for tests. */
export function openJournalClient(
  port: MessagePort,
  { waitingMax = WAITING_MAX, noteMs = NOTE_MS }: { readonly waitingMax?: number; readonly noteMs?: number } = {},
): JournalClient {
  let batch = 0;
  let promises = NO_LINES;
  let facts = NO_LINES;
  let noted = NO_LINES;
  let promisesDone: AppendDone[] = [];
  let factsDone: AppendDone[] = [];
  let scheduled = false;
  /** A batch is on its way: what comes meanwhile is the next one. */
  let outstanding = false;
  let promisesWaiting = 0;
  let broken: Fault | undefined;
  const sent: Sent[] = [];

  const send = () => {
    scheduled = false;
    outstanding = true;
    const message = messageOf(++batch, { promises, facts, noted });
    sent.push({ batch, promises: promisesDone, facts: factsDone });
    promises = NO_LINES;
    facts = NO_LINES;
    noted = NO_LINES;
    promisesDone = [];
    factsDone = [];
    port.postMessage(message);
  };
  const sendWhenQuiet = createQuietWait(() => promises.count + facts.count, send);
  const schedule = () => {
    if (scheduled || outstanding || broken) return;
    scheduled = true;
    sendWhenQuiet();
  };
  const notes = createNotes(noteMs, lines => {
    noted = joinLines(noted, lines);
    schedule();
  });
  const isEmpty = () => promises.count + facts.count + noted.count === 0;
  const answer = (upTo: number, code: 'storage_full' | 'internal' | undefined) => {
    const fault = code && new Fault(code, { retryAfterMs: 5_000, internal: `the journal answered ${code}` });
    for (const entry of sent) {
      if (entry.batch > upTo) break;
      const { promises: promised, facts: stated } = entry;
      entry.promises = [];
      promisesWaiting -= promised.length;
      callEach(promised, fault);
      if (code === 'storage_full') continue;
      entry.facts = [];
      callEach(stated, fault);
    }
    while (sent[0] && sent[0].batch <= upTo && sent[0].facts.length === 0) sent.shift();
  };
  const breakOff = () => {
    if (broken) return;
    broken = new Fault('internal', { internal: 'the journal thread is gone' });
    answer(batch, 'internal');
    callEach([...promisesDone, ...factsDone], broken);
  };
  port.on('message', (reply: JournalReply) => {
    const [upTo, code] = typeof reply === 'number' ? [reply, undefined] : reply;
    if (upTo === batch) outstanding = false;
    answer(upTo, code);
    if (!isEmpty()) schedule();
  });
  port.on('close', breakOff);

  return {
    append(records, done) {
      const isPromise = records.some(({ kind }) => kind === ENTRY_KIND.intent);
      const refusal =
        broken ??
        (isPromise && promisesWaiting >= waitingMax
          ? new Fault('capacity', { retryAfterMs: 2_000, internal: 'the disk of the journal is behind' })
          : undefined);
      if (refusal) {
        queueMicrotask(() => done(refusal));
        return;
      }
      const lines = linesOf(records);
      for (const { value } of records) notes.drop(value.id);
      if (isPromise) {
        promises = joinLines(promises, lines);
        promisesWaiting++;
        promisesDone.push(done);
      } else {
        facts = joinLines(facts, lines);
        factsDone.push(done);
      }
      schedule();
    },
    note: ({ value }) => notes.add(value),
    close() {
      notes.stop();
      if (!isEmpty() && !broken) send();
      port.close();
    },
  };
}
