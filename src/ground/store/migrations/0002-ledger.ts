import { insertOnly, type Migration } from '../migrate.ts';

const FACTS = ['series', 'transfers', 'chain', 'requests', 'attempts'];

/**
 * The ledger. What is written for every request is one row with an integer key that only grows, and no foreign keys: 4 µs of
 * SQLite a request, indexes and commit included. As rows keyed by the texts of their ids, with one more for the transaction, two
 * for its postings and one for each attempt, it was 13. The proof checks the references.
 */
export const ledger: Migration = {
  id: 2,
  statements: dialect => {
    // On SQLite a table without rowids is clustered by its key, which is then not kept twice.
    const clustered = dialect === 'sqlite' ? ' without rowid,' : '';
    return [
      `create table accounts (id text primary key, kind text not null, organization_id text, currency text not null, min_balance_nano bigint not null)${clustered}`,
      `create index accounts_by_organization on accounts (organization_id)`,
      `create table transfers (seq bigint primary key, kind text not null, debit text not null, credit text not null, amount_nano bigint not null check (amount_nano > 0),
        booked_us bigint not null, idem_key text, reverses_seq bigint, note text)`,
      `create unique index transfers_by_idem_key on transfers (idem_key) where idem_key is not null`,
      `create table chain (last_seq bigint primary key, hash text not null)`,
      `create table ledger_head (id bigint primary key check (id = 1), seq bigint not null, hash text not null)`,
      `insert into ledger_head (id, seq, hash) values (1, 0, '')`,
      `create table balances (account_id text primary key references accounts(id), posted_nano bigint not null, held_nano bigint not null check (held_nano >= 0))${clustered}`,
      `create table holds (request_id text primary key, account_id text not null references accounts(id), amount_nano bigint not null check (amount_nano >= 0),
        state text not null check (state in ('open', 'expired')), node_id text not null, expires_us bigint not null, intent text not null, progress text)${clustered}`,
      `create index holds_by_end on holds (state, expires_us)`,
      `create table leases (account_id text not null references accounts(id), node_id text not null, epoch bigint not null, amount_nano bigint not null check (amount_nano >= 0),
        spent_nano bigint not null, state text not null check (state in ('open', 'returned', 'expired')), expires_us bigint not null, primary key (account_id, node_id, epoch))${clustered}`,
      `create index leases_by_end on leases (state, expires_us)`,
      `create table series (number bigint primary key, organization_id text not null, project_id text not null, key_id text not null, operation text not null, model text not null,
        deployment_id text not null, provider_id text not null, currency text not null, price_version text not null, cost_currency text, cost_version text)`,
      `create index series_by_organization on series (organization_id)`,
      `create index series_by_key on series (key_id)`,
      `create table requests (seq bigint primary key, id text not null unique, organization_id text not null, at_us bigint not null, series bigint not null, outcome text not null,
        status bigint not null, fault_code text, input_tokens bigint not null, cached_input_tokens bigint not null, output_tokens bigint not null, reasoning_tokens bigint not null,
        usage_source text not null, estimated bigint not null, amount_nano bigint not null check (amount_nano >= 0), cost_nano bigint check (cost_nano >= 0), held_nano bigint not null,
        input_tokens_max bigint not null, output_tokens_max bigint not null, ttft_ms bigint, duration_ms bigint not null, call_outcome text, call_status bigint, call_ms bigint,
        upstream_request_id text)`,
      // Keyset paging by organization, newest first.
      `create index requests_by_organization on requests (organization_id, at_us)`,
      // For people and programs that look from outside: the whole ledger, line by line.
      `create view postings as
        select seq, debit as account_id, amount_nano from transfers union all select seq, credit, -amount_nano from transfers
        union all select seq, 'wallet:' || s.organization_id || ':' || s.currency, amount_nano from requests r join series s on s.number = r.series where amount_nano <> 0
        union all select seq, 'revenue:' || s.organization_id || ':' || s.currency, -amount_nano from requests r join series s on s.number = r.series where amount_nano <> 0`,
      `create table attempts (seq bigint not null, number bigint not null, deployment_id text not null, provider_id text not null, status bigint not null, outcome text not null,
        input_tokens bigint not null, cached_input_tokens bigint not null, output_tokens bigint not null, reasoning_tokens bigint not null, cost_version text, cost_currency text,
        cost_nano bigint check (cost_nano >= 0), upstream_request_id text, duration_ms bigint not null, primary key (seq, number))${clustered}`,
      `create table usage_hourly (series bigint not null, hour_us bigint not null, requests bigint not null, failed bigint not null, input_tokens bigint not null,
        cached_input_tokens bigint not null, output_tokens bigint not null, reasoning_tokens bigint not null, revenue_nano bigint not null, cost_nano bigint not null,
        costed bigint not null, primary key (series, hour_us))${clustered}`,
      `create table journal_cursor (node_id text primary key, epoch bigint not null default 0, seq bigint not null)`,
      ...FACTS.flatMap(table => insertOnly(table, dialect)),
    ];
  },
};
