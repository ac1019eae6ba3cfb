import { createHash } from 'node:crypto';
import type { Kysely, Selectable } from 'kysely';
import type { Clock } from '../../ground/std/index.ts';
import { raiseRevision, readRevision, type Store, type StoreTransaction } from '../../ground/store/index.ts';
import type { AuditTable, AuditTables } from './audit-schema.ts';

/** The hash before the first entry. */
const GENESIS = '0'.repeat(64);
const DETAIL_LENGTH_MAX = 8_192;
const TEXT_LENGTH_MAX = 512;
const LIST_MAX = 200;
const VERIFY_PAGE = 1_000;
/** Fields whose values are never kept, wherever they stand. */
const SECRETS = new Set(['apikey', 'api_key', 'key', 'password', 'secret', 'token', 'authorization']);

export interface AuditInput {
  readonly actor: string;
  readonly role: string;
  readonly action: string;
  readonly organizationId?: string | undefined;
  readonly object: string;
  readonly outcome: string;
  /** What was asked; secrets are cut out. */
  readonly detail?: unknown;
  readonly address?: string | undefined;
}

export interface AuditEntry {
  readonly seq: number;
  readonly atMs: number;
  readonly actor: string;
  readonly role: string;
  readonly action: string;
  readonly organizationId: string | null;
  readonly object: string;
  readonly outcome: string;
  readonly detail: string;
  readonly address: string;
}

export interface AuditQuery {
  readonly organizationId?: string | undefined;
  readonly actor?: string | undefined;
  readonly action?: string | undefined;
  /** Entries before this one. */
  readonly before?: number | undefined;
  readonly limit?: number | undefined;
}

export interface Audit {
  /** Adds an entry, in the caller's transaction where one is given. */
  record(input: AuditInput, trx?: StoreTransaction): Promise<void>;
  /** The newest first. */
  list(query: AuditQuery): Promise<readonly AuditEntry[]>;
  /** Walks the whole chain; `brokenAt` is the first entry that is not what was written. */
  verify(): Promise<{ readonly checked: number; readonly brokenAt: number | undefined }>;
}

export function createAudit({ store, clock }: { readonly store: Store; readonly clock: Clock }): Audit {
  const tables = (trx?: StoreTransaction): Kysely<AuditTables> => (trx ?? store.db).withTables<AuditTables>();
  const append = async (trx: StoreTransaction, input: AuditInput) => {
    // Writers wait here for each other: numbers without gaps, and each sees the hash of the one before.
    const seq = await raiseRevision(trx, 'audit');
    const last = await tables(trx)
      .selectFrom('audit')
      .select('hash')
      .where('seq', '=', seq - 1n)
      .executeTakeFirst();
    const row = {
      seq,
      at_us: BigInt(clock.nowMs()) * 1000n,
      actor: short(input.actor),
      role: short(input.role),
      action: short(input.action),
      organization_id: input.organizationId === undefined ? null : short(input.organizationId),
      object: short(input.object),
      outcome: short(input.outcome),
      detail: detailText(input.detail),
      address: short(input.address ?? ''),
    };
    const hash = hashOf(last?.hash ?? GENESIS, row);
    await tables(trx)
      .insertInto('audit')
      .values({ ...row, hash })
      .execute();
  };
  return {
    record: (input, trx) => (trx ? append(trx, input) : store.transaction(own => append(own, input))),
    async list({ organizationId, actor, action, before, limit = 50 }) {
      let query = tables().selectFrom('audit').selectAll();
      if (organizationId !== undefined) query = query.where('organization_id', '=', organizationId);
      if (actor !== undefined) query = query.where('actor', '=', actor);
      if (action !== undefined) query = query.where('action', '=', action);
      if (before !== undefined) query = query.where('seq', '<', BigInt(before));
      const rows = await query
        .orderBy('seq', 'desc')
        .limit(Math.min(LIST_MAX, Math.max(1, limit)))
        .execute();
      return rows.map(entryOf);
    },
    async verify() {
      let hash = GENESIS;
      for (let seq = 0n; ; ) {
        const rows = await tables()
          .selectFrom('audit')
          .selectAll()
          .where('seq', '>', seq)
          .orderBy('seq')
          .limit(VERIFY_PAGE)
          .execute();
        for (const row of rows) {
          const { hash: told, ...rest } = row;
          hash = hashOf(hash, rest);
          if (row.seq !== seq + 1n || told !== hash) return { checked: Number(seq), brokenAt: Number(row.seq) };
          seq = row.seq;
        }
        if (rows.length === VERIFY_PAGE) continue;
        // The counter knows how many there were: a tail that was cut off breaks no chain.
        const isWhole = seq >= (await readRevision(store.db, 'audit'));
        return { checked: Number(seq), brokenAt: isWhole ? undefined : Number(seq) + 1 };
      }
    },
  };
}

/** The fields in the order of the table, each behind its length: no two rows make the same text. */
function hashOf(before: string, row: Omit<Selectable<AuditTable>, 'hash'>): string {
  const { seq, at_us, actor, role, action, organization_id, object, outcome, detail, address } = row;
  const fields = [`${seq}`, `${at_us}`, actor, role, action, organization_id ?? '\0', object, outcome, detail, address];
  return createHash('sha256')
    .update(before + fields.map(field => `${Buffer.byteLength(field)}:${field}`).join(''))
    .digest('hex');
}

const short = (text: string) => text.replaceAll('\0', '').slice(0, TEXT_LENGTH_MAX);

function detailText(detail: unknown): string {
  if (detail === undefined) return '';
  const text =
    JSON.stringify(detail, (name, value: unknown) => (SECRETS.has(name.toLowerCase()) ? '***' : value)) ?? '';
  return text.length <= DETAIL_LENGTH_MAX ? text : `${text.slice(0, DETAIL_LENGTH_MAX)}…`;
}

function entryOf(row: Selectable<AuditTable>): AuditEntry {
  const { seq, at_us, organization_id, hash: _hash, ...rest } = row;
  return { ...rest, seq: Number(seq), atMs: Number(at_us / 1000n), organizationId: organization_id };
}
