import { createHash } from 'node:crypto';
import type { Currency, Nano } from '@millrace/contract';
import type { Store, StoreTransaction, StoreValue } from '../store/index.ts';

export type TxKind = 'credit' | 'config-credit' | 'debit' | 'usage' | 'reversal';

export interface Posting {
  readonly accountId: string;
  readonly currency: Currency;
  /** Debit > 0, credit < 0; never 0. */
  readonly amountNano: Nano;
}

export interface Booking {
  readonly id: string;
  readonly kind: TxKind;
  /** Booked once per key, however often it is sent. */
  readonly idemKey: string;
  readonly requestId: string | null;
  readonly atUs: bigint;
  readonly priceVersion: string | null;
  readonly note: string;
  readonly postings: readonly Posting[];
}

/** Kinds of accounts that are kept per currency, whoever the customer is. */
export type HouseAccount = 'revenue' | 'cash' | 'cogs' | 'payable' | 'adjustment';

export const walletAccount = (organizationId: string, currency: Currency) => `wallet:${organizationId}:${currency}`;
export const houseAccount = (kind: HouseAccount, currency: Currency) => `${kind}:${currency}`;

const GENESIS = '0'.repeat(64);

/** What a transaction's hash covers: everything that was booked, and the hash before it. */
export function hashTx(booking: Omit<Booking, 'id'> & { readonly id: string }, seq: bigint, prevHash: string): string {
  const lines = booking.postings
    .map(({ accountId, currency, amountNano }) => `${accountId} ${currency} ${amountNano}`)
    .join('\n');
  return createHash('sha256')
    .update(
      `${prevHash}\n${seq} ${booking.id} ${booking.kind} ${booking.idemKey} ${booking.requestId ?? ''} ${booking.atUs} ${booking.priceVersion ?? ''}\n${booking.note}\n${lines}`,
    )
    .digest('hex');
}

export async function chainEnd(trx: StoreTransaction): Promise<{ seq: bigint; hash: string }> {
  const last = await trx
    .selectFrom('ledger_tx')
    .select(['seq', 'hash'])
    .orderBy('seq', 'desc')
    .limit(1)
    .executeTakeFirst();
  return last ?? { seq: 0n, hash: GENESIS };
}

/**
 * Books transactions that are known to be new: rows, postings, balances, each account's balance moved by one statement.
 * Asserts that every transaction sums to zero per currency (I1).
 */
export async function book(store: Store, trx: StoreTransaction, bookings: readonly Booking[]): Promise<void> {
  if (bookings.length === 0) return;
  const end = await chainEnd(trx);
  const txRows: StoreValue[][] = [];
  const postingRows: StoreValue[][] = [];
  const moved = new Map<string, Nano>();
  const accounts = new Map<string, Currency>();
  for (const booking of bookings) {
    assertZeroSum(booking);
    end.seq++;
    const hash = hashTx(booking, end.seq, end.hash);
    txRows.push([
      booking.id,
      end.seq,
      booking.kind,
      booking.idemKey,
      booking.requestId,
      booking.atUs,
      null,
      booking.priceVersion,
      booking.note,
      end.hash,
      hash,
    ]);
    end.hash = hash;
    for (const [line, posting] of booking.postings.entries()) {
      postingRows.push([booking.id, BigInt(line), posting.accountId, posting.currency, posting.amountNano]);
      accounts.set(posting.accountId, posting.currency);
      moved.set(posting.accountId, (moved.get(posting.accountId) ?? 0n) + posting.amountNano);
    }
  }
  await ensureAccounts(store, trx, accounts);
  const inserted = await store.insertNew(trx, 'ledger_tx', {
    columns: [
      'id',
      'seq',
      'kind',
      'idem_key',
      'request_id',
      'booked_us',
      'reverses_tx_id',
      'price_version',
      'note',
      'prev_hash',
      'hash',
    ],
    rows: txRows,
    key: 'id',
  });
  if (inserted.includes(false)) throw new Error('a transaction that was checked to be new is in the ledger');
  await store.insertNew(trx, 'postings', {
    columns: ['tx_id', 'line', 'account_id', 'currency', 'amount_nano'],
    rows: postingRows,
    key: 'tx_id,line',
  });
  for (const [account, amount] of moved) {
    // A wallet is a liability: its balance is shown with its owner's sign.
    const change = account.startsWith('wallet:') ? -amount : amount;
    await trx
      .updateTable('balances')
      .set(({ eb }) => ({ posted_nano: eb('posted_nano', '+', change) }))
      .where('account_id', '=', account)
      .execute();
  }
}

export async function ensureAccounts(
  store: Store,
  trx: StoreTransaction,
  accounts: ReadonlyMap<string, Currency>,
): Promise<void> {
  const rows = [...accounts].map(([id, currency]): StoreValue[] => {
    const [kind = '', organization] = id.split(':');
    return [id, kind, kind === 'wallet' ? (organization ?? null) : null, currency, 0n];
  });
  await store.insertNew(trx, 'accounts', {
    columns: ['id', 'kind', 'organization_id', 'currency', 'min_balance_nano'],
    rows,
    key: 'id',
  });
  await store.insertNew(trx, 'balances', {
    columns: ['account_id', 'posted_nano', 'held_nano'],
    rows: rows.map(([id = null]) => [id, 0n, 0n]),
    key: 'account_id',
  });
}

function assertZeroSum({ id, postings }: Booking): void {
  const sums = new Map<Currency, Nano>();
  for (const { currency, amountNano } of postings) {
    if (amountNano === 0n) throw new Error(`transaction ${id} holds a posting of zero`);
    sums.set(currency, (sums.get(currency) ?? 0n) + amountNano);
  }
  for (const [currency, sum] of sums)
    if (sum !== 0n) throw new Error(`transaction ${id} does not sum to zero in ${currency}: ${sum}`);
}
