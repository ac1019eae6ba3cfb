// Organizations, projects and API keys: who calls, and what a key may do.
// It must not know models' prices, wallets' balances or requests.
export type { Budgets } from './budgets.ts';
export * from './caller.ts';
export * from './caller-index.ts';
export * from './identity.ts';
export { type Budget, periodEndMs, periodOf } from './key-spend.ts';
export * from './key-text.ts';
export type { CreatedKey, KeyEntry, NewKey } from './keys.ts';
