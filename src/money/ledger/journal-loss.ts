import { Fault, type Log } from '../../ground/std/index.ts';
import type { Store } from '../../ground/store/index.ts';
import { suspend } from './suspense.ts';

/** What `journal_cursor.state` says of a node. */
const STATE = { atWork: 0n, stopped: 1n, givenUp: 2n } as const;

/** A node whose journal nobody has any more, and how far it was loaded. */
export interface LostJournal {
  readonly nodeId: string;
  readonly loadedSeq: number;
}

/**
 * Journals that must be there and are not: of the node that this home was (`marked`), and, where this journal is new and nobody else
 * may be at work, of all nodes that did not stop in order: what they had not loaded is in no ledger. A node that stopped had loaded
 * all that it had.
 */
export async function findLostJournals(
  store: Store,
  home: {
    /** Whose journal is in the home; undefined where none was ever begun there. */
    readonly nodeId: string | undefined;
    /** Whose home it was when it was last used. */
    readonly marked: string | undefined;
    readonly isShared: boolean;
  },
): Promise<readonly LostJournal[]> {
  const rows = await store.db.selectFrom('journal_cursor').select(['node_id', 'seq', 'state']).execute();
  const { nodeId, marked, isShared } = home;
  const lost = rows
    .filter(row => row.state === STATE.atWork && row.node_id !== nodeId)
    .filter(row => row.node_id === marked || (nodeId === undefined && !isShared))
    .map(row => ({ nodeId: row.node_id, loadedSeq: Number(row.seq) }));
  // It may have had entries before the first of them was loaded.
  const isUnknown = marked !== undefined && marked !== nodeId && !rows.some(row => row.node_id === marked);
  return isUnknown ? [...lost, { nodeId: marked, loadedSeq: 0 }] : lost;
}

export function journalLost(lost: readonly LostJournal[], folder: string): Fault {
  const nodes = lost.map(({ nodeId, loadedSeq }) => `${nodeId} (${loadedSeq})`).join(', ');
  return new Fault('config_invalid', {
    message: `The journal of node ${nodes} is not in ${folder}: what it held beyond that entry is in no ledger. Put it back, or start once with --accept-journal-loss, which books it as lost`,
    messageZh: `${folder} 中缺少节点 ${nodes} 的日志：该条目之后的内容尚未入账。请放回日志，或用 --accept-journal-loss 启动一次，将其记为丢失`,
  });
}

/**
 * Books it as lost: an entry in suspense for each, which stays an alarm until somebody has looked, and the requests that the store
 * knows to have run there are this node's from now on, to be settled as those of a crash.
 */
export async function bookJournalLoss(
  store: Store,
  { lost, nodeId, nowMs }: { readonly lost: readonly LostJournal[]; readonly nodeId: string; readonly nowMs: number },
): Promise<void> {
  await store.transaction(async trx => {
    for (const { nodeId: gone, loadedSeq } of lost) {
      const reason = `the journal of the node is gone: what it held after entry ${loadedSeq} is not known`;
      const what = { kind: 'journal-loss', seq: loadedSeq, requestId: '', reason, content: '{}' } as const;
      await suspend(store, trx, { nodeId: gone, nowMs, all: [what] });
      await trx.updateTable('holds').set({ node_id: nodeId }).where('node_id', '=', gone).execute();
      await store.insertNew(trx, 'journal_cursor', {
        columns: ['node_id', 'epoch', 'seq'],
        rows: [[gone, 0n, BigInt(loadedSeq)]],
        key: 'node_id',
      });
      await trx.updateTable('journal_cursor').set({ state: STATE.givenUp }).where('node_id', '=', gone).execute();
    }
  });
}

/** Before the first entry of this start: from here on its journal may hold what the store does not. */
export async function beginWork(store: Store, nodeId: string): Promise<void> {
  await store.db
    .updateTable('journal_cursor')
    .set({ state: STATE.atWork })
    .where('node_id', '=', nodeId)
    .where('state', '<>', STATE.atWork)
    .execute();
}

/** All that its journal holds is loaded, and nothing more will come. */
export async function endWork(
  store: Store,
  { nodeId, epoch, seq }: { readonly nodeId: string; readonly epoch: number; readonly seq: number },
  log: Log,
): Promise<void> {
  const written = store.transaction(async trx => {
    const rows = [[nodeId, BigInt(epoch), BigInt(seq)]];
    await store.insertNew(trx, 'journal_cursor', { columns: ['node_id', 'epoch', 'seq'], rows, key: 'node_id' });
    await trx
      .updateTable('journal_cursor')
      .set({ state: STATE.stopped })
      .where('node_id', '=', nodeId)
      .where('seq', '=', BigInt(seq))
      .execute();
  });
  // It counts as killed then.
  await written.catch(error => log.warn('end-of-work-not-written', { internal: String(error) }));
}
