// From counts to money: usage × price version → lines and amount; the worst case to hold; estimates where nothing was reported.
// It must not know sockets, wallets or who calls.
export * from './estimate.ts';
export * from './rate.ts';
export { settleOrphans } from './recover.ts';
