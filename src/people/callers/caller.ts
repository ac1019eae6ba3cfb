import type { Currency, KeyId, Nano, Role } from '@millrace/contract';

/** What a key may do; absent means unlimited. */
export interface KeyScopes {
  /** Of a key that administers; absent: `admin`. */
  readonly role?: Role;
  /** Model ids, exact, or with a trailing `*`. */
  readonly models?: readonly string[];
  /** CIDR ranges (IPv4 or IPv6) the client's address must fall in. */
  readonly ipRanges?: readonly string[];
  readonly requestsPerMinute?: number;
  readonly tokensPerMinute?: number;
  readonly concurrency?: number;
  readonly budget?: {
    readonly currency: Currency;
    readonly amountNano: Nano;
    readonly period: 'total' | 'day' | 'month';
  };
}

/**
 * A key as gateway threads know it; structured-cloneable. Sent whole at start, then as deltas.
 * `slot` is the key's row in the shared counters (std `KeySlots`).
 */
export interface CallerRecord {
  readonly keyId: KeyId;
  /** HMAC-SHA-256 of the key under the node's pepper, hex: how a presented key is found. */
  readonly mac: string;
  readonly organizationId: string;
  readonly projectId: string;
  readonly slot: number;
  /** One per currency that the organization has a wallet in; the first is the one that pays when several could. */
  readonly wallets: readonly { readonly currency: Currency; readonly slot: number }[];
  readonly scopes: KeyScopes;
  /** ms since the epoch; absent: never. */
  readonly expiresAtMs?: number;
  /** Weight of the tenant in the fair queue. */
  readonly weight: number;
}

/** What main tells gateway threads about keys. A revoked key arrives as `removed`. */
export interface CallerDelta {
  readonly upserted: readonly CallerRecord[];
  readonly removed: readonly KeyId[];
}
