import type { KeyId } from '@millrace/contract';
import { type Clock, Fault } from '../../ground/std/index.ts';
import { type ApiKeyTable, raiseRevision, type Store } from '../../ground/store/index.ts';
import type { KeyScopes } from '../callers/index.ts';
import { createKeyText, type KeyKind, keyKindOf } from '../callers/index.ts';
import { requireProject } from './organizations.ts';
import { checkScopes, decodeScopes, encodeScopes } from './scopes.ts';

export interface NewKey {
  readonly organizationId: string;
  readonly projectId: string;
  readonly name?: string | undefined;
  readonly scopes?: KeyScopes | undefined;
  readonly expiresAtMs?: number | undefined;
}

export interface KeyEntry {
  readonly id: string;
  readonly kind: string;
  readonly organizationId: string | null;
  readonly projectId: string | null;
  readonly name: string;
  /** Prefix and last four: enough to recognise, not to use. */
  readonly hint: string;
  readonly scopes: KeyScopes;
  readonly createdAtMs: number;
  readonly expiresAtMs: number | null;
  readonly revokedAtMs: number | null;
}

interface Tools {
  readonly store: Store;
  readonly clock: Clock;
  readonly newId: () => string;
  readonly hash: (key: string) => string;
}

export interface CreatedKey {
  readonly id: KeyId;
  /** Kept nowhere: shown this once. */
  readonly key: string;
}

/** Throws Fault `not_found`, `invalid_parameter`. */
export async function createLiveKey(tools: Tools, input: NewKey): Promise<CreatedKey> {
  await requireProject(tools.store.db, { organizationId: input.organizationId, id: input.projectId });
  checkScopes(input.scopes ?? {});
  const { expiresAtMs } = input;
  if (expiresAtMs !== undefined && !(Number.isSafeInteger(expiresAtMs) && expiresAtMs > tools.clock.nowMs()))
    throw new Fault('invalid_parameter', {
      message: 'The key would already have expired',
      messageZh: '过期时间已过',
      param: 'expires',
    });
  return insertKey(tools, 'live', input);
}

export function createAdminKey(tools: Tools, name: string): Promise<CreatedKey> {
  return insertKey(tools, 'admin', { name });
}

async function insertKey(
  { store, clock, newId, hash }: Tools,
  kind: KeyKind,
  input: Partial<NewKey>,
): Promise<CreatedKey> {
  const id: KeyId = `key_${newId()}`;
  const key = createKeyText(kind);
  await store.transaction(async trx => {
    const revision = await raiseRevision(trx, 'identity');
    await trx
      .insertInto('api_keys')
      .values({
        id,
        kind,
        organization_id: input.organizationId ?? null,
        project_id: input.projectId ?? null,
        name: input.name ?? '',
        mac: hash(key),
        hint: `mr_${kind}_…${key.slice(-4)}`,
        scopes: encodeScopes(input.scopes ?? {}),
        expires_us: input.expiresAtMs === undefined ? null : BigInt(input.expiresAtMs) * 1000n,
        revoked_us: null,
        created_us: BigInt(clock.nowMs()) * 1000n,
        revision,
      })
      .execute();
  });
  return { id, key };
}

/** Revoking twice is revoking once: the first time stands. Throws Fault `not_found`. */
export async function markRevoked({ store, clock }: Pick<Tools, 'store' | 'clock'>, id: string): Promise<void> {
  await store.transaction(async trx => {
    const row = await trx.selectFrom('api_keys').select('revoked_us').where('id', '=', id).executeTakeFirst();
    if (!row) throw new Fault('not_found', { message: `There is no key ${id}`, messageZh: `不存在密钥 ${id}` });
    if (row.revoked_us !== null) return;
    const revision = await raiseRevision(trx, 'identity');
    await trx
      .updateTable('api_keys')
      .set({ revoked_us: BigInt(clock.nowMs()) * 1000n, revision })
      .where('id', '=', id)
      .where('revoked_us', 'is', null)
      .execute();
  });
}

export async function listKeys({ db }: Store, organizationId: string | undefined): Promise<readonly KeyEntry[]> {
  const all = db.selectFrom('api_keys').selectAll().orderBy('id');
  const query = organizationId === undefined ? all : all.where('organization_id', '=', organizationId);
  return (await query.execute()).map(entryOf);
}

export async function isAdminKey({ store, clock, hash }: Omit<Tools, 'newId'>, key: string): Promise<boolean> {
  if (keyKindOf(key) !== 'admin') return false;
  const row = await store.db
    .selectFrom('api_keys')
    .select('expires_us')
    .where('mac', '=', hash(key))
    .where('kind', '=', 'admin')
    .where('revoked_us', 'is', null)
    .executeTakeFirst();
  return row !== undefined && (row.expires_us === null || row.expires_us > BigInt(clock.nowMs()) * 1000n);
}

function entryOf(row: ApiKeyTable): KeyEntry {
  const ms = (us: bigint | null) => (us === null ? null : Number(us / 1000n));
  return {
    id: row.id,
    kind: row.kind,
    organizationId: row.organization_id,
    projectId: row.project_id,
    name: row.name,
    hint: row.hint,
    scopes: decodeScopes(row.scopes),
    createdAtMs: Number(row.created_us / 1000n),
    expiresAtMs: ms(row.expires_us),
    revokedAtMs: ms(row.revoked_us),
  };
}
