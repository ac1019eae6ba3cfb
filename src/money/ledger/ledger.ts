import type { Currency, Nano } from '@millrace/contract';
import { sql } from 'kysely';
import { type Clock, Fault, type WalletSlots } from '../../ground/std/index.ts';
import { raiseRevision, type Store, type StoreTransaction } from '../../ground/store/index.ts';
import { ensureAccounts, walletAccount } from './accounts.ts';
import { bookCredit, type Credit, checkCurrency, idemKeyOf, uncovered } from './credit.ts';
import { bookRefund } from './refund.ts';

export interface WalletBalance {
  readonly currency: Currency;
  readonly balanceNano: Nano;
  /** Set aside for requests that run. */
  readonly heldNano: Nano;
  readonly availableNano: Nano;
}

export interface MinBalance {
  readonly organizationId: string;
  readonly currency: Currency;
  readonly minBalanceNano: Nano;
}

export interface Ledger {
  /** Opens the wallet where there is none. */
  openWallet(trx: StoreTransaction, organizationId: string, currency: Currency): Promise<void>;
  /**
   * Books a top-up or a debit once per idempotency key; false where it was booked before. Throws `conflict` where the key was
   * used for something else, `insufficient_funds` where a debit takes more than is there and not held, `invalid_parameter`.
   */
  credit(trx: StoreTransaction, input: Credit): Promise<boolean>;
  /** Gives back what a request cost, once; false where that was done before, or it cost nothing. Throws `not_found`. */
  refund(trx: StoreTransaction, refund: { readonly requestId: string; readonly note: string }): Promise<boolean>;
  /** How far below zero the wallet may go: 0 is prepaid, -x a credit line of x. Throws `invalid_parameter`, `not_found`. */
  setMinBalance(trx: StoreTransaction, limit: MinBalance): Promise<void>;
  /** Makes what was committed count for admission: call after the transaction that opened, credited or set a limit. */
  refresh(): Promise<void>;
  walletsOf(organizationId: string): readonly { readonly currency: Currency; readonly slot: number }[];
  /** The account whose spendable amount stands in this slot. */
  accountAt(slot: number): string | undefined;
  balances(organizationId: string): Promise<readonly WalletBalance[]>;
  /** Sum of what configuration has credited so far. */
  configuredCredit(trx: StoreTransaction, organizationId: string, currency: Currency): Promise<Nano>;
  onWallets(listener: () => void): void;
  /**
   * Sets what may be spent from the store: once, at boot, when nothing runs and all is loaded. `charged`: what the loader has taken
   * from a wallet since the start.
   */
  publishBalances(charged?: ReadonlyMap<string, Nano>): Promise<void>;
  /**
   * The store lost some of what was credited here: takes it from what may be spent. To be called when all settlements are booked
   * again, `charged` being those since the start; false where a booking is under way, and it must be called again.
   */
  settleSetBack(charged: ReadonlyMap<string, Nano>): Promise<boolean>;
}

interface Wallet {
  readonly organizationId: string;
  readonly currency: Currency;
  readonly slot: number;
  /** As it counts in the slot; undefined before balances were published. */
  minBalanceNano: Nano;
  /** What is posted, but for what settlements took since the start: that the store must come to. */
  creditedNano: Nano;
}

/** A booking of which it is not known yet whether its transaction was committed, by its idempotency key. */
interface Pending {
  readonly accountId: string;
  readonly amountNano: Nano;
  readonly sinceMs: number;
}

/** A transaction that is not seen after this was rolled back: the store ends them sooner. */
const PENDING_MS = 120_000;

const NOTHING_YET = { minBalanceNano: 0n, creditedNano: 0n };

/** Wallets of this node: their books in the store, and what may be spent of them in the slots that gateway threads read. */
export async function createLedger({
  store,
  clock,
  slots,
  isLeasing = false,
}: {
  readonly store: Store;
  readonly clock: Clock;
  readonly slots: WalletSlots;
  /** What may be spent is what leases of this node say, which are kept elsewhere: bookings leave the slots alone. */
  readonly isLeasing?: boolean;
}): Promise<Ledger> {
  const wallets = new Map<string, Wallet>();
  const accounts: string[] = [];
  /** Wallets of one organization, since every change of a key asks for them. */
  const byOrganization = new Map<string, Wallet[]>();
  const listeners: (() => void)[] = [];
  const pending = new Map<string, Pending>();

  const readWallets = async () => {
    const rows = await store.db
      .selectFrom('accounts')
      .select(['id', 'organization_id', 'currency', 'min_balance_nano'])
      .where('kind', '=', 'wallet')
      .orderBy('id')
      .execute();
    let added = false;
    for (const { id, organization_id, currency, min_balance_nano } of rows) {
      const known = wallets.get(id);
      if (known) {
        if (!isLeasing) slots.add(known.slot, known.minBalanceNano - min_balance_nano);
        known.minBalanceNano = min_balance_nano;
      }
      if (known || organization_id === null) continue;
      if (wallets.size >= slots.rows) throw tooMany(slots.rows);
      const wallet: Wallet = { organizationId: organization_id, currency, slot: wallets.size, ...NOTHING_YET };
      wallets.set(id, wallet);
      accounts.push(id);
      byOrganization.set(organization_id, [...(byOrganization.get(organization_id) ?? []), wallet]);
      if (!isLeasing) slots.add(wallet.slot, -min_balance_nano);
      wallet.minBalanceNano = min_balance_nano;
      added = true;
    }
    if (added) for (const listener of listeners) listener();
  };

  await readWallets();
  return {
    async openWallet(trx, organizationId, currency) {
      checkCurrency(currency);
      const [opened] = await ensureAccounts(store, trx, [walletAccount(organizationId, currency)]);
      if (opened) await raiseRevision(trx, 'wallets');
    },

    async credit(trx, input) {
      const { organizationId, currency, amountNano } = input;
      const accountId = walletAccount(organizationId, currency);
      const wallet = wallets.get(accountId);
      const idemKey = idemKeyOf(input);
      const booked = await bookCredit(store, trx, input, clock.nowMs() * 1000);
      // A transaction that the store runs again comes by here again.
      if (!booked || isLeasing || pending.has(idemKey)) return booked;
      // A debit is taken from what may be spent before it is committed: requests that are admitted meanwhile see it gone.
      if (amountNano < 0n && !(wallet && slots.tryHold(wallet.slot, -amountNano)))
        throw uncovered(amountNano, currency);
      pending.set(idemKey, { accountId, amountNano, sinceMs: clock.monotonicMs() });
      return true;
    },

    async refund(trx, refund) {
      const refunded = await bookRefund(store, trx, { ...refund, atUs: clock.nowMs() * 1000 });
      if (!refunded || isLeasing) return refunded !== undefined;
      const { organizationId, currency, amountNano, idemKey } = refunded;
      const accountId = walletAccount(organizationId, currency);
      pending.set(idemKey, { accountId, amountNano, sinceMs: clock.monotonicMs() });
      return true;
    },

    setMinBalance,

    async refresh() {
      const asked = [...pending];
      await readWallets();
      for (const [idemKey, { accountId, amountNano, sinceMs }] of asked) {
        const found = store.db.selectFrom('transfers').select('seq').where('idem_key', '=', idemKey);
        const committed = (await found.executeTakeFirst()) !== undefined;
        // Not seen: rolled back, or not committed yet.
        if (!committed && clock.monotonicMs() - sinceMs < PENDING_MS) continue;
        if (!pending.delete(idemKey)) continue;
        const wallet = wallets.get(accountId);
        if (!wallet) continue;
        if (committed) wallet.creditedNano += amountNano;
        if (committed && amountNano > 0n) slots.add(wallet.slot, amountNano);
        if (!committed && amountNano < 0n) slots.add(wallet.slot, -amountNano);
      }
    },

    walletsOf: organizationId =>
      (byOrganization.get(organizationId) ?? []).map(({ currency, slot }) => ({ currency, slot })),
    accountAt: slot => accounts[slot],
    balances: organizationId => readBalances(store, organizationId),
    configuredCredit: readConfiguredCredit,
    onWallets: listener => void listeners.push(listener),

    async publishBalances(charged = new Map()) {
      await readWallets();
      if (isLeasing) return;
      for (const [id, row] of await readPosted(store)) {
        const wallet = wallets.get(id);
        if (!wallet) continue;
        wallet.minBalanceNano = row.min_balance_nano;
        wallet.creditedNano = row.posted_nano + (charged.get(id) ?? 0n);
        slots.add(wallet.slot, row.posted_nano - row.held_nano - row.min_balance_nano - slots.spendable(wallet.slot));
      }
    },

    async settleSetBack(charged) {
      // Leases are counters in the store, and are looked at again by themselves.
      if (isLeasing) return true;
      await readWallets();
      if (pending.size > 0) return false;
      const before = new Map([...wallets].map(([id, { creditedNano }]) => [id, creditedNano]));
      const posted = await readPosted(store);
      if (pending.size > 0) return false;
      // Booked, seen and no longer pending while the store was read: what was read says nothing then.
      for (const [id, { creditedNano }] of wallets) if (creditedNano !== before.get(id)) return false;
      for (const [id, wallet] of wallets) {
        const creditedNano = (posted.get(id)?.posted_nano ?? 0n) + (charged.get(id) ?? 0n);
        slots.add(wallet.slot, creditedNano - wallet.creditedNano);
        wallet.creditedNano = creditedNano;
      }
      return true;
    },
  };
}

/** What stands on each wallet, by account. */
async function readPosted(store: Store) {
  const rows = await store.db
    .selectFrom('balances')
    .innerJoin('accounts', 'accounts.id', 'balances.account_id')
    .select(['account_id', 'posted_nano', 'held_nano', 'min_balance_nano'])
    .where('kind', '=', 'wallet')
    .execute();
  return new Map(rows.map(row => [row.account_id, row]));
}

async function setMinBalance(
  trx: StoreTransaction,
  { organizationId, currency, minBalanceNano }: MinBalance,
): Promise<void> {
  if (minBalanceNano > 0n || minBalanceNano < -(10n ** 18n))
    throw new Fault('invalid_parameter', {
      message: 'The least balance is zero, or a credit line below it of at most a thousand million',
      messageZh: '最低余额应为零，或不超过十亿的负授信额度',
      param: 'minBalance',
    });
  const accountId = walletAccount(organizationId, currency);
  const { numUpdatedRows } = await trx
    .updateTable('accounts')
    .set({ min_balance_nano: minBalanceNano })
    .where('id', '=', accountId)
    .where(
      sql<boolean>`(select posted_nano - held_nano from balances where account_id = accounts.id) >= ${minBalanceNano}`,
    )
    .executeTakeFirst();
  if (numUpdatedRows === 1n) {
    await raiseRevision(trx, 'wallets');
    return;
  }
  const there = await trx.selectFrom('accounts').select('id').where('id', '=', accountId).executeTakeFirst();
  if (!there)
    throw new Fault('not_found', {
      message: `${organizationId} has no wallet in ${currency}`,
      messageZh: `${organizationId} 没有 ${currency} 钱包`,
    });
  throw new Fault('conflict', {
    message: `The wallet of ${organizationId} already stands below that`,
    messageZh: `${organizationId} 的钱包余额已低于该值`,
  });
}

function tooMany(rows: number): Fault {
  return new Fault('capacity', {
    message: `This node holds at most ${rows} wallets`,
    messageZh: `本节点最多支持 ${rows} 个钱包`,
  });
}

async function readBalances(store: Store, organizationId: string): Promise<readonly WalletBalance[]> {
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
}

/** Found by the range of their keys, which has an index; there is none by account. Always a credit to the wallet: what configuration states only grows. */
async function readConfiguredCredit(trx: StoreTransaction, organizationId: string, currency: Currency): Promise<Nano> {
  const rows = await trx
    .selectFrom('transfers')
    .select('amount_nano')
    .where('idem_key', '>=', `config-credit:${organizationId}:`)
    // `;` follows `:`.
    .where('idem_key', '<', `config-credit:${organizationId};`)
    .where('credit', '=', walletAccount(organizationId, currency))
    .execute();
  return rows.reduce((sum, row) => sum + row.amount_nano, 0n);
}
