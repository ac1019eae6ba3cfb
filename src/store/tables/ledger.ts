import type { Generated } from 'kysely';

/** Ids say what they are: `wallet:acme:CNY`, `revenue:acme:CNY`, `payable:openai:USD`. */
export interface AccountTable {
  id: string;
  kind: string;
  organization_id: string | null;
  currency: string;
  /** Least that may be left after holds; below zero where credit is given. */
  min_balance_nano: bigint;
}
/** Insert-only; `seq` without gaps, each hash covers the one before it. */
export interface LedgerTxTable {
  seq: bigint;
  kind: string;
  /** Booked once per key; null where the request is the key. */
  idem_key: string | null;
  request_id: string | null;
  booked_us: bigint;
  reverses_seq: bigint | null;
  note: string;
  hash: string;
}
/** Insert-only. Debit > 0, credit < 0. A wallet is a liability: what its owner has is minus the sum of its postings. */
export interface PostingTable {
  tx_seq: bigint;
  line: bigint;
  account_id: string;
  currency: string;
  amount_nano: bigint;
}
/** The newest transaction: its row is the lock under which all booking is done. */
export interface LedgerHeadTable {
  id: bigint;
  seq: bigint;
  hash: string;
}
/** Projection of postings, holds and leases; rebuildable. `posted_nano` has the owner's sign for wallets: what is there. */
export interface BalanceTable {
  account_id: string;
  posted_nano: bigint;
  held_nano: bigint;
}
/** A row is there while money is set aside (`open`), or was given back without a settlement (`expired`). Settled: no row. */
export interface HoldTable {
  request_id: string;
  account_id: string;
  amount_nano: bigint;
  state: string;
  node_id: string;
  expires_us: bigint;
  /** The intent as the journal has it, and the last progress record: what a crash is settled from. */
  intent: string;
  progress: string | null;
}
/** A node's slice of a wallet. `state` is `open`, `returned` or `expired`; a later epoch of the node fences the ones before it. */
export interface LeaseTable {
  account_id: string;
  node_id: string;
  epoch: bigint;
  /** What is set aside, less what was spent from it. */
  amount_nano: bigint;
  spent_nano: bigint;
  state: string;
  expires_us: bigint;
}
/** Insert-only. One settled request. */
export interface RequestTable {
  id: string;
  organization_id: string;
  project_id: string;
  key_id: string;
  operation: string;
  model: string;
  /** Of the last attempt. */
  deployment_id: string;
  outcome: string;
  status: bigint;
  fault_code: string | null;
  input_tokens: bigint;
  cached_input_tokens: bigint;
  output_tokens: bigint;
  reasoning_tokens: bigint;
  usage_source: string;
  estimated: bigint;
  amount_nano: bigint;
  currency: string;
  price_version: string;
  /** Of all attempts; null where none is known, or they are in several currencies. */
  cost_nano: bigint | null;
  cost_currency: string | null;
  /** What was held at the end, extensions included. */
  held_nano: bigint;
  /** What was admitted: bounds of the usage. */
  input_tokens_max: bigint;
  output_tokens_max: bigint;
  ttft_ms: bigint | null;
  duration_ms: bigint;
  at_us: bigint;
  tx_seq: bigint;
}
/** Insert-only. One call of an upstream. */
export interface AttemptTable {
  request_id: string;
  number: bigint;
  deployment_id: string;
  provider_id: string;
  status: bigint;
  outcome: string;
  input_tokens: bigint;
  cached_input_tokens: bigint;
  output_tokens: bigint;
  reasoning_tokens: bigint;
  cost_version: string | null;
  cost_currency: string | null;
  cost_nano: bigint | null;
  upstream_request_id: string | null;
  duration_ms: bigint;
}
/** Rollup of `requests` by the hour in which they were settled. */
export interface UsageHourlyTable {
  organization_id: string;
  hour_us: bigint;
  project_id: string;
  key_id: string;
  model: string;
  deployment_id: string;
  currency: string;
  requests: bigint;
  failed: bigint;
  input_tokens: bigint;
  cached_input_tokens: bigint;
  output_tokens: bigint;
  reasoning_tokens: bigint;
  revenue_nano: bigint;
  /** Of the requests whose cost is known in this currency, `costed` of them. */
  cost_nano: bigint;
  costed: bigint;
}
/** How far a node's journal was loaded, moved in the transaction of the rows it covers. */
export interface JournalCursorTable {
  node_id: string;
  epoch: Generated<bigint>;
  seq: bigint;
}

export interface LedgerTables {
  accounts: AccountTable;
  ledger_tx: LedgerTxTable;
  ledger_head: LedgerHeadTable;
  postings: PostingTable;
  balances: BalanceTable;
  holds: HoldTable;
  leases: LeaseTable;
  requests: RequestTable;
  attempts: AttemptTable;
  usage_hourly: UsageHourlyTable;
  journal_cursor: JournalCursorTable;
}
