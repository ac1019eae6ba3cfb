import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  decodeRecord,
  ENTRY_KIND,
  type Intent,
  type Journal,
  type Progress,
  type Settlement,
} from '../journal/index.ts';
import { crashPoint, type Log } from '../std/index.ts';
import type { Store } from '../store/index.ts';
import { applyEntries } from './apply-entries.ts';

/** Entries of one store transaction: long enough to share its commit, short enough not to hold up the main thread. */
const BATCH = 400;
/** Idle look at the journal. */
const LOOK_MS = 200;

export interface Loader {
  /** Returns when everything that was durable at the call is in the store. */
  flush(): Promise<void>;
  start(): void;
  stop(): Promise<void>;
  /** Entries of the journal that are not in the store yet. */
  lag(): number;
  /** The newest entry that is in the store. */
  cursor(): number;
  /** Intents of this node that have no settlement, with their last progress. */
  openIntents(): Promise<readonly { readonly intent: Intent; readonly progress: Progress | undefined }[]>;
}

/** Moves the journal into the ledger: each entry once, its cursor in the same transaction. */
export async function createLoader({
  store,
  journal,
  log,
  newId,
  onError,
  onSettled,
}: {
  readonly store: Store;
  readonly journal: Pick<Journal, 'nodeId' | 'reader'>;
  readonly log: Log;
  readonly newId: () => string;
  readonly onError: (error: unknown) => void;
  /** Told of each settlement once it is committed: what metrics count. */
  readonly onSettled?: (settlement: Settlement) => void;
}): Promise<Loader> {
  const { nodeId, reader } = journal;
  const saved = await store.db
    .selectFrom('journal_cursor')
    .select('seq')
    .where('node_id', '=', nodeId)
    .executeTakeFirst();
  let cursor = Number(saved?.seq ?? 0n);
  let running: Promise<number> | undefined;
  let timer: NodeJS.Timeout | undefined;

  const loadBatch = async (): Promise<number> => {
    const entries = reader.read(cursor, BATCH);
    const last = entries.at(-1);
    if (!last) return 0;
    await store.transaction(async trx => {
      await applyEntries(store, trx, { entries, nodeId, newId });
      await store.insertNew(trx, 'journal_cursor', {
        columns: ['node_id', 'seq'],
        rows: [[nodeId, 0n]],
        key: 'node_id',
      });
      await trx
        .updateTable('journal_cursor')
        .set({ seq: BigInt(last.seq) })
        .where('node_id', '=', nodeId)
        .execute();
      crashPoint('loader.before-commit');
    });
    crashPoint('loader.after-commit');
    cursor = last.seq;
    for (const { record } of entries) if (record.kind === ENTRY_KIND.settlement) onSettled?.(record.value);
    crashPoint('loader.before-archive');
    reader.archive(cursor);
    return entries.length;
  };
  /** One batch at a time, whoever asks. */
  const step = async (): Promise<number> => {
    while (running) await running.catch(() => 0);
    running = loadBatch().finally(() => {
      running = undefined;
    });
    return running;
  };

  return {
    async flush() {
      const target = reader.lastSeq();
      while (cursor < target) {
        if ((await step()) === 0) break;
        await nextTurn();
      }
    },
    start() {
      const look = async () => {
        try {
          while ((await step()) === BATCH) await nextTurn();
        } catch (error) {
          log.error('loader-failed', {
            internal: error instanceof Error ? (error.stack ?? error.message) : String(error),
          });
          onError(error);
        }
        if (timer) timer = setTimeout(look, LOOK_MS);
      };
      timer = setTimeout(look, LOOK_MS);
    },
    async stop() {
      clearTimeout(timer);
      timer = undefined;
      await running?.catch(() => 0);
    },
    lag: () => Math.max(0, reader.lastSeq() - cursor),
    cursor: () => cursor,
    async openIntents() {
      const rows = await store.db
        .selectFrom('holds')
        .select(['intent', 'progress'])
        .where('node_id', '=', nodeId)
        .orderBy('request_id')
        .execute();
      return rows.map(({ intent, progress }) => {
        const opened = decodeRecord(ENTRY_KIND.intent, intent);
        const noted = progress === null ? undefined : decodeRecord(ENTRY_KIND.progress, progress);
        if (opened.kind !== ENTRY_KIND.intent) throw new Error('a hold without its intent');
        return { intent: opened.value, progress: noted?.kind === ENTRY_KIND.progress ? noted.value : undefined };
      });
    },
  };
}
