// The durable log of a node: what was promised (intents), how far it came (progress), what it cost (settlements).
// It must not know prices or wallets: it keeps records and gives them back.
export * from './records.ts';
