import type { MessagePort } from 'node:worker_threads';
import type { NodeSlots } from '../std/index.ts';
import type { JournalBatch, JournalReply } from './client.ts';
import type { DiskSpace } from './disk-space.ts';
import type { Lines } from './lines.ts';
import type { JournalWriter } from './writer.ts';

/** Where answers go; a MessagePort, or a list in a test. */
export type AnswerPort = Pick<MessagePort, 'postMessage'>;

export interface GroupCommit {
  /** Queues what one thread sent. */
  submit(port: AnswerPort, batch: JournalBatch): void;
  /**
   * Commits all that is queued at once and answers. Throws where the journal can promise nothing any more (an error of the
   * disk that is not "full", EIO of a sync say): by then every waiter was told `internal` and admission was stopped. What
   * lies on disk is in doubt, so the process has to end and recover; trying again and answering "durable" would be a lie
   * (fsyncgate: a failed fsync drops the dirty pages and the next one succeeds).
   */
  flush(): void;
  /** Looks at the room on the disk: stops admission before money is at risk, lets it go on, writes the facts that waited. */
  watch(): void;
}

/** A batch that has facts not yet durable. */
interface Held {
  readonly port: AnswerPort;
  readonly batch: number;
  readonly facts: Lines;
}

/** `published`: where the newest durable sequence number is shown to other threads. */
export function createGroupCommit({
  writer,
  disk,
  node,
  published,
}: {
  readonly writer: JournalWriter;
  readonly disk: DiskSpace;
  readonly node: NodeSlots;
  readonly published: (seq: number) => void;
}): GroupCommit {
  let queue: { readonly port: AnswerPort; readonly message: JournalBatch }[] = [];
  /** Facts that found no room: written before anything newer. Bounded by the requests that were admitted. */
  let held: Held[] = [];

  const isFull = () => node.get('storageFull') !== 0;
  const commit = (lists: readonly Lines[]): boolean => {
    try {
      if (!writer.commit(lists)) return false;
    } catch (error) {
      breakOff();
      throw error;
    }
    published(writer.lastSeq());
    return true;
  };
  const breakOff = () => {
    node.set('journalBroken', 1);
    const waiting = [...held, ...queue.map(({ port, message }) => ({ port, batch: message[0] }))];
    queue = [];
    held = [];
    reply(waiting, 'internal');
  };

  /** Facts go out with the reserve's room; a disk that does not take even those keeps them waiting. */
  const commitHeld = () => {
    if (held.length === 0) return;
    const waiting = held;
    let done = commit(waiting.map(({ facts }) => facts));
    if (!done) {
      disk.spendReserve();
      done = commit(waiting.map(({ facts }) => facts));
    }
    if (!done) return;
    held = [];
    reply(waiting, undefined);
  };
  const refusePromises = (batches: typeof queue) => {
    reply(
      batches.map(({ port, message }) => ({ port, batch: message[0] })),
      'storage_full',
    );
    // Batches without facts are answered in full: their promises were just refused, their notes are dropped.
    for (const { port, message } of batches) {
      const [batch, , , count, text] = message;
      held.push({ port, batch, facts: { count, text } });
    }
  };

  return {
    submit: (port, message) => void queue.push({ port, message }),
    flush() {
      if (queue.length === 0) return;
      const batches = queue;
      if (!isFull()) {
        const lists = [...held.map(({ facts }) => facts), ...batches.flatMap(({ message }) => linesIn(message))];
        if (commit(lists)) {
          queue = [];
          const waiting = [...held, ...batches.map(({ port, message }) => ({ port, batch: message[0] }))];
          held = [];
          reply(waiting, undefined);
          return;
        }
        node.set('storageFull', 1);
      }
      queue = [];
      refusePromises(batches);
      commitHeld();
    },
    watch() {
      commitHeld();
      if (!isFull()) {
        if (disk.isLow() || !disk.keepReserve()) node.set('storageFull', 1);
      } else if (held.length === 0 && disk.isAmple() && disk.keepReserve()) node.set('storageFull', 0);
    },
  };
}

function linesIn([, promises, promisesText, facts, factsText, notes, notesText]: JournalBatch): readonly Lines[] {
  return [
    { count: promises, text: promisesText },
    { count: facts, text: factsText },
    { count: notes, text: notesText },
  ];
}

/** One answer to each port: its highest batch covers those before it. */
function reply(
  batches: readonly { readonly port: AnswerPort; readonly batch: number }[],
  code: 'storage_full' | 'internal' | undefined,
): void {
  const highest = new Map<AnswerPort, number>();
  for (const { port, batch } of batches) highest.set(port, batch);
  for (const [port, batch] of highest)
    port.postMessage((code === undefined ? batch : [batch, code]) satisfies JournalReply);
}
