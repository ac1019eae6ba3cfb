import { insertOnly, type Migration } from '../migrate.ts';

/** What cannot be booked has a place to wait in; what is summed up for ever cannot fill up; a node that stopped says so. */
export const suspense: Migration = {
  id: 7,
  statements: dialect => {
    const integer = dialect === 'sqlite' ? 'integer' : 'bigint';
    return [
      `alter table balances add column posted_carry ${integer} not null default 0`,
      `alter table key_spend add column spent_carry ${integer} not null default 0`,
      ...['revenue_carry', 'cost_carry'].map(
        name => `alter table usage_hourly add column ${name} ${integer} not null default 0`,
      ),
      `alter table journal_cursor add column state ${integer} not null default 0`,
      `create table suspense (number bigint primary key, kind text not null, node_id text not null, seq bigint not null, request_id text not null, at_us bigint not null,
        reason text not null, content text not null)`,
      `create unique index suspense_by_entry on suspense (node_id, seq, request_id)`,
      `create index suspense_by_request on suspense (request_id)`,
      `create table suspense_ends (number bigint primary key, how text not null, at_us bigint not null, note text not null)`,
      ...['suspense', 'suspense_ends'].flatMap(table => insertOnly(table, dialect)),
    ];
  },
};
