import type { Migration } from '../migrate.ts';

/**
 * What an upstream reported beyond what could have been asked of it, by attempt: tokens, and what they would cost on top. Rare, so a
 * request whose own row tells its call has none, and the index holds the others alone.
 */
export const disputes: Migration = {
  id: 6,
  statements: dialect => {
    const integer = dialect === 'sqlite' ? 'integer' : 'bigint';
    return [
      `alter table attempts add column disputed_input_tokens ${integer} not null default 0`,
      `alter table attempts add column disputed_output_tokens ${integer} not null default 0`,
      `alter table attempts add column disputed_nano ${integer} check (disputed_nano >= 0)`,
      `create index attempts_in_dispute on attempts (seq) where disputed_nano is not null`,
    ];
  },
};
