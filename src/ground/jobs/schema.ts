import type { Generated } from 'kysely';
import type { RoomSchema } from '../store/index.ts';

export type JobState = 'waiting' | 'running' | 'done' | 'failed' | 'cancelled';

export type JobTable = {
  id: string;
  kind: string;
  state: JobState;
  /** Lower goes first. */
  priority: bigint;
  payload: string;
  /** Asked for twice under one key is one job, for as long as the row is kept. */
  idempotency_key: string | null;
  /** At most one job of a kind with this key waits or runs. */
  singleton_key: string | null;
  organization_id: string | null;
  /** Tries that began. */
  attempts: bigint;
  attempts_max: bigint;
  run_after_us: bigint;
  /** Who runs it: a new token for each try, so that one who lost its lease can change nothing. */
  lease_token: string | null;
  lease_until_us: bigint | null;
  /** Where the last try got to, as JSON: the next one goes on from here. */
  checkpoint: string | null;
  progress_done: bigint | null;
  progress_total: bigint | null;
  progress_note: string | null;
  cancel_requested: Generated<bigint>;
  result: string | null;
  /** Of the last try that failed: code of the fault, and words in both languages. */
  error_code: string | null;
  error: string | null;
  error_zh: string | null;
  created_us: bigint;
  started_us: bigint | null;
  ended_us: bigint | null;
};

/** A kind with a bound over all nodes has a row, which a claim locks while it counts. */
export type JobKindTable = {
  kind: string;
};

export type JobScheduleTable = {
  name: string;
  kind: string;
  payload: string;
  /** Five or six fields, as croner reads them. */
  cron: string;
  /** IANA name. */
  time_zone: string;
  enabled: bigint;
  next_us: bigint;
  last_us: bigint | null;
};

/** A type, not an interface: Kysely's `withTables` asks for an index signature. */
export type JobTables = {
  jobs: JobTable;
  job_kinds: JobKindTable;
  job_schedules: JobScheduleTable;
};

export const JOBS_SCHEMA: RoomSchema = {
  room: 'jobs',
  migrations: [
    {
      id: 1,
      statements: () => [
        `create table jobs (id text primary key, kind text not null, state text not null, priority bigint not null, payload text not null, idempotency_key text, singleton_key text,
          organization_id text, attempts bigint not null, attempts_max bigint not null, run_after_us bigint not null, lease_token text, lease_until_us bigint,
          checkpoint text, progress_done bigint, progress_total bigint, progress_note text, cancel_requested bigint not null default 0, result text,
          error_code text, error text, error_zh text, created_us bigint not null, started_us bigint, ended_us bigint)`,
        `create unique index jobs_idempotent on jobs (kind, idempotency_key) where idempotency_key is not null`,
        `create unique index jobs_singleton on jobs (kind, singleton_key) where singleton_key is not null and state in ('waiting', 'running')`,
        // What is claimed next, what is lost, what runs of a kind: small partial indexes, whatever the history holds.
        `create index jobs_waiting on jobs (kind, priority, run_after_us, id) where state = 'waiting'`,
        `create index jobs_running on jobs (kind, lease_until_us) where state = 'running'`,
        `create index jobs_ended on jobs (ended_us, id) where ended_us is not null`,
        `create index jobs_by_organization on jobs (organization_id, id) where organization_id is not null`,
        `create table job_kinds (kind text primary key)`,
        `create table job_schedules (name text primary key, kind text not null, payload text not null, cron text not null, time_zone text not null, enabled bigint not null,
          next_us bigint not null, last_us bigint)`,
      ],
    },
  ],
};
