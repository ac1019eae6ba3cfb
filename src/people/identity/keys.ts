import type { KeyId, Role } from '@millrace/contract';
import { type Clock, Fault } from '../../ground/std/index.ts';
import { type ApiKeyTable, raiseRevision, type Store } from '../../ground/store/index.ts';
import type { KeyScopes } from '../callers/index.ts';
import { createKeyText, type KeyKind, keyKindOf } from '../callers/index.ts';
import { requireOrganization, requireProject } from './organizations.ts';
import type { Principal } from './principal.ts';
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
  if (input.expiresAtMs !== undefined) checkExpiry(input.expiresAtMs, tools.clock);
  return insertKey(tools, 'live', input);
}

function checkExpiry(expiresAtMs: number, { nowMs }: Clock): void {
  if (Number.isSafeInteger(expiresAtMs) && expiresAtMs > nowMs()) return;
  throw new Fault('invalid_parameter', {
    message: 'The key would already have expired',
    messageZh: '过期时间已过',
    param: 'expires',
  });
}

export interface NewAdminKey {
  readonly name: string;
  readonly role?: Role | undefined;
  /** Bound to this organization. */
  readonly organizationId?: string | undefined;
}

/** Throws Fault `not_found` for an organization that is not there. */
export async function createAdminKey(tools: Tools, { name, role, organizationId }: NewAdminKey): Promise<CreatedKey> {
  if (organizationId !== undefined) await requireOrganization(tools.store.db, organizationId);
  return insertKey(tools, 'admin', {
    name,
    ...(role ? { scopes: { role } } : {}),
    ...(organizationId ? { organizationId } : {}),
  });
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

/** What is named is set, or taken away by null; all else stays. */
export interface KeyChange {
  readonly name?: string | undefined;
  readonly expiresAtMs?: number | null | undefined;
  readonly scopes?: { readonly [Name in keyof KeyScopes]?: KeyScopes[Name] | null | undefined } | undefined;
}

/** Throws Fault `not_found`, `conflict` where it is revoked, `invalid_parameter`. */
export async function changeKey(
  { store, clock }: Pick<Tools, 'store' | 'clock'>,
  id: string,
  change: KeyChange,
): Promise<void> {
  if (typeof change.expiresAtMs === 'number') checkExpiry(change.expiresAtMs, clock);
  await store.transaction(async trx => {
    const row = await trx.selectFrom('api_keys').selectAll().where('id', '=', id).executeTakeFirst();
    if (!row) throw noKey(id);
    if (row.revoked_us !== null)
      throw new Fault('conflict', { message: `${id} is revoked for good`, messageZh: `${id} 已被永久吊销` });
    const scopes = changedScopes(decodeScopes(row.scopes), change.scopes ?? {});
    if (row.kind !== 'live' && Object.keys(scopes).length > 0)
      throw new Fault('invalid_parameter', {
        message: 'scopes: an admin key has none',
        messageZh: 'scopes：管理密钥没有限制项',
        param: 'scopes',
      });
    checkScopes(scopes);
    const { expiresAtMs } = change;
    const wanted = {
      name: change.name ?? row.name,
      scopes: encodeScopes(scopes),
      expires_us:
        expiresAtMs === undefined ? row.expires_us : expiresAtMs === null ? null : BigInt(expiresAtMs) * 1000n,
    };
    const revision = await raiseRevision(trx, 'identity');
    await trx
      .updateTable('api_keys')
      .set({ ...wanted, revision })
      .where('id', '=', id)
      .execute();
  });
}

function changedScopes(scopes: KeyScopes, change: NonNullable<KeyChange['scopes']>): KeyScopes {
  const said = Object.entries(change).filter(([, value]) => value !== undefined);
  const all = Object.entries({ ...scopes, ...Object.fromEntries(said) });
  return Object.fromEntries(all.filter(([, value]) => value !== null && value !== undefined));
}

/** Revoking twice is revoking once: the first time stands. Throws Fault `not_found`. */
export async function markRevoked({ store, clock }: Pick<Tools, 'store' | 'clock'>, id: string): Promise<void> {
  await store.transaction(async trx => {
    const row = await trx.selectFrom('api_keys').select('revoked_us').where('id', '=', id).executeTakeFirst();
    if (!row) throw noKey(id);
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

function noKey(id: string): Fault {
  return new Fault('not_found', { message: `There is no key ${id}`, messageZh: `不存在密钥 ${id}` });
}

/** The key of this text, where it may be used now: as gateway threads know it, for what the control plane tells its holder. */
export async function findLiveKey(
  { store, clock, hash }: Omit<Tools, 'newId'>,
  key: string,
): Promise<KeyEntry | undefined> {
  if (keyKindOf(key) !== 'live') return undefined;
  const row = await store.db
    .selectFrom('api_keys')
    .innerJoin('organizations', 'organizations.id', 'api_keys.organization_id')
    .selectAll('api_keys')
    .where('mac', '=', hash(key))
    .where('kind', '=', 'live')
    .where('revoked_us', 'is', null)
    .where('suspended', '=', 0n)
    .executeTakeFirst();
  if (!row || (row.expires_us !== null && row.expires_us <= BigInt(clock.nowMs()) * 1000n)) return undefined;
  return entryOf(row);
}

export async function listKeys({ db }: Store, organizationId: string | undefined): Promise<readonly KeyEntry[]> {
  const all = db.selectFrom('api_keys').selectAll().orderBy('id');
  const query = organizationId === undefined ? all : all.where('organization_id', '=', organizationId);
  return (await query.execute()).map(entryOf);
}

/** Whose key it is; undefined where it administers nothing, whatever is wrong with it. */
export async function principalOfKey(
  { store, clock, hash }: Omit<Tools, 'newId'>,
  key: string,
): Promise<Principal | undefined> {
  if (keyKindOf(key) !== 'admin') return undefined;
  const row = await store.db
    .selectFrom('api_keys')
    .select(['id', 'expires_us', 'organization_id', 'scopes'])
    .where('mac', '=', hash(key))
    .where('kind', '=', 'admin')
    .where('revoked_us', 'is', null)
    .executeTakeFirst();
  if (!row || (row.expires_us !== null && row.expires_us <= BigInt(clock.nowMs()) * 1000n)) return undefined;
  const { role = 'admin' } = decodeScopes(row.scopes);
  return { id: row.id, role, ...(row.organization_id === null ? {} : { organizationId: row.organization_id }) };
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
