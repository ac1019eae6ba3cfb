import { AMOUNT_NANO_MAX, type Currency, formatAmount, isCurrency, type Nano } from '@millrace/contract';
import { sql } from 'kysely';
import { Fault } from '../../ground/std/index.ts';
import type { Store, StoreTransaction } from '../../ground/store/index.ts';
import { adjustmentAccount, cashAccount, ensureAccounts, walletAccount } from './accounts.ts';
import { accountPair, applyChanges, type BalanceChanges, changeOf, openBooks, post, type Transfer } from './booking.ts';

export interface Credit {
  readonly organizationId: string;
  readonly currency: Currency;
  /** Positive: a top-up; negative: a debit. Never 0. */
  readonly amountNano: Nano;
  readonly idempotencyKey: string;
  readonly note?: string | undefined;
  readonly kind?: 'credit' | 'config-credit';
}

/** The key under which a credit is booked, as it is stored. */
export function idemKeyOf({ organizationId, idempotencyKey, kind = 'credit' }: Credit): string {
  return storable(`${kind}:${organizationId}:${idempotencyKey}`);
}

/** Room below int64, so that no balance is refused by the database in place of us. */
const BALANCE_NANO_MAX = 9_000_000_000_000_000_000n;

export function checkCurrency(currency: Currency): void {
  if (isCurrency(currency)) return;
  throw new Fault('config_invalid', {
    message: `"${currency}" is no currency code such as CNY`,
    messageZh: `“${currency}”不是币种代码（如 CNY）`,
    param: 'currency',
  });
}

/**
 * Books a top-up or a debit once per idempotency key; false where it was booked before. Throws `conflict` where the key was
 * used for something else, `insufficient_funds` where a debit takes more than is there and not held, `invalid_parameter`.
 */
export async function bookCredit(store: Store, trx: StoreTransaction, credit: Credit, atUs: number): Promise<boolean> {
  const { organizationId, currency, amountNano, kind = 'credit' } = credit;
  checkCurrency(currency);
  checkAmount(amountNano);
  // Under the lock of the chain nobody books between this look and the booking.
  const books = await openBooks(store, trx);
  const idemKey = idemKeyOf(credit);
  const wallet = walletAccount(organizationId, currency);
  const known = await bookedAmount(trx, idemKey);
  if (known) {
    if (known.accountId === wallet && known.amountNano === amountNano) return false;
    throw new Fault('conflict', {
      message: `The idempotency key ${credit.idempotencyKey} was used for another amount or currency`,
      messageZh: `幂等键 ${credit.idempotencyKey} 已用于另一笔金额或币种`,
      param: 'idempotencyKey',
    });
  }
  const house = amountNano > 0n ? cashAccount(organizationId, currency) : adjustmentAccount(organizationId, currency);
  await ensureAccounts(store, trx, [wallet, house]);
  const changes: BalanceChanges = new Map();
  const transfer: Transfer = {
    kind: amountNano > 0n ? kind : 'debit',
    accounts: amountNano > 0n ? accountPair(house, wallet) : accountPair(wallet, house),
    amountNano: amountNano > 0n ? amountNano : -amountNano,
    atUs,
    idemKey,
    reversesSeq: null,
    note: storable(credit.note ?? ''),
  };
  await books.write([transfer]);
  await books.close();
  post(changes, transfer.accounts, transfer.amountNano);
  await moveWallet(trx, wallet, { amountNano, currency });
  changeOf(changes, wallet).posted = 0n;
  await applyChanges(store, trx, changes);
  return true;
}

function checkAmount(amountNano: Nano): void {
  if (amountNano !== 0n && amountNano <= AMOUNT_NANO_MAX && amountNano >= -AMOUNT_NANO_MAX) return;
  throw new Fault('invalid_parameter', {
    message: 'The amount must not be zero, nor beyond a thousand million',
    messageZh: '金额不能为零，也不能超过十亿',
    param: 'amount',
  });
}

/** Texts as both databases give them back, so that the hash over what is stored is the hash over what was booked. */
export function storable(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\uFFFD');
}

async function bookedAmount(
  trx: StoreTransaction,
  idemKey: string,
): Promise<{ readonly accountId: string; readonly amountNano: Nano } | undefined> {
  const row = await trx
    .selectFrom('transfers')
    .select(['kind', 'debit', 'credit', 'amount_nano'])
    .where('idem_key', '=', idemKey)
    .executeTakeFirst();
  if (!row) return undefined;
  return row.kind === 'debit'
    ? { accountId: row.debit, amountNano: -row.amount_nano }
    : { accountId: row.credit, amountNano: row.amount_nano };
}

/** One statement decides and moves: a debit only what is there and not held, a top-up only what the column holds. */
async function moveWallet(
  trx: StoreTransaction,
  wallet: string,
  { amountNano, currency }: { readonly amountNano: Nano; readonly currency: Currency },
): Promise<void> {
  const fits =
    amountNano < 0n
      ? sql<boolean>`posted_nano - held_nano + ${amountNano} >= (select min_balance_nano from accounts where id = account_id)`
      : sql<boolean>`posted_nano <= ${BALANCE_NANO_MAX - amountNano}`;
  const { numUpdatedRows } = await trx
    .updateTable('balances')
    .set(({ eb }) => ({ posted_nano: eb('posted_nano', '+', amountNano) }))
    .where('account_id', '=', wallet)
    .where(fits)
    .executeTakeFirst();
  if (numUpdatedRows === 1n) return;
  if (amountNano < 0n) throw uncovered(amountNano, currency);
  throw new Fault('invalid_parameter', {
    message: `The wallet would hold more than ${formatAmount(BALANCE_NANO_MAX)} ${currency}`,
    messageZh: `钱包余额将超过 ${formatAmount(BALANCE_NANO_MAX)} ${currency}`,
    param: 'amount',
  });
}

export function uncovered(amountNano: Nano, currency: Currency): Fault {
  return new Fault('insufficient_funds', {
    message: `The wallet does not hold ${formatAmount(-amountNano)} ${currency}`,
    messageZh: `钱包余额不足 ${formatAmount(-amountNano)} ${currency}`,
  });
}
