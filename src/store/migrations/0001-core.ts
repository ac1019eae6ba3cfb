import { insertOnly, type Migration } from '../migrate.ts';

/** Everything of the first version. Later migrations add; none is ever edited after it was released. */
export const core: Migration = {
  id: 1,
  statements: dialect => [
    // One counter per area, raised in the transaction of each change: who remembers the last value reads only what came after.
    `create table revisions (name text primary key, value bigint not null)`,
    `create table organizations (id text primary key, name text not null, weight bigint not null, suspended bigint not null, created_us bigint not null, revision bigint not null)`,
    `create index organizations_by_revision on organizations (revision)`,
    `create table projects (organization_id text not null references organizations(id), id text not null, name text not null, created_us bigint not null, primary key (organization_id, id))`,
    `create table api_keys (id text primary key, kind text not null, organization_id text, project_id text, name text not null, mac text not null unique, hint text not null,
      scopes text not null, expires_us bigint, revoked_us bigint, created_us bigint not null, revision bigint not null)`,
    `create index api_keys_by_revision on api_keys (revision)`,
    `create index api_keys_by_organization on api_keys (organization_id, id)`,
    `create table key_spend (key_id text not null, period text not null, currency text not null, spent_nano bigint not null, primary key (key_id, period, currency))`,
    `create table providers (id text primary key, dialect text not null, base_url text not null, api_key_sealed text, allow_private bigint not null, quirks text not null, created_us bigint not null, updated_us bigint not null)`,
    `create table models (id text primary key, operations text not null, context_tokens bigint, max_output_tokens bigint not null, owned_by text not null, created_us bigint not null, removed_us bigint)`,
    `create table deployments (id text primary key, model_id text not null references models(id), provider_id text references providers(id), engine text, upstream_model text not null,
      concurrency bigint, priority bigint not null, weight bigint not null, position bigint not null)`,
    `create table price_versions (version text primary key, content text not null, created_us bigint not null)`,
    `create table price_list (kind text not null, subject_id text not null, position bigint not null, version text not null references price_versions(version), primary key (kind, subject_id, position))`,
    `create table price_history (revision bigint not null, kind text not null, subject_id text not null, at_us bigint not null, versions text not null, primary key (kind, subject_id, revision))`,
    `create table accounts (id text primary key, kind text not null, organization_id text, currency text not null, min_balance_nano bigint not null)`,
    `create table ledger_tx (id text primary key, seq bigint not null unique, kind text not null, idem_key text not null unique, request_id text, booked_us bigint not null, reverses_tx_id text,
      price_version text, note text not null, prev_hash text not null, hash text not null)`,
    `create table postings (tx_id text not null references ledger_tx(id), line bigint not null, account_id text not null references accounts(id), currency text not null,
      amount_nano bigint not null check (amount_nano <> 0), primary key (tx_id, line))`,
    `create table balances (account_id text primary key references accounts(id), posted_nano bigint not null, held_nano bigint not null check (held_nano >= 0))`,
    `create table holds (request_id text primary key, account_id text not null references accounts(id), amount_nano bigint not null check (amount_nano >= 0), node_id text not null, expires_us bigint not null, intent text not null, progress text)`,
    `create table requests (id text primary key, organization_id text not null, project_id text not null, key_id text not null, operation text not null, model text not null, deployment_id text not null,
      outcome text not null, status bigint not null, fault_code text, input_tokens bigint not null, cached_input_tokens bigint not null, output_tokens bigint not null, reasoning_tokens bigint not null,
      usage_source text not null, estimated bigint not null, amount_nano bigint not null check (amount_nano >= 0), currency text not null, price_version text not null, cost_nano bigint, cost_currency text,
      ttft_ms bigint, duration_ms bigint not null, at_us bigint not null, tx_id text not null unique)`,
    // Keyset paging by organization: ids are UUIDv7, so their order is the order of time.
    `create index requests_by_organization on requests (organization_id, id)`,
    `create table attempts (request_id text not null, number bigint not null, deployment_id text not null, provider_id text not null, status bigint not null, outcome text not null, input_tokens bigint not null,
      cached_input_tokens bigint not null, output_tokens bigint not null, cost_version text, cost_currency text, cost_nano bigint, upstream_request_id text, duration_ms bigint not null, primary key (request_id, number))`,
    `create table usage_hourly (hour_us bigint not null, organization_id text not null, project_id text not null, key_id text not null, model text not null, currency text not null, requests bigint not null,
      input_tokens bigint not null, cached_input_tokens bigint not null, output_tokens bigint not null, revenue_nano bigint not null, cost_nano bigint not null,
      primary key (organization_id, hour_us, project_id, key_id, model, currency))`,
    `create table journal_cursor (node_id text primary key, seq bigint not null)`,
    ...['price_versions', 'price_history', 'ledger_tx', 'postings', 'requests', 'attempts'].flatMap(table =>
      insertOnly(table, dialect),
    ),
  ],
};
