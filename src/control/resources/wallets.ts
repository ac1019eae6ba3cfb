import { formatAmount, parseAmount, type ROUTES, type WalletEntryView, type WalletView } from '@millrace/contract';
import { readWalletEntries, type WalletBalance, type WalletEntry, walletAccount } from '../../money/ledger/index.ts';
import type { ControlDeps } from '../deps.ts';
import { Answer, type Handlers } from '../routes/mount.ts';

/** Wallets: balances, what moved them, and top-ups. */
export function walletHandlers(deps: ControlDeps): Handlers<typeof ROUTES.wallets> {
  const { identity, ledger, loader, store } = deps;
  return {
    async list({ params: { organization } }) {
      // Throws `not_found` for an organization that is not there: no wallets is another answer than nobody.
      await identity.projects(organization);
      // What is durable in the journal counts, also where the loader has not been yet.
      await loader.flush();
      return { wallets: (await ledger.balances(organization)).map(walletView) };
    },
    async entries({ params: { organization }, query: { currency, limit, cursor } }) {
      await identity.projects(organization);
      const read = { organizationId: organization, currency, limit, before: cursor };
      const { entries, next } = await readWalletEntries(store, read);
      return { entries: entries.map(entryView), next: next === null ? null : String(next) };
    },
    async credit({ params: { organization: organizationId }, body: { currency, amount, note, idempotencyKey } }) {
      await identity.projects(organizationId);
      const amountNano = parseAmount(amount) ?? 0n;
      if (amountNano < 0n) await deps.cluster?.recall(walletAccount(organizationId, currency));
      await loader.flush();
      const booked = await store.transaction(async trx => {
        await ledger.openWallet(trx, organizationId, currency);
        return ledger.credit(trx, {
          organizationId,
          currency,
          amountNano,
          idempotencyKey: idempotencyKey ?? deps.newId(),
          note,
        });
      });
      await deps.publish();
      const wallet = (await ledger.balances(organizationId)).find(balance => balance.currency === currency);
      if (!wallet) throw new Error(`the wallet ${organizationId} ${currency} was opened and is not there`);
      return new Answer({ booked, ...walletView(wallet) }, booked ? 201 : 200);
    },
  };
}

function entryView({ amountNano, ...rest }: WalletEntry): WalletEntryView {
  return { ...rest, amount: formatAmount(amountNano) };
}

export function walletView({ currency, balanceNano, heldNano, availableNano }: WalletBalance): WalletView {
  return {
    currency,
    balance: formatAmount(balanceNano),
    held: formatAmount(heldNano),
    available: formatAmount(availableNano),
  };
}
