import type { Nano } from '@millrace/contract';
import {
  decodeRecord,
  ENTRY_KIND,
  encodeRecord,
  type Intent,
  type JournalEntry,
  type Progress,
  type Settlement,
} from '../journal/index.ts';
import type { Store, StoreTransaction } from '../store/index.ts';
import { ensureAccounts, walletAccount } from './booking.ts';
import { moveHeld, settleBatch } from './settle-batch.ts';

interface Batch {
  readonly entries: readonly JournalEntry[];
  readonly nodeId: string;
  readonly newId: () => string;
}

/** Applies entries in any order and any number of times to the same end (I5). Exported for the replay tests. */
export async function applyEntries(
  store: Store,
  trx: StoreTransaction,
  { entries, nodeId, newId }: Batch,
): Promise<void> {
  const intents = new Map<string, Intent>();
  const progress = new Map<string, Progress>();
  const settlements = new Map<string, Settlement>();
  for (const { record } of entries) {
    if (record.kind === ENTRY_KIND.intent) intents.set(record.value.id, record.value);
    else if (record.kind === ENTRY_KIND.progress) {
      const seen = progress.get(record.value.id);
      if (!seen || seen.outputTokens <= record.value.outputTokens) progress.set(record.value.id, record.value);
    } else if (!settlements.has(record.value.id)) settlements.set(record.value.id, record.value);
  }
  await settleBatch(store, trx, { settlements: [...settlements.values()], intents, newId });
  const open = [...intents.values()].filter(({ id }) => !settlements.has(id));
  await openHolds(store, trx, { open, nodeId });
  await noteProgress(
    trx,
    [...progress.values()].filter(({ id }) => !settlements.has(id)),
  );
}

async function openHolds(
  store: Store,
  trx: StoreTransaction,
  { open, nodeId }: { open: readonly Intent[]; nodeId: string },
): Promise<void> {
  if (open.length === 0) return;
  // An intent that comes after its settlement (a replay) opens nothing.
  const settled = new Set(
    (
      await trx
        .selectFrom('requests')
        .select('id')
        .where(
          'id',
          'in',
          open.map(({ id }) => id),
        )
        .execute()
    ).map(({ id }) => id),
  );
  const fresh = open.filter(({ id }) => !settled.has(id));
  await ensureAccounts(
    store,
    trx,
    new Map(fresh.map(intent => [walletAccount(intent.organizationId, intent.currency), intent.currency])),
  );
  const inserted = await store.insertNew(trx, 'holds', {
    columns: ['request_id', 'account_id', 'amount_nano', 'node_id', 'expires_us', 'intent', 'progress'],
    rows: fresh.map(intent => [
      intent.id,
      walletAccount(intent.organizationId, intent.currency),
      intent.holdNano,
      nodeId,
      BigInt(intent.expiresAtMs) * 1000n,
      encodeRecord({ kind: ENTRY_KIND.intent, value: intent }),
      null,
    ]),
    key: 'request_id',
  });
  const held = new Map<string, Nano>();
  for (const [index, intent] of fresh.entries()) {
    if (!inserted[index]) continue;
    const account = walletAccount(intent.organizationId, intent.currency);
    held.set(account, (held.get(account) ?? 0n) + intent.holdNano);
  }
  await moveHeld(trx, held);
}

async function noteProgress(trx: StoreTransaction, notes: readonly Progress[]): Promise<void> {
  for (const note of notes) {
    const hold = await trx
      .selectFrom('holds')
      .select(['account_id', 'amount_nano', 'progress'])
      .where('request_id', '=', note.id)
      .executeTakeFirst();
    if (!hold) continue;
    const seen = hold.progress === null ? undefined : decodeRecord(ENTRY_KIND.progress, hold.progress);
    if (seen?.kind === ENTRY_KIND.progress && seen.value.outputTokens > note.outputTokens) continue;
    const amount = note.holdNano > hold.amount_nano ? note.holdNano : hold.amount_nano;
    await trx
      .updateTable('holds')
      .set({ progress: encodeRecord({ kind: ENTRY_KIND.progress, value: note }), amount_nano: amount })
      .where('request_id', '=', note.id)
      .execute();
    await moveHeld(trx, new Map([[hold.account_id, amount - hold.amount_nano]]));
  }
}
