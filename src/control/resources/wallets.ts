import {
  creditSchema,
  formatAmount,
  parseAmount,
  type WalletEntryView,
  type WalletView,
  walletEntryQuerySchema,
} from '@millrace/contract';
import { readWalletEntries, type WalletBalance, type WalletEntry, walletAccount } from '../../money/ledger/index.ts';
import { type ControlApp, readBody, readQuery } from '../context.ts';
import type { ControlDeps } from '../deps.ts';

/** `/api/v1/organizations/:organization/wallets`: balances, and top-ups. */
export function walletRoutes(app: ControlApp, deps: ControlDeps): void {
  const { identity, ledger, loader, store } = deps;

  app.get('/api/v1/organizations/:organization/wallets', async c => {
    const organizationId = c.req.param('organization');
    // Throws `not_found` for an organization that is not there: no wallets is another answer than nobody.
    await identity.projects(organizationId);
    // What is durable in the journal counts, also where the loader has not been yet.
    await loader.flush();
    return c.json({ wallets: (await ledger.balances(organizationId)).map(walletView) });
  });

  app.get('/api/v1/organizations/:organization/wallets/entries', async c => {
    const organizationId = c.req.param('organization');
    await identity.projects(organizationId);
    const { currency, limit, cursor } = readQuery(c, walletEntryQuerySchema);
    const { entries, next } = await readWalletEntries(store, { organizationId, currency, limit, before: cursor });
    return c.json({ entries: entries.map(entryView), next: next === null ? null : String(next) });
  });

  app.post('/api/v1/organizations/:organization/wallets/credit', async c => {
    const organizationId = c.req.param('organization');
    await identity.projects(organizationId);
    const { currency, amount, note, idempotencyKey } = await readBody(c, creditSchema);
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
    return c.json({ booked, ...(wallet && walletView(wallet)) }, booked ? 201 : 200);
  });
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
