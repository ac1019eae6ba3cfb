// The durable log of a node: what was promised (intents), how far it came (progress), what it cost (settlements).
// It must not know prices or wallets: it keeps records and gives them back.
export { type AppendDone, type JournalClient, openJournalClient } from './client.ts';
export { decodeRecord } from './decode-record.ts';
export { encodeRecord } from './encode-record.ts';
export { findEntries } from './find-entries.ts';
export { type Journal, type JournalOptions, startJournal } from './journal.ts';
export { NODE_MARK, readNodeMark, readOrigin, writeNodeMark } from './node-state.ts';
export { createJournalReader, type JournalReader } from './reader.ts';
export * from './records.ts';
