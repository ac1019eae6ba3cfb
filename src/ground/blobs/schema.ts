import type { RoomSchema } from '../store/index.ts';

// Types, not interfaces: Kysely's `withTables` asks for an index signature.

/** Bytes that lie somewhere, once for each organization that has them: whether another has the same is nobody's to find out. */
export type BlobContentTable = {
  organization_id: string;
  sha256: string;
  /** Where they lie. Each row has a key of its own, so that what one row's removal removes no other row needs. */
  key: string;
  bytes: bigint;
  /** Hex; null where they lie as they are. */
  salt: string | null;
  refs: bigint;
  /** Since when nothing refers to them. */
  idle_us: bigint | null;
};

export type BlobTable = {
  id: string;
  organization_id: string;
  sha256: string;
  name: string;
  content_type: string;
  /** What it is for, in the words of who keeps it: `batch`, `document`. */
  purpose: string;
  bytes: bigint;
  created_us: bigint;
  expires_us: bigint | null;
};

export type BlobUsageTable = {
  organization_id: string;
  bytes: bigint;
  /** Null: no bound. */
  quota_bytes: bigint | null;
};

export type BlobTables = {
  blob_contents: BlobContentTable;
  blobs: BlobTable;
  blob_usage: BlobUsageTable;
};

export const BLOBS_SCHEMA: RoomSchema = {
  room: 'blobs',
  migrations: [
    {
      id: 1,
      statements: () => [
        `create table blob_contents (organization_id text not null, sha256 text not null, key text not null unique, bytes bigint not null, salt text,
          refs bigint not null check (refs >= 0), idle_us bigint, primary key (organization_id, sha256))`,
        `create index blob_contents_idle on blob_contents (idle_us) where refs = 0`,
        `create table blobs (id text primary key, organization_id text not null, sha256 text not null, name text not null, content_type text not null, purpose text not null,
          bytes bigint not null, created_us bigint not null, expires_us bigint)`,
        `create index blobs_by_organization on blobs (organization_id, id)`,
        `create index blobs_expiring on blobs (expires_us) where expires_us is not null`,
        `create table blob_usage (organization_id text primary key, bytes bigint not null check (bytes >= 0), quota_bytes bigint)`,
      ],
    },
  ],
};
