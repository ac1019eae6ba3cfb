// The truth about money: accounts, double entry, wallets, holds; the loader that brings the journal in; the proof that it is right.
// It must not know models, keys' scopes or how a price came about.
export { type Booking, hashTx, houseAccount, type Posting, walletAccount } from './booking.ts';
export * from './ledger.ts';
export { createLoader, type Loader } from './loader.ts';
export { readUsage, type UsageLine, type UsageTotals } from './usage.ts';
export { type Invariant, type Verification, verifyLedger } from './verify.ts';
