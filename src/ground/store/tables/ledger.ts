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
/**
 * Insert-only. A transaction in double entry: its amount leaves `credit` and comes to `debit`, so that it sums to zero by its form.
 * Wallets are liabilities: what an owner has is what was credited less what was debited. What requests cost is told by their own
 * rows; `seq` counts both, without gaps.
 */
export interface TransferTable {
  seq: bigint;
  kind: string;
  debit: string;
  credit: string;
  amount_nano: bigint;
  booked_us: bigint;
  /** Booked once per key; null where the batch is the key. */
  idem_key: Generated<string | null>;
  reverses_seq: Generated<bigint | null>;
  note: Generated<string | null>;
}
/** Insert-only. What was booked together, up to `last_seq`: the hash covers all of it and the hash before. */
export interface ChainTable {
  last_seq: bigint;
  hash: string;
}
/** The newest transaction, and the end of the chain: its row is the lock under which all booking is done. */
export interface LedgerHeadTable {
  id: bigint;
  seq: bigint;
  hash: string;
}
/** Projection of transactions, holds and leases; rebuildable. `posted_nano` has the owner's sign for wallets: what is there. */
export interface BalanceTable {
  account_id: string;
  /** Of what is no wallet, its lower part: see `CARRY`. */
  posted_nano: bigint;
  posted_carry: Generated<bigint>;
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
/** A node that works beside others on this database, until `expires_us` by the database's clock. */
export interface NodeTable {
  node_id: string;
  /** Counts its sessions: a later one fences those before it. */
  epoch: bigint;
  expires_us: bigint;
}
/** A node's slice of a wallet, or of the budget of a key in a period (`budget:key_…:2026-11:CNY`). */
export interface LeaseTable {
  account_id: string;
  node_id: string;
  /** What is set aside for it now. */
  amount_nano: bigint;
  /** Sum of what it took, less what it gave back. */
  granted_nano: bigint;
  /** Sum of what was taken from it when its time was over. */
  lapsed_nano: bigint;
  /** Sum of what it spent, or set aside for requests that run long, beyond what it had: usage is a fact. */
  uncovered_nano: bigint;
}
/**
 * Insert-only. What many requests have in common, written once and named by its number: who called what, which deployment
 * answered last, at which prices.
 */
export interface SeriesTable {
  number: bigint;
  organization_id: string;
  project_id: string;
  key_id: string;
  operation: string;
  model: string;
  deployment_id: string;
  provider_id: string;
  currency: string;
  price_version: string;
  /** Of what all attempts cost; null where that is not known of any, or they are in several currencies. */
  cost_currency: string | null;
  cost_version: string | null;
}
/**
 * Insert-only. One settled request, which is a transaction too: its amount comes from the wallet of its organization, in the currency
 * of its series, and goes to revenue. `seq` counts these and transfers, without gaps.
 */
export interface RequestTable {
  seq: bigint;
  id: string;
  /** As in the series: whose rows these are is said by each. */
  organization_id: string;
  at_us: bigint;
  series: bigint;
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
  /** In the currency of its series; null where there is none. */
  cost_nano: bigint | null;
  /** What was held at the end, extensions included. */
  held_nano: bigint;
  /** What was admitted: bounds of the usage. */
  input_tokens_max: bigint;
  output_tokens_max: bigint;
  ttft_ms: bigint | null;
  duration_ms: bigint;
  /** The one call of an upstream, where it used what was charged, as nearly always; null where `attempts` has rows, or none was made. */
  call_outcome: string | null;
  call_status: bigint | null;
  call_ms: bigint | null;
  upstream_request_id: string | null;
}
/** Insert-only. The calls of upstreams of a request that has not just the one that its own row tells. */
export interface AttemptTable {
  seq: bigint;
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
  /** What the upstream reported beyond the usage, and what it would cost on top; null: nothing, or not known. */
  disputed_input_tokens: Generated<bigint>;
  disputed_output_tokens: Generated<bigint>;
  disputed_nano: Generated<bigint | null>;
}
/** Rollup of `requests` by the hour in which they were settled. */
export interface UsageHourlyTable {
  series: bigint;
  hour_us: bigint;
  requests: bigint;
  failed: bigint;
  input_tokens: bigint;
  cached_input_tokens: bigint;
  output_tokens: bigint;
  reasoning_tokens: bigint;
  /** See `CARRY`. */
  revenue_nano: bigint;
  revenue_carry: Generated<bigint>;
  /** Of the requests whose cost is known in the currency of the revenue, `costed` of them. */
  cost_nano: bigint;
  cost_carry: Generated<bigint>;
  costed: bigint;
}
/** How far a node's journal was loaded, moved in the transaction of the rows it covers. */
export interface JournalCursorTable {
  node_id: string;
  epoch: Generated<bigint>;
  seq: bigint;
  /** 0: its node may have more in its journal; 1: it stopped, and all is loaded; 2: its journal was given up. */
  state: Generated<bigint>;
}
/** Insert-only. What could not be booked, or is known to be missing: a person has to look. */
export interface SuspenseTable {
  number: bigint;
  /** `settlement`, `hold`, `recovery` or `journal-loss`. */
  kind: string;
  node_id: string;
  /** The entry of the node's journal. */
  seq: bigint;
  request_id: string;
  at_us: bigint;
  reason: string;
  /** JSON: the records as the journal has them. */
  content: string;
}
/** Insert-only. How a row of `suspense` came to its end: `booked` or `dismissed`. */
export interface SuspenseEndTable {
  number: bigint;
  how: string;
  at_us: bigint;
  note: string;
}

export interface LedgerTables {
  accounts: AccountTable;
  transfers: TransferTable;
  chain: ChainTable;
  ledger_head: LedgerHeadTable;
  balances: BalanceTable;
  holds: HoldTable;
  nodes: NodeTable;
  leases: LeaseTable;
  series: SeriesTable;
  requests: RequestTable;
  attempts: AttemptTable;
  usage_hourly: UsageHourlyTable;
  journal_cursor: JournalCursorTable;
  suspense: SuspenseTable;
  suspense_ends: SuspenseEndTable;
}
