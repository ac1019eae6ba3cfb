import type { Migration } from '../migrate.ts';

/**
 * Many nodes on one database. A lease belongs to its node, whose time ends all of its leases at once: one row is renewed, not one
 * for each wallet. What a node was given, lost and spent beyond it are sums that only ever move one way or are moved by one hand,
 * so that a node which does not know whether its last change was committed reads them and knows.
 */
export const nodes: Migration = {
  id: 3,
  statements: dialect => {
    const clustered = dialect === 'sqlite' ? ' without rowid,' : '';
    const integer = dialect === 'sqlite' ? 'integer' : 'bigint';
    return [
      `create table facts (name text primary key, value text not null)`,
      `create table nodes (node_id text primary key, epoch bigint not null, expires_us bigint not null)`,
      `drop table leases`,
      // The account of a wallet, or the budget of a key in a period.
      `create table leases (account_id text not null, node_id text not null, amount_nano bigint not null check (amount_nano >= 0), granted_nano bigint not null,
        lapsed_nano bigint not null, uncovered_nano bigint not null, primary key (account_id, node_id))${clustered}`,
      `create index leases_by_node on leases (node_id) where amount_nano > 0`,
      `alter table key_spend add column held_nano ${integer} not null default 0`,
    ];
  },
};
