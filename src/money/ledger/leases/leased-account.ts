import type { Currency, Nano } from '@millrace/contract';
import { sql } from 'kysely';
import { joinCarry, type Store, type StoreTransaction } from '../../../ground/store/index.ts';

/** What leases are taken from: a wallet down to its least balance, or the budget of a key in a period. */
export type LeasedAccount =
  | { readonly kind: 'wallet'; readonly id: string }
  | {
      readonly kind: 'budget';
      readonly id: string;
      readonly keyId: string;
      readonly period: string;
      readonly currency: Currency;
      /** The whole budget. */
      readonly amountNano: Nano;
    };

export const walletLease = (accountId: string): LeasedAccount => ({ kind: 'wallet', id: accountId });

export const budgetLeaseId = (keyId: string, period: string, currency: Currency) =>
  `budget:${keyId}:${period}:${currency}`;

export function budgetLease(budget: {
  readonly keyId: string;
  readonly period: string;
  readonly currency: Currency;
  readonly amountNano: Nano;
}): LeasedAccount {
  return { kind: 'budget', id: budgetLeaseId(budget.keyId, budget.period, budget.currency), ...budget };
}

/** What nobody has set aside of it. */
export async function availableNano(db: Store['db'], account: LeasedAccount): Promise<Nano> {
  if (account.kind === 'wallet') {
    const row = await db
      .selectFrom('balances')
      .innerJoin('accounts', 'accounts.id', 'balances.account_id')
      .select(['posted_nano', 'held_nano', 'min_balance_nano'])
      .where('account_id', '=', account.id)
      .executeTakeFirst();
    return row ? row.posted_nano - row.held_nano - row.min_balance_nano : 0n;
  }
  const row = await db
    .selectFrom('key_spend')
    .select(['spent_nano', 'spent_carry', 'held_nano'])
    .where('key_id', '=', account.keyId)
    .where('period', '=', account.period)
    .where('currency', '=', account.currency)
    .executeTakeFirst();
  return account.amountNano - (row ? joinCarry(row.spent_nano, row.spent_carry) + row.held_nano : 0n);
}

/** One statement: what is not there is not taken, whoever else is taking. */
export async function takeIfCovered(
  store: Store,
  trx: StoreTransaction,
  { account, nano }: { readonly account: LeasedAccount; readonly nano: Nano },
): Promise<boolean> {
  if (account.kind === 'wallet') {
    const { numUpdatedRows } = await trx
      .updateTable('balances')
      .set(({ eb }) => ({ held_nano: eb('held_nano', '+', nano) }))
      .where('account_id', '=', account.id)
      .where(
        sql<boolean>`posted_nano - held_nano - ${nano} >= (select min_balance_nano from accounts where id = account_id)`,
      )
      .executeTakeFirst();
    return numUpdatedRows === 1n;
  }
  const { keyId, period, currency, amountNano } = account;
  await store.insertNew(trx, 'key_spend', {
    columns: ['key_id', 'period', 'currency', 'spent_nano'],
    rows: [[keyId, period, currency, 0n]],
    key: 'key_id',
  });
  const { numUpdatedRows } = await trx
    .updateTable('key_spend')
    .set(({ eb }) => ({ held_nano: eb('held_nano', '+', nano) }))
    .where('key_id', '=', keyId)
    .where('period', '=', period)
    .where('currency', '=', currency)
    // A budget is at most what one carry stands for.
    .where(sql<boolean>`spent_carry = 0 and spent_nano + held_nano + ${nano} <= ${amountNano}`)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

/** Changes what leases set aside, of wallets and budgets, by the ids of their leases. */
export async function addHeld(
  store: Store,
  trx: StoreTransaction,
  changes: readonly { readonly id: string; readonly nano: Nano }[],
): Promise<void> {
  const moved = changes.filter(({ nano }) => nano !== 0n);
  const budgets = moved.flatMap(({ id, nano }) => {
    const [kind, keyId, period, currency] = id.split(':');
    return kind === 'budget' && keyId && period && currency ? [[keyId, period, currency, nano]] : [];
  });
  await store.changeRows(trx, 'balances', {
    key: ['account_id'],
    add: ['held_nano'],
    rows: moved.filter(({ id }) => id.startsWith('wallet:')).map(({ id, nano }) => [id, nano]),
  });
  await store.changeRows(trx, 'key_spend', {
    key: ['key_id', 'period', 'currency'],
    add: ['held_nano'],
    rows: budgets,
  });
}
