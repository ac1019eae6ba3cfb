import { AMOUNT_NANO_MAX, type Currency, formatAmount, isCurrency, type Nano } from '@millrace/contract';
import { type Clock, Fault, type WalletSlots } from '../std/index.ts';
import type { Store, StoreTransaction } from '../store/index.ts';
import { book, ensureAccounts, houseAccount, walletAccount } from './booking.ts';

export interface WalletBalance {
  readonly currency: Currency;
  readonly balanceNano: Nano;
  /** Set aside for requests that run. */
  readonly heldNano: Nano;
  readonly availableNano: Nano;
}

export interface Credit {
  readonly organizationId: string;
  readonly currency: Currency;
  /** Positive: a top-up; negative: a correction. Never 0. */
  readonly amountNano: Nano;
  readonly idempotencyKey: string;
  readonly note?: string | undefined;
  readonly kind?: 'credit' | 'config-credit';
}

export interface Ledger {
  /** Opens the wallet where there is none. */
  openWallet(trx: StoreTransaction, organizationId: string, currency: Currency): Promise<void>;
  /** Books it once per idempotency key; false where it was booked before. Throws `conflict` where that was another amount, `insufficient_funds`. */
  credit(trx: StoreTransaction, input: Credit): Promise<boolean>;
  /** Makes what was committed count for admission: call after the transaction that opened or credited. */
  refresh(): Promise<void>;
  walletsOf(organizationId: string): readonly { readonly currency: Currency; readonly slot: number }[];
  balances(organizationId: string): Promise<readonly WalletBalance[]>;
  /** Sum of what configuration has credited so far. */
  configuredCredit(trx: StoreTransaction, organizationId: string, currency: Currency): Promise<Nano>;
  onWallets(listener: () => void): void;
  /** Sets what may be spent from the store: once, at boot, when nothing runs and all is loaded. */
  publishBalances(): Promise<void>;
}

interface Wallet {
  readonly organizationId: string;
  readonly currency: Currency;
  readonly slot: number;
}

export async function createLedger({
  store,
  clock,
  slots,
  newId,
}: {
  readonly store: Store;
  readonly clock: Clock;
  readonly slots: WalletSlots;
  readonly newId: () => string;
}): Promise<Ledger> {
  const wallets = new Map<string, Wallet>();
  const listeners: (() => void)[] = [];
  /** Top-ups whose transaction is not known to be committed yet. */
  let uncommitted: { readonly accountId: string; readonly txId: string; readonly amountNano: Nano }[] = [];

  const ledger: Ledger = {
    async openWallet(trx, organizationId, currency) {
      if (!isCurrency(currency))
        throw new Fault('config_invalid', {
          message: `"${currency}" is no currency code such as CNY`,
          messageZh: `“${currency}”不是币种代码（如 CNY）`,
          param: 'currency',
        });
      await ensureAccounts(store, trx, new Map([[walletAccount(organizationId, currency), currency]]));
    },

    async credit(trx, { organizationId, currency, amountNano, idempotencyKey, note, kind = 'credit' }) {
      if (amountNano === 0n || amountNano > AMOUNT_NANO_MAX || amountNano < -AMOUNT_NANO_MAX)
        throw new Fault('invalid_parameter', {
          message: 'The amount must not be zero, nor beyond a thousand million',
          messageZh: '金额不能为零，也不能超过十亿',
          param: 'amount',
        });
      const accountId = walletAccount(organizationId, currency);
      const idemKey = `${kind}:${organizationId}:${idempotencyKey}`;
      const known = await trx
        .selectFrom('ledger_tx')
        .innerJoin('postings', 'postings.tx_id', 'ledger_tx.id')
        .select(['account_id', 'amount_nano'])
        .where('idem_key', '=', idemKey)
        .where('account_id', 'like', 'wallet:%')
        .executeTakeFirst();
      if (known) {
        if (known.amount_nano === -amountNano && known.account_id === accountId) return false;
        throw new Fault('conflict', {
          message: `The idempotency key ${idempotencyKey} was used for another amount`,
          messageZh: `幂等键 ${idempotencyKey} 已用于另一笔金额`,
        });
      }
      if (amountNano < 0n) await requireCovered(trx, accountId, { amountNano, currency });
      const id = newId();
      await book(store, trx, [
        {
          id,
          kind,
          idemKey,
          requestId: null,
          atUs: BigInt(clock.nowMs()) * 1000n,
          priceVersion: null,
          note: note ?? '',
          postings: [
            { accountId: houseAccount(amountNano > 0n ? 'cash' : 'adjustment', currency), currency, amountNano },
            { accountId, currency, amountNano: -amountNano },
          ],
        },
      ]);
      uncommitted.push({ accountId, txId: id, amountNano });
      return true;
    },

    async refresh() {
      const pending = uncommitted;
      uncommitted = [];
      await readWallets();
      for (const { accountId, txId, amountNano } of pending) {
        // Rolled back with its transaction: it never happened.
        if (!(await store.db.selectFrom('ledger_tx').select('id').where('id', '=', txId).executeTakeFirst())) continue;
        const wallet = wallets.get(accountId);
        if (wallet) slots.add(wallet.slot, amountNano);
      }
    },

    walletsOf: organizationId =>
      [...wallets.values()]
        .filter(wallet => wallet.organizationId === organizationId)
        .map(({ currency, slot }) => ({ currency, slot })),

    async balances(organizationId) {
      const rows = await store.db
        .selectFrom('accounts')
        .innerJoin('balances', 'balances.account_id', 'accounts.id')
        .select(['currency', 'posted_nano', 'held_nano'])
        .where('organization_id', '=', organizationId)
        .where('kind', '=', 'wallet')
        .orderBy('currency')
        .execute();
      return rows.map(row => ({
        currency: row.currency,
        balanceNano: row.posted_nano,
        heldNano: row.held_nano,
        availableNano: row.posted_nano - row.held_nano,
      }));
    },

    async configuredCredit(trx, organizationId, currency) {
      const rows = await trx
        .selectFrom('ledger_tx')
        .innerJoin('postings', 'postings.tx_id', 'ledger_tx.id')
        .select('amount_nano')
        .where('ledger_tx.kind', '=', 'config-credit')
        .where('account_id', '=', walletAccount(organizationId, currency))
        .execute();
      return rows.reduce((sum, row) => sum - row.amount_nano, 0n);
    },

    onWallets: listener => void listeners.push(listener),

    async publishBalances() {
      await readWallets();
      const rows = await store.db
        .selectFrom('balances')
        .innerJoin('accounts', 'accounts.id', 'balances.account_id')
        .select(['account_id', 'posted_nano', 'held_nano', 'min_balance_nano'])
        .where('kind', '=', 'wallet')
        .execute();
      for (const row of rows) {
        const wallet = wallets.get(row.account_id);
        if (wallet)
          slots.add(wallet.slot, row.posted_nano - row.held_nano - row.min_balance_nano - slots.spendable(wallet.slot));
      }
    },
  };

  const readWallets = async () => {
    const rows = await store.db
      .selectFrom('accounts')
      .select(['id', 'organization_id', 'currency'])
      .where('kind', '=', 'wallet')
      .orderBy('id')
      .execute();
    let added = false;
    for (const { id, organization_id, currency } of rows) {
      if (wallets.has(id) || organization_id === null) continue;
      if (wallets.size >= slots.rows)
        throw new Fault('capacity', {
          message: `This node holds at most ${slots.rows} wallets`,
          messageZh: `本节点最多支持 ${slots.rows} 个钱包`,
        });
      wallets.set(id, { organizationId: organization_id, currency, slot: wallets.size });
      added = true;
    }
    if (added) for (const listener of listeners) listener();
  };
  await readWallets();
  return ledger;
}

/** A correction takes no more than is there and not set aside. */
async function requireCovered(
  trx: StoreTransaction,
  accountId: string,
  { amountNano, currency }: { amountNano: Nano; currency: Currency },
): Promise<void> {
  const { numUpdatedRows } = await trx
    .updateTable('balances')
    .set(({ eb }) => ({ held_nano: eb('held_nano', '+', 0n) }))
    .where('account_id', '=', accountId)
    .where(({ eb }) => eb(eb('posted_nano', '-', eb.ref('held_nano')), '>=', -amountNano))
    .executeTakeFirst();
  if (numUpdatedRows === 0n)
    throw new Fault('insufficient_funds', {
      message: `The wallet does not hold ${formatAmount(-amountNano)} ${currency}`,
      messageZh: `钱包余额不足 ${formatAmount(-amountNano)} ${currency}`,
    });
}
