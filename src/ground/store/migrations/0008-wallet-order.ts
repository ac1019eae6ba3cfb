import type { Migration } from '../migrate.ts';

/** In which order an organization's wallets pay: currencies, separated by blanks; null: by their codes. */
export const walletOrder: Migration = {
  id: 8,
  statements: () => [`alter table organizations add column wallet_order text`],
};
