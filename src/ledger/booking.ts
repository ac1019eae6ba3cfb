import { hash } from 'node:crypto';
import type { Currency, Nano } from '@millrace/contract';
import { sql } from 'kysely';
import type { Store, StoreTransaction, StoreValue } from '../store/index.ts';
import { ensureAccounts } from './accounts.ts';

/** `usage`: one request. `cost`: what the attempts of a batch of requests owe. `config-credit`: a top-up that a configuration file states. */
export type TxKind = 'credit' | 'config-credit' | 'debit' | 'usage' | 'cost' | 'reversal';

export interface Posting {
  readonly accountId: string;
  readonly currency: Currency;
  /** Debit > 0, credit < 0; never 0. */
  readonly amountNano: Nano;
}

export interface Booking {
  readonly kind: TxKind;
  /** Booked once per key, however often it is sent; null where its request is the key, or its batch. */
  readonly idemKey: string | null;
  readonly requestId: string | null;
  readonly atUs: bigint;
  readonly note: string;
  /** The transaction that this one takes back: corrections are new transactions. */
  readonly reversesSeq?: bigint;
  readonly postings: readonly Posting[];
}

/** Change of an account's projection: of what is posted (a wallet's with its owner's sign), and of what is held. */
export interface BalanceChange {
  posted: Nano;
  held: Nano;
}
export type BalanceChanges = Map<string, BalanceChange>;

export function changeOf(changes: BalanceChanges, accountId: string): BalanceChange {
  let change = changes.get(accountId);
  if (!change) {
    change = { posted: 0n, held: 0n };
    changes.set(accountId, change);
  }
  return change;
}

/** Texts that JSON does not hold as they are. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const NEEDS_ESCAPE = /["\\\u0000-\u001f\ud800-\udfff]/;
const quote = (text: string | null) =>
  text === null ? 'null' : NEEDS_ESCAPE.test(text) ? JSON.stringify(text) : `"${text}"`;

/**
 * What a transaction's hash covers: the hash before it, and everything that was booked, as a JSON list, so that no text can
 * pass for two. SHA-256, base64url.
 */
export function hashTx(booking: Booking, seq: bigint, prevHash: string): string {
  const { kind, idemKey, requestId, atUs, note, reversesSeq = '', postings } = booking;
  let text = `["${prevHash}","${seq}","${kind}",${quote(idemKey)},${quote(requestId)},"${atUs}",${quote(note)},"${reversesSeq}"`;
  for (const { accountId, currency, amountNano } of postings)
    text += `,${quote(accountId)},${quote(currency)},"${amountNano}"`;
  return hash('sha256', `${text}]`, 'base64url');
}

/** The end of the chain, locked until the transaction ends: booking is done one after the other, on every database. */
export async function lockHead(trx: StoreTransaction, { dialect }: Store): Promise<{ seq: bigint; hash: string }> {
  const { rows } = await sql<{ seq: bigint; hash: string }>`select seq, hash from ledger_head where id = 1${sql.raw(
    dialect === 'postgres' ? ' for update' : '',
  )}`.execute(trx);
  const head = rows[0];
  if (!head) throw new Error('the ledger has no head');
  return { seq: head.seq, hash: head.hash };
}

const TX_COLUMNS = ['seq', 'kind', 'idem_key', 'request_id', 'booked_us', 'reverses_seq', 'note', 'hash'];
const POSTING_COLUMNS = ['tx_seq', 'line', 'account_id', 'currency', 'amount_nano'];

/**
 * Books transactions that are known to be new, in order, after `head` (from {@link lockHead}), which moves. Balances are not
 * moved here: their changes are added to `changes`, one row per account whatever the number of bookings. Asserts that every
 * transaction sums to zero per currency (I1).
 */
export async function book(
  store: Store,
  trx: StoreTransaction,
  {
    bookings,
    head,
    changes,
  }: {
    readonly bookings: readonly Booking[];
    readonly head: { seq: bigint; hash: string };
    readonly changes: BalanceChanges;
  },
): Promise<void> {
  if (bookings.length === 0) return;
  const txRows: StoreValue[][] = [];
  const postingRows: StoreValue[][] = [];
  for (const booking of bookings) {
    assertZeroSum(booking);
    head.seq++;
    head.hash = hashTx(booking, head.seq, head.hash);
    const { kind, idemKey, requestId, atUs, note } = booking;
    txRows.push([head.seq, kind, idemKey, requestId, atUs, booking.reversesSeq ?? null, note, head.hash]);
    let line = 0n;
    for (const { accountId, currency, amountNano } of booking.postings) {
      postingRows.push([head.seq, line++, accountId, currency, amountNano]);
      // A wallet is a liability: its balance is shown with its owner's sign.
      changeOf(changes, accountId).posted += accountId.startsWith('wallet:') ? -amountNano : amountNano;
    }
  }
  const inserted = await store.insertNew(trx, 'ledger_tx', { columns: TX_COLUMNS, rows: txRows, key: 'seq' });
  if (inserted.includes(false)) throw new Error('a transaction that was checked to be new is in the ledger');
  await store.insertNew(trx, 'postings', { columns: POSTING_COLUMNS, rows: postingRows, key: 'tx_seq,line' });
  await trx.updateTable('ledger_head').set({ seq: head.seq, hash: head.hash }).where('id', '=', 1n).execute();
}

/** Moves balances by what {@link book} and the holds of a transaction say; opens the accounts that are missing. */
export async function applyChanges(store: Store, trx: StoreTransaction, changes: BalanceChanges): Promise<void> {
  const move = (ids: readonly string[]) =>
    store.changeRows(trx, 'balances', {
      key: ['account_id'],
      add: ['posted_nano', 'held_nano'],
      rows: ids.map(id => [id, changes.get(id)?.posted ?? 0n, changes.get(id)?.held ?? 0n]),
    });
  const ids = [...changes].filter(([, { posted, held }]) => posted !== 0n || held !== 0n).map(([id]) => id);
  const moved = await move(ids);
  const missing = ids.filter((_, index) => !moved[index]);
  await ensureAccounts(store, trx, missing);
  await move(missing);
}

function assertZeroSum({ idemKey, requestId, postings }: Booking): void {
  const [first, second] = postings;
  // Nearly all: two lines of one currency.
  if (
    postings.length === 2 &&
    first?.currency === second?.currency &&
    first?.amountNano === -(second?.amountNano ?? 0n) &&
    first.amountNano !== 0n
  )
    return;
  const sums = new Map<Currency, Nano>();
  for (const { currency, amountNano } of postings) {
    if (amountNano === 0n) throw new Error(`transaction ${idemKey ?? requestId} has a posting of zero`);
    sums.set(currency, (sums.get(currency) ?? 0n) + amountNano);
  }
  for (const [currency, sum] of sums)
    if (sum !== 0n) throw new Error(`transaction ${idemKey ?? requestId} does not sum to zero in ${currency}: ${sum}`);
}
