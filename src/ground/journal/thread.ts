// The journal thread: takes all that is queued, commits once, answers all waiters. It is the only writer of the journal.
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { armCrashPoint, openSlots, type SharedSlots, systemClock, toFault } from '../std/index.ts';
import type { JournalBatch } from './client.ts';
import { watchDisk } from './disk-space.ts';
import { createGroupCommit } from './group-commit.ts';
import { openPublished, type Published } from './published.ts';
import type { SegmentOrigin } from './segments.ts';
import { type JournalWriter, openWriter, type SegmentLimits } from './writer.ts';

export interface JournalThreadStart {
  readonly dir: string;
  readonly origin: SegmentOrigin;
  readonly shared: SharedSlots;
  /** See {@link openPublished}. */
  readonly published: SharedArrayBuffer;
  readonly limits: SegmentLimits;
  /** Free bytes of the disk below which nothing new is admitted. */
  readonly reserveBytes: number;
  readonly crashAt: string | undefined;
}

export type ToJournal = { readonly type: 'connect'; readonly port: MessagePort } | { readonly type: 'close' };
export type FromJournal =
  | { readonly type: 'ready' }
  | { readonly type: 'failed'; readonly message: string; readonly messageZh: string };

const WATCH_MS = 1_000;
function runJournal(start: JournalThreadStart, main: NonNullable<typeof parentPort>): void {
  armCrashPoint(start.crashAt);
  const published = openPublished(start.published);
  const writer = timed(openWriter(start.dir, start.origin, start.limits), published);
  published.setLastSeq(writer.lastSeq());
  const disk = watchDisk(start.dir, start.reserveBytes);
  const group = createGroupCommit({
    writer,
    disk,
    node: openSlots(start.shared).node,
    published: published.setLastSeq,
  });
  const ports = new Set<MessagePort>();
  let scheduled = false;
  const flush = () => {
    scheduled = false;
    group.flush();
  };
  group.watch();
  const watch = setInterval(() => group.watch(), WATCH_MS);

  const connect = (port: MessagePort) => {
    ports.add(port);
    port.on('message', (batch: JournalBatch) => {
      group.submit(port, batch);
      if (scheduled) return;
      // After the messages of all ports that are here now: they share one commit.
      scheduled = true;
      setImmediate(flush);
    });
    port.on('close', () => ports.delete(port));
  };
  main.on('message', (message: ToJournal) => {
    if (message.type === 'connect') return connect(message.port);
    clearInterval(watch);
    for (const port of ports) {
      // What was sent before we were asked to close may not have been delivered yet.
      for (let next = receiveMessageOnPort(port); next; next = receiveMessageOnPort(port))
        group.submit(port, next.message);
    }
    group.flush();
    writer.close();
    for (const port of ports) port.close();
    main.close();
  });
  main.postMessage({ type: 'ready' } satisfies FromJournal);
}

function timed(writer: JournalWriter, published: Published): JournalWriter {
  return {
    ...writer,
    commit(lists) {
      const startedMs = systemClock.monotonicMs();
      const done = writer.commit(lists);
      if (done) published.addCommit(systemClock.monotonicMs() - startedMs);
      return done;
    },
  };
}

if (parentPort) {
  try {
    runJournal(startOf(workerData), parentPort);
  } catch (error) {
    const fault = toFault(error);
    const failed: FromJournal = {
      type: 'failed',
      message: fault.details.internal ?? fault.message,
      messageZh: fault.messageIn('zh'),
    };
    parentPort.postMessage(failed);
    parentPort.close();
  }
}

function startOf(data: JournalThreadStart): JournalThreadStart {
  return data;
}
