import type { Generated } from 'kysely';
import type { LedgerTables } from './tables/ledger.ts';

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
  /** Currencies, separated by blanks; null: by their codes. */
  wallet_order: string | null;
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
  /** See `CARRY`. */
  spent_carry: Generated<bigint>;
  /** Set aside of the budget by leases of nodes. */
  held_nano: Generated<bigint>;
}
/** What is true of the whole database, said once: which secrets belong to it. */
export interface FactTable {
  name: string;
  value: string;
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
  /** JSON of what the operator set, in one order of fields; null: nothing. */
  timeouts: string | null;
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
  /** As of the model, which it stands above. */
  timeouts: string | null;
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
export interface Database extends LedgerTables {
  facts: FactTable;
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
}
