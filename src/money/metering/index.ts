// What was used: tokens counted as they flow, what an upstream's report is worth, and the settlement of what a crash left open.
// It must not know sockets, wallets or who calls.
export * from './calibration.ts';
export * from './judge-usage.ts';
export { settleOrphans } from './recover.ts';
export * from './token-count.ts';
