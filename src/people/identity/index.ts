// Organizations, projects and API keys: who calls, and what a key may do.
// It must not know models' prices, wallets' balances or requests.
export type { Budgets } from './budgets.ts';
export * from './identity.ts';
export { type Budget, periodOf } from './key-spend.ts';
export type { CreatedKey, KeyEntry, NewKey } from './keys.ts';
export * from './principal.ts';
