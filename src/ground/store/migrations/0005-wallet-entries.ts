import type { Migration } from '../migrate.ts';

/** What came to a wallet and was taken from it, newest first. What calls cost is most of the table, and of no wallet. */
export const walletEntries: Migration = {
  id: 5,
  statements: () => [
    `create index transfers_by_debit on transfers (debit, seq) where kind <> 'cost'`,
    `create index transfers_by_credit on transfers (credit, seq) where kind <> 'cost'`,
  ],
};
