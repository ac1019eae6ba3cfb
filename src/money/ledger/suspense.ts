import {
  decodeRecord,
  ENTRY_KIND,
  encodeRecord,
  type Intent,
  type Progress,
  type Settlement,
} from '../../ground/journal/index.ts';
import { Fault } from '../../ground/std/index.ts';
import { isPassing, type Store, type StoreTransaction } from '../../ground/store/index.ts';
import { type Settled, settledOf } from './loading/settled.ts';

/**
 * `settlement`: it could not be booked. `hold`: what a running request set aside could not be written. `recovery`: its node died, and
 * what it cost cannot be told. `journal-loss`: entries of a journal that nobody has any more.
 */
export type SuspenseKind = 'settlement' | 'hold' | 'recovery' | 'journal-loss';

/** What cannot be booked waits for a person: nothing of it is booked, and nothing that comes after waits for it. */
export interface Suspended {
  readonly kind: SuspenseKind;
  readonly seq: number;
  readonly requestId: string;
  readonly reason: string;
  readonly content: string;
}

export interface SuspenseRow extends Suspended {
  readonly number: number;
  readonly nodeId: string;
  readonly atMs: number;
  readonly end: { readonly how: string; readonly atMs: number; readonly note: string } | undefined;
}

/** Primary result codes of SQLite: TOOBIG, CONSTRAINT (an integer that overflowed is one), MISMATCH, RANGE. */
const SQLITE_DATA: ReadonlySet<number> = new Set([18, 19, 20, 25]);

/**
 * Whether a booking failed for what was to be booked: a value that does not fit, or a rule that it breaks. Anything else is a fault of
 * the database, or of the machine, which the next record would meet too.
 */
export function isUnbookable(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof Fault || isPassing(error)) return false;
  if ('errcode' in error && typeof error.errcode === 'number') return SQLITE_DATA.has(error.errcode & 0xff);
  // Data exceptions, and integrity constraints.
  if ('code' in error && typeof error.code === 'string' && /^[0-9A-Z]{5}$/.test(error.code))
    return /^2[23]/.test(error.code);
  return true;
}

const REASON_MAX = 500;

export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.length > REASON_MAX ? text.slice(0, REASON_MAX) : text;
}

/** The records of a request, as the journal writes them. */
export function contentOf({
  intent,
  settlement,
  progress,
}: {
  readonly intent?: Intent;
  readonly settlement?: Settlement;
  readonly progress?: Progress | undefined;
}): string {
  return JSON.stringify({
    ...(intent ? { intent: encodeRecord({ kind: ENTRY_KIND.intent, value: intent }) } : {}),
    ...(settlement ? { settlement: encodeRecord({ kind: ENTRY_KIND.settlement, value: settlement }) } : {}),
    ...(progress ? { progress: encodeRecord({ kind: ENTRY_KIND.progress, value: progress }) } : {}),
  });
}

/** What {@link contentOf} wrote; what is missing was not there. */
export function recordsIn(content: string): {
  readonly intent?: Intent;
  readonly settlement?: Settlement;
  readonly progress?: Progress;
} {
  const fields: unknown = JSON.parse(content);
  const texts = new Map(typeof fields === 'object' && fields !== null ? Object.entries(fields) : []);
  const read = (name: keyof typeof ENTRY_KIND) => {
    const text: unknown = texts.get(name);
    return typeof text === 'string' ? decodeRecord(ENTRY_KIND[name], text) : undefined;
  };
  const [intent, settlement, progress] = [read('intent'), read('settlement'), read('progress')];
  return {
    ...(intent?.kind === ENTRY_KIND.intent ? { intent: intent.value } : {}),
    ...(settlement?.kind === ENTRY_KIND.settlement ? { settlement: settlement.value } : {}),
    ...(progress?.kind === ENTRY_KIND.progress ? { progress: progress.value } : {}),
  };
}

/** Puts them there, each once however often it is tried. Nodes number them one after the other, by the lock of the ledger's head. */
export async function suspend(
  store: Store,
  trx: StoreTransaction,
  { nodeId, nowMs, all }: { readonly nodeId: string; readonly nowMs: number; readonly all: readonly Suspended[] },
): Promise<void> {
  if (all.length === 0) return;
  const lock = trx.selectFrom('ledger_head').select('seq').where('id', '=', 1n);
  await (store.dialect === 'postgres' ? lock.forUpdate() : lock).execute();
  const last = await trx
    .selectFrom('suspense')
    .select(({ fn }) => fn.max('number').as('number'))
    .executeTakeFirst();
  const first = Number(last?.number ?? 0n) + 1;
  await store.insertNew(trx, 'suspense', {
    columns: ['number', 'kind', 'node_id', 'seq', 'request_id', 'at_us', 'reason', 'content'],
    rows: all.map(({ kind, seq, requestId, reason, content }, index) => [
      first + index,
      kind,
      nodeId,
      seq,
      requestId,
      BigInt(nowMs) * 1000n,
      reason,
      content,
    ]),
    key: 'number',
  });
}

/** How many nobody has looked at yet. */
export async function openSuspense(db: Store['db']): Promise<number> {
  const row = await db
    .selectFrom('suspense')
    .leftJoin('suspense_ends', 'suspense_ends.number', 'suspense.number')
    .select(({ fn }) => fn.countAll<bigint>().as('count'))
    .where('how', 'is', null)
    .executeTakeFirst();
  return Number(row?.count ?? 0n);
}

/** Newest first; all, or those that are open; one by its number. */
export async function readSuspense(
  db: Store['db'],
  { number, all = false, limit }: { readonly number?: number; readonly all?: boolean; readonly limit: number },
): Promise<readonly SuspenseRow[]> {
  let query = db
    .selectFrom('suspense')
    .leftJoin('suspense_ends', 'suspense_ends.number', 'suspense.number')
    .selectAll('suspense')
    .select(['how', 'note', 'suspense_ends.at_us as ended_us'])
    .orderBy('suspense.number', 'desc')
    .limit(limit);
  if (number !== undefined) query = query.where('suspense.number', '=', BigInt(number));
  else if (!all) query = query.where('how', 'is', null);
  return (await query.execute()).map(row => ({
    number: Number(row.number),
    kind: kindOf(row.kind),
    nodeId: row.node_id,
    seq: Number(row.seq),
    requestId: row.request_id,
    atMs: Number(row.at_us / 1000n),
    reason: row.reason,
    content: row.content,
    end:
      row.how === null || row.ended_us === null
        ? undefined
        : { how: row.how, atMs: Number(row.ended_us / 1000n), note: row.note ?? '' },
  }));
}

const KINDS = ['settlement', 'hold', 'recovery', 'journal-loss'] as const satisfies readonly SuspenseKind[];
const kindOf = (text: string): SuspenseKind => KINDS.find(kind => kind === text) ?? 'settlement';

/** Says how it ended; false where that was said before. */
export async function endSuspense(
  store: Store,
  trx: StoreTransaction,
  end: {
    readonly number: number;
    readonly how: 'booked' | 'dismissed';
    readonly note: string;
    readonly nowMs: number;
  },
): Promise<boolean> {
  const [made] = await store.insertNew(trx, 'suspense_ends', {
    columns: ['number', 'how', 'at_us', 'note'],
    rows: [[end.number, end.how, BigInt(end.nowMs) * 1000n, end.note]],
    key: 'number',
  });
  return made === true;
}

/** A settlement that waits, with its intent, which may have been put aside before it; undefined where nothing can be booked. */
export async function readToBook(db: Store['db'], number: number): Promise<Settled | undefined> {
  const [row] = await readSuspense(db, { number, limit: 1 });
  if (!row || row.end) return undefined;
  const { settlement } = recordsIn(row.content);
  if (!settlement) return undefined;
  const others = await db
    .selectFrom('suspense')
    .select('content')
    .where('request_id', '=', row.requestId)
    .orderBy('number')
    .execute();
  for (const { content } of others) {
    const { intent } = recordsIn(content);
    if (intent) return settledOf(row.seq, settlement, intent);
  }
  return undefined;
}
