import { join } from 'node:path';
import {
  type Journal,
  type JournalOptions,
  NODE_MARK,
  readNodeMark,
  readOrigin,
  startJournal,
  writeNodeMark,
} from '../../ground/journal/index.ts';
import type { Store } from '../../ground/store/index.ts';
import { bookJournalLoss, findLostJournals, journalLost } from './journal-loss.ts';

export interface KeptJournalOptions extends JournalOptions {
  readonly store: Store;
  readonly home: string;
  /** Other nodes may be at work on the store. */
  readonly isShared: boolean;
  /** Start though a journal is gone, and book it as lost. */
  readonly acceptLoss: boolean;
  readonly nowMs: number;
}

/** Starts the journal of a home. Throws Fault `config_invalid` where the one that was there is gone, as {@link startJournal} else. */
export async function startKeptJournal({
  store,
  home,
  isShared,
  acceptLoss,
  nowMs,
  ...options
}: KeptJournalOptions): Promise<Journal> {
  const mark = join(home, NODE_MARK);
  const nodeId = readOrigin(options.dir)?.nodeId;
  const lost = await findLostJournals(store, { nodeId, marked: readNodeMark(mark), isShared });
  if (lost.length > 0 && !acceptLoss) throw journalLost(lost, options.dir);
  const journal = await startJournal(options);
  try {
    if (lost.length > 0) await bookJournalLoss(store, { lost, nodeId: journal.nodeId, nowMs });
    writeNodeMark(mark, journal.nodeId);
  } catch (error) {
    await journal[Symbol.asyncDispose]();
    throw error;
  }
  return journal;
}
