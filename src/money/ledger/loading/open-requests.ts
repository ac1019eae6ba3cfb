import type { Nano } from '@millrace/contract';
import {
  decodeRecord,
  ENTRY_KIND,
  encodeRecord,
  type Intent,
  type JournalRecord,
  type Progress,
} from '../../../ground/journal/index.ts';
import { Fault } from '../../../ground/std/index.ts';
import type { Store, StoreTransaction } from '../../../ground/store/index.ts';
import { walletAccount } from '../accounts.ts';
import { type BalanceChanges, changeOf } from '../booking.ts';

/** A request that was admitted and is not settled. */
export interface OpenRequest {
  readonly intent: Intent;
  readonly accountId: string;
  /** Where its intent stands in the journal; 0 when it was read from the store. */
  readonly seq: number;
  /** When the loader read it; ms, monotonic. */
  readonly readAtMs: number;
  /** The hold with its extensions. */
  readonly heldNano: Nano;
  /** What `balances.held_nano` counts of it: nothing before its row is written, and after it expired. */
  readonly countedNano: Nano;
  readonly expired: boolean;
  readonly progress: Progress | undefined;
}

/**
 * The requests that run, as the loader knows them. Most end before anyone could ask: only those that run longer get a hold in
 * the store, and until then the stored cursor stays before their intents, so that a restart reads them again.
 */
export interface OpenRequests {
  get(id: string): OpenRequest | undefined;
  /** Without a row in the store yet; in the order of the journal. */
  readonly fresh: ReadonlyMap<string, OpenRequest>;
  /** With one. */
  readonly stored: ReadonlyMap<string, OpenRequest>;
  /** Stored requests whose last note is not in the store, with the entry of their first such note; in the order of the journal. */
  readonly noted: ReadonlyMap<string, { readonly seq: number; readonly readAtMs: number }>;
  open(request: OpenRequest): void;
  note(progress: Progress, at: { readonly seq: number; readonly readAtMs: number }): void;
  /** Rows of these, as they are now, are in the store. */
  keep(requests: readonly OpenRequest[]): void;
  expire(ids: readonly string[]): void;
  close(id: string): void;
}

export function createOpenRequests(stored: readonly OpenRequest[]): OpenRequests {
  const fresh = new Map<string, OpenRequest>();
  const kept = new Map(stored.map(request => [request.intent.id, request]));
  const noted = new Map<string, { readonly seq: number; readonly readAtMs: number }>();
  const get = (id: string) => fresh.get(id) ?? kept.get(id);
  return {
    get,
    fresh,
    stored: kept,
    noted,
    open: request => void fresh.set(request.intent.id, request),
    note(progress, at) {
      const request = get(progress.id);
      // Counts only grow: a smaller one is older.
      if (!request || (request.progress && request.progress.outputTokens > progress.outputTokens)) return;
      const heldNano = progress.holdNano > request.heldNano ? progress.holdNano : request.heldNano;
      const where = fresh.has(progress.id) ? fresh : kept;
      where.set(progress.id, { ...request, progress, heldNano });
      if (where === kept && !noted.has(progress.id)) noted.set(progress.id, at);
    },
    keep(requests) {
      for (const request of requests) {
        const { id } = request.intent;
        fresh.delete(id);
        noted.delete(id);
        kept.set(id, written(request));
      }
    },
    expire(ids) {
      for (const id of ids) {
        const request = kept.get(id);
        if (request) kept.set(id, { ...request, countedNano: 0n, expired: true });
      }
    },
    close(id) {
      fresh.delete(id);
      kept.delete(id);
      noted.delete(id);
    },
  };
}

/** An intent as an open request; `seq` and `readAtMs` say where and when it was read. */
export function openRequest(intent: Intent, at: { readonly seq: number; readonly readAtMs: number }): OpenRequest {
  return {
    intent,
    accountId: walletAccount(intent.organizationId, intent.currency),
    ...at,
    heldNano: intent.holdNano,
    countedNano: 0n,
    expired: false,
    progress: undefined,
  };
}

/** The requests of a node that have a row. */
export async function readStored(db: Store['db'], nodeId: string): Promise<readonly OpenRequest[]> {
  const rows = await db.selectFrom('holds').selectAll().where('node_id', '=', nodeId).orderBy('request_id').execute();
  return rows.map(row => {
    const intent = decodeRecord(ENTRY_KIND.intent, row.intent);
    const progress = row.progress === null ? undefined : decodeRecord(ENTRY_KIND.progress, row.progress);
    if (intent.kind !== ENTRY_KIND.intent) throw new Error('a hold without its intent');
    return {
      intent: intent.value,
      accountId: row.account_id,
      seq: 0,
      readAtMs: 0,
      heldNano: row.amount_nano,
      countedNano: row.state === 'open' ? row.amount_nano : 0n,
      expired: row.state !== 'open',
      progress: progress?.kind === ENTRY_KIND.progress ? progress.value : undefined,
    };
  });
}

/** Writes holds for requests that run long, and the last notes of those that have one. */
export async function storeHolds(
  store: Store,
  trx: StoreTransaction,
  {
    fresh,
    noted,
    nodeId,
    changes,
  }: {
    readonly fresh: readonly OpenRequest[];
    readonly noted: readonly OpenRequest[];
    readonly nodeId: string;
    readonly changes: BalanceChanges;
  },
): Promise<void> {
  const text = (record: JournalRecord | undefined) => (record ? encodeRecord(record) : null);
  const noteText = ({ progress }: OpenRequest) => text(progress && { kind: ENTRY_KIND.progress, value: progress });
  const inserted = await store.insertNew(trx, 'holds', {
    columns: ['request_id', 'account_id', 'amount_nano', 'state', 'node_id', 'expires_us', 'intent', 'progress'],
    rows: fresh.map(request => [
      request.intent.id,
      request.accountId,
      request.heldNano,
      stateOf(request),
      nodeId,
      BigInt(request.intent.expiresAtMs) * 1000n,
      text({ kind: ENTRY_KIND.intent, value: request.intent }),
      noteText(request),
    ]),
    key: 'request_id',
  });
  if (inserted.includes(false)) throw new Error('a hold that was not known is in the store');
  const there = await store.changeRows(trx, 'holds', {
    // As it is known here: another node may have let it expire while this one stood still.
    key: ['request_id', 'state'],
    set: ['progress', 'amount_nano'],
    rows: noted.map(request => [request.intent.id, stateOf(request), noteText(request), request.heldNano]),
  });
  if (there.includes(false)) throw new Fault('unavailable', { internal: 'another node let a hold expire' });
  for (const request of [...fresh, ...noted])
    changeOf(changes, request.accountId).held += written(request).countedNano - request.countedNano;
}

/** The request once its row is written. An expired hold stays expired: its money was given back. */
function written(request: OpenRequest): OpenRequest {
  return request.expired ? request : { ...request, countedNano: request.heldNano };
}

/** Gives back what the open requests among `settled` held. */
export async function releaseHolds(
  trx: StoreTransaction,
  settled: readonly OpenRequest[],
  changes: BalanceChanges,
): Promise<void> {
  if (settled.length === 0) return;
  const ids = settled.map(({ intent }) => intent.id);
  // What the row says counts, not what is known here: another node may have let it expire while this one stood still.
  const rows = await trx
    .deleteFrom('holds')
    .where('request_id', 'in', ids)
    .returning(['account_id', 'amount_nano', 'state'])
    .execute();
  for (const { account_id, amount_nano, state } of rows)
    if (state === 'open') changeOf(changes, account_id).held -= amount_nano;
}

const stateOf = ({ expired }: OpenRequest) => (expired ? 'expired' : 'open');
