import { insertOnly, type RoomSchema } from '../../ground/store/index.ts';

// A type, not an interface: Kysely's `withTables` asks for an index signature.
export type AuditTable = {
  /** 1, 2, 3 …, without gaps. */
  seq: bigint;
  at_us: bigint;
  /** `owner`, `key_…` or a person's id. */
  actor: string;
  role: string;
  action: string;
  /** Whose things were touched; null: the platform's. */
  organization_id: string | null;
  /** What was touched. */
  object: string;
  /** `ok`, or the code of the fault. */
  outcome: string;
  /** JSON: what was asked, without secrets. */
  detail: string;
  address: string;
  /** Hex SHA-256 over the hash before and this row. */
  hash: string;
};

export type AuditTables = { audit: AuditTable };

export const AUDIT_SCHEMA: RoomSchema = {
  room: 'audit',
  migrations: [
    {
      id: 1,
      statements: dialect => [
        `create table audit (seq bigint primary key, at_us bigint not null, actor text not null, role text not null, action text not null, organization_id text,
          object text not null, outcome text not null, detail text not null, address text not null, hash text not null)`,
        `create index audit_by_organization on audit (organization_id, seq) where organization_id is not null`,
        `create index audit_by_actor on audit (actor, seq)`,
        ...insertOnly('audit', dialect),
      ],
    },
  ],
};
