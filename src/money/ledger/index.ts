// The truth about money: accounts, double entry, wallets, holds; the loader that brings the journal in; the proof that it is right.
// It must not know models, keys' scopes or how a price came about.
export { walletAccount } from './accounts.ts';
export type { Credit } from './credit.ts';
export { startKeptJournal } from './kept-journal.ts';
export { availableNano, budgetLease, type LeasedAccount, walletLease } from './leases/leased-account.ts';
export { createLeases, type LeaseMove, type Leases, leaseNano, type NodeSession } from './leases/leases.ts';
export * from './ledger.ts';
export { createLoader, type Loader, type LoaderOptions, type OpenIntent } from './loading/loader.ts';
export type { Invariant, InvariantId } from './proof/findings.ts';
export { endSuspense, readSuspense, recordsIn, type SuspenseRow } from './suspense.ts';
export { readUsage, type UsageLine } from './usage.ts';
export { readTotals, readUsageGroups, type UsageBy, type UsageTotals } from './usage-sums.ts';
export { type Verification, type VerifyOptions, verifyLedger } from './verify.ts';
export { readWalletEntries, type WalletEntry } from './wallet-entries.ts';
