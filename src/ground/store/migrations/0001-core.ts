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
    ...['price_versions', 'price_history'].flatMap(table => insertOnly(table, dialect)),
  ],
};
