// One rule for both databases: every integer column is BIGINT and arrives as a bigint; all times are µs UTC; flags are 0n or 1n.

/** `name` is an area such as `identity`; `value` counts its changes. */
export interface RevisionTable {
  name: string;
  value: bigint;
}
export interface OrganizationTable {
  id: string;
  name: string;
  weight: bigint;
  suspended: bigint;
  created_us: bigint;
  /** Value of the `identity` revision at the last change. */
  revision: bigint;
}
export interface ProjectTable {
  organization_id: string;
  id: string;
  name: string;
  created_us: bigint;
}
export interface ApiKeyTable {
  id: string;
  kind: string;
  organization_id: string | null;
  project_id: string | null;
  name: string;
  mac: string;
  hint: string;
  scopes: string;
  expires_us: bigint | null;
  revoked_us: bigint | null;
  created_us: bigint;
  revision: bigint;
}
/** `period` is `total`, a month `2026-11` or a day `2026-11-24`, UTC. */
export interface KeySpendTable {
  key_id: string;
  period: string;
  currency: string;
  spent_nano: bigint;
}
export interface ProviderTable {
  id: string;
  dialect: string;
  base_url: string;
  api_key_sealed: string | null;
  allow_private: bigint;
  quirks: string;
  created_us: bigint;
  updated_us: bigint;
}
export interface ModelTable {
  id: string;
  operations: string;
  context_tokens: bigint | null;
  max_output_tokens: bigint;
  owned_by: string;
  created_us: bigint;
  removed_us: bigint | null;
}
export interface DeploymentTable {
  id: string;
  model_id: string;
  provider_id: string | null;
  engine: string | null;
  upstream_model: string;
  concurrency: bigint | null;
  priority: bigint;
  weight: bigint;
  position: bigint;
}
/** Insert-only. `content` is the canonical JSON whose SHA-256 is `version`. */
export interface PriceVersionTable {
  version: string;
  content: string;
  created_us: bigint;
}
/** Which versions are listed now, in order. */
export interface PriceListTable {
  kind: string;
  subject_id: string;
  position: bigint;
  version: string;
}
/** Insert-only: what stood in the price list from `at_us` on, as a JSON array of versions. */
export interface PriceHistoryTable {
  revision: bigint;
  kind: string;
  subject_id: string;
  at_us: bigint;
  versions: string;
}
export interface AccountTable {
  id: string;
  kind: string;
  organization_id: string | null;
  currency: string;
  min_balance_nano: bigint;
}
export interface LedgerTxTable {
  id: string;
  seq: bigint;
  kind: string;
  idem_key: string;
  request_id: string | null;
  booked_us: bigint;
  reverses_tx_id: string | null;
  price_version: string | null;
  note: string;
  prev_hash: string;
  hash: string;
}
/** Debit > 0, credit < 0. A wallet is a liability: what its owner has is minus the sum of its postings. */
export interface PostingTable {
  tx_id: string;
  line: bigint;
  account_id: string;
  currency: string;
  amount_nano: bigint;
}
/** Projection of postings and open holds; rebuildable. `posted_nano` has the customer's sign for wallets: what is there. */
export interface BalanceTable {
  account_id: string;
  posted_nano: bigint;
  held_nano: bigint;
}
export interface HoldTable {
  request_id: string;
  account_id: string;
  amount_nano: bigint;
  node_id: string;
  expires_us: bigint;
  /** The intent as the journal has it, and the last progress record: what a crash is settled from. */
  intent: string;
  progress: string | null;
}
export interface RequestTable {
  id: string;
  organization_id: string;
  project_id: string;
  key_id: string;
  operation: string;
  model: string;
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
  cost_nano: bigint | null;
  cost_currency: string | null;
  ttft_ms: bigint | null;
  duration_ms: bigint;
  at_us: bigint;
  tx_id: string;
}
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
  cost_version: string | null;
  cost_currency: string | null;
  cost_nano: bigint | null;
  upstream_request_id: string | null;
  duration_ms: bigint;
}
export interface UsageHourlyTable {
  hour_us: bigint;
  organization_id: string;
  project_id: string;
  key_id: string;
  model: string;
  currency: string;
  requests: bigint;
  input_tokens: bigint;
  cached_input_tokens: bigint;
  output_tokens: bigint;
  revenue_nano: bigint;
  cost_nano: bigint;
}
export interface JournalCursorTable {
  node_id: string;
  seq: bigint;
}

export interface Database {
  revisions: RevisionTable;
  organizations: OrganizationTable;
  projects: ProjectTable;
  api_keys: ApiKeyTable;
  key_spend: KeySpendTable;
  providers: ProviderTable;
  models: ModelTable;
  deployments: DeploymentTable;
  price_versions: PriceVersionTable;
  price_list: PriceListTable;
  price_history: PriceHistoryTable;
  accounts: AccountTable;
  ledger_tx: LedgerTxTable;
  postings: PostingTable;
  balances: BalanceTable;
  holds: HoldTable;
  requests: RequestTable;
  attempts: AttemptTable;
  usage_hourly: UsageHourlyTable;
  journal_cursor: JournalCursorTable;
}
