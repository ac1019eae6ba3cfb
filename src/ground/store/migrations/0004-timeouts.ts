import type { Migration } from '../migrate.ts';

/** Time limits of upstreams, where the operator sets them: as JSON, since what is not set has its default. */
export const timeouts: Migration = {
  id: 4,
  statements: () => ['alter table models add column timeouts text', 'alter table deployments add column timeouts text'],
};
