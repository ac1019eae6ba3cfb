// What was used, where nobody reported it: estimates of tokens, and the settlement of what a crash left open.
// It must not know sockets, wallets or who calls.
export * from './estimate.ts';
export { settleOrphans } from './recover.ts';
