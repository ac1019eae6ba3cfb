import type { Currency } from '@millrace/contract';
import type { Store, StoreTransaction } from '../../ground/store/index.ts';

/**
 * What is earned from and paid in by an organization, and what is owed to a provider, are accounts of their own: nobody waits
 * for one row of all revenue, and a sum reaches the end of int64 (9.2e9 units) per organization, not for the whole house.
 */
export const walletAccount = (organizationId: string, currency: Currency) => `wallet:${organizationId}:${currency}`;
export const revenueAccount = (organizationId: string, currency: Currency) => `revenue:${organizationId}:${currency}`;
export const cashAccount = (organizationId: string, currency: Currency) => `cash:${organizationId}:${currency}`;
export const adjustmentAccount = (organizationId: string, currency: Currency) =>
  `adjustment:${organizationId}:${currency}`;
export const costAccount = (providerId: string, currency: Currency) => `cost:${providerId}:${currency}`;
export const payableAccount = (providerId: string, currency: Currency) => `payable:${providerId}:${currency}`;

const PROVIDER_KINDS = new Set(['cost', 'payable']);

/** Kind, owner and currency of an account, as its id says. */
export function partsOf(accountId: string): {
  readonly kind: string;
  readonly owner: string;
  readonly currency: Currency;
} {
  const [kind = '', owner = '', currency = ''] = accountId.split(':');
  return { kind, owner, currency };
}

/** Opens accounts, with a balance of nothing, where there are none; says of each whether it was opened. */
export async function ensureAccounts(
  store: Store,
  trx: StoreTransaction,
  ids: readonly string[],
): Promise<readonly boolean[]> {
  if (ids.length === 0) return [];
  const opened = await store.insertNew(trx, 'accounts', {
    columns: ['id', 'kind', 'organization_id', 'currency', 'min_balance_nano'],
    rows: ids.map(id => {
      const { kind, owner, currency } = partsOf(id);
      return [id, kind, PROVIDER_KINDS.has(kind) ? null : owner, currency, 0n];
    }),
    key: 'id',
  });
  await store.insertNew(trx, 'balances', {
    columns: ['account_id', 'posted_nano', 'held_nano'],
    rows: ids.map(id => [id, 0n, 0n]),
    key: 'account_id',
  });
  return opened;
}
