import { insertOnly, type Migration } from '../migrate.ts';

const HOT_TABLES = ['ledger_tx', 'postings', 'requests', 'attempts'];

/**
 * The ledger. What is written for every request has no foreign keys, and on SQLite is clustered by its key, which grows with
 * time: 11 µs of SQLite a request, where rowids, their indexes and checked references made it 17. The proof checks the references.
 */
export const ledger: Migration = {
  id: 2,
  statements: dialect => {
    const clustered = dialect === 'sqlite' ? ' without rowid,' : '';
    return [
      `create table accounts (id text primary key, kind text not null, organization_id text, currency text not null, min_balance_nano bigint not null)${clustered}`,
      `create index accounts_by_organization on accounts (organization_id)`,
      `create table ledger_tx (seq bigint primary key, kind text not null, idem_key text unique, request_id text, booked_us bigint not null, reverses_seq bigint,
        note text not null, hash text not null)`,
      `create table ledger_head (id bigint primary key check (id = 1), seq bigint not null, hash text not null)`,
      `insert into ledger_head (id, seq, hash) values (1, 0, '')`,
      `create table postings (tx_seq bigint not null, line bigint not null, account_id text not null, currency text not null, amount_nano bigint not null check (amount_nano <> 0),
        primary key (tx_seq, line))${clustered}`,
      `create table balances (account_id text primary key references accounts(id), posted_nano bigint not null, held_nano bigint not null check (held_nano >= 0))${clustered}`,
      `create table holds (request_id text primary key, account_id text not null references accounts(id), amount_nano bigint not null check (amount_nano >= 0),
        state text not null check (state in ('open', 'expired')), node_id text not null, expires_us bigint not null, intent text not null, progress text)${clustered}`,
      `create index holds_by_end on holds (state, expires_us)`,
      `create table leases (account_id text not null references accounts(id), node_id text not null, epoch bigint not null, amount_nano bigint not null check (amount_nano >= 0),
        spent_nano bigint not null, state text not null check (state in ('open', 'returned', 'expired')), expires_us bigint not null, primary key (account_id, node_id, epoch))${clustered}`,
      `create index leases_by_end on leases (state, expires_us)`,
      `create table requests (id text primary key, organization_id text not null, project_id text not null, key_id text not null, operation text not null, model text not null,
        deployment_id text not null, outcome text not null, status bigint not null, fault_code text, input_tokens bigint not null, cached_input_tokens bigint not null,
        output_tokens bigint not null, reasoning_tokens bigint not null, usage_source text not null, estimated bigint not null, amount_nano bigint not null check (amount_nano >= 0),
        currency text not null, price_version text not null, cost_nano bigint, cost_currency text, held_nano bigint not null, input_tokens_max bigint not null,
        output_tokens_max bigint not null, ttft_ms bigint, duration_ms bigint not null, at_us bigint not null, tx_seq bigint not null)${clustered}`,
      // Keyset paging by organization: ids are UUIDv7, so their order is the order of time.
      `create index requests_by_organization on requests (organization_id, id)`,
      `create table attempts (request_id text not null, number bigint not null, deployment_id text not null, provider_id text not null, status bigint not null, outcome text not null,
        input_tokens bigint not null, cached_input_tokens bigint not null, output_tokens bigint not null, reasoning_tokens bigint not null, cost_version text, cost_currency text,
        cost_nano bigint check (cost_nano >= 0), upstream_request_id text, duration_ms bigint not null, primary key (request_id, number))${clustered}`,
      `create table usage_hourly (organization_id text not null, hour_us bigint not null, project_id text not null, key_id text not null, model text not null, deployment_id text not null,
        currency text not null, requests bigint not null, failed bigint not null, input_tokens bigint not null, cached_input_tokens bigint not null, output_tokens bigint not null,
        reasoning_tokens bigint not null, revenue_nano bigint not null, cost_nano bigint not null, costed bigint not null,
        primary key (organization_id, hour_us, project_id, key_id, model, deployment_id, currency))${clustered}`,
      `create table journal_cursor (node_id text primary key, epoch bigint not null default 0, seq bigint not null)`,
      ...HOT_TABLES.flatMap(table => insertOnly(table, dialect)),
    ];
  },
};
