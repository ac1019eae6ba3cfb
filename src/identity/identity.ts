import { type Currency, formatAmount, type KeyId, type Nano, SLUG } from '@millrace/contract';
import { type Clock, Fault, type KeySlots, type Secret } from '../std/index.ts';
import type { ApiKeyTable, Store, StoreTransaction } from '../store/index.ts';
import type { CallerDelta, CallerRecord, KeyScopes } from './caller.ts';
import { parseCidr } from './caller-index.ts';
import { createKeyHasher, createKeyText, keyKindOf } from './key-text.ts';

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

export interface Identity {
  upsertOrganization(
    trx: StoreTransaction,
    input: { readonly id: string; readonly name?: string | undefined },
  ): Promise<void>;
  upsertProject(
    trx: StoreTransaction,
    input: { readonly organizationId: string; readonly id: string; readonly name?: string | undefined },
  ): Promise<void>;
  organizations(): Promise<readonly { readonly id: string; readonly name: string }[]>;
  projects(organizationId: string): Promise<readonly { readonly id: string; readonly name: string }[]>;
  /** The key's text is returned this once. Throws `not_found` or `invalid_parameter`. */
  createKey(input: NewKey): Promise<{ readonly id: KeyId; readonly key: string }>;
  createAdminKey(name: string): Promise<{ readonly id: KeyId; readonly key: string }>;
  keys(organizationId?: string): Promise<readonly KeyEntry[]>;
  /** In force on all threads when it returns. Throws `not_found`. */
  revokeKey(id: string): Promise<void>;
  verifyAdmin(key: string): Promise<boolean>;
  callers(): readonly CallerRecord[];
  onDelta(listener: (delta: CallerDelta) => void): void;
  /** Reads keys anew, after wallets changed or another process wrote. */
  refresh(): Promise<void>;
}

export interface IdentityOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly newId: () => string;
  readonly pepper: Secret;
  readonly slots: KeySlots;
  readonly walletsOf: (organizationId: string) => readonly { readonly currency: Currency; readonly slot: number }[];
}

export async function createIdentity({
  store,
  clock,
  newId,
  pepper,
  slots,
  walletsOf,
}: IdentityOptions): Promise<Identity> {
  const hash = createKeyHasher(pepper);
  const listeners: ((delta: CallerDelta) => void)[] = [];
  const slotOf = new Map<string, number>();
  let records = new Map<KeyId, CallerRecord>();
  const tell = (delta: CallerDelta) => {
    if (delta.upserted.length + delta.removed.length > 0) for (const listener of listeners) listener(delta);
  };

  const takeSlot = (id: string): number => {
    const had = slotOf.get(id);
    if (had !== undefined) return had;
    if (slotOf.size >= slots.rows)
      throw new Fault('capacity', {
        message: `This node holds at most ${slots.rows} keys`,
        messageZh: `本节点最多支持 ${slots.rows} 个密钥`,
      });
    const slot = slotOf.size;
    slotOf.set(id, slot);
    return slot;
  };

  const spentIn = async (keyId: string, budget: NonNullable<KeyScopes['budget']>): Promise<Nano> => {
    const row = await store.db
      .selectFrom('key_spend')
      .select('spent_nano')
      .where('key_id', '=', keyId)
      .where('period', '=', periodOf(budget.period, clock.nowMs()))
      .where('currency', '=', budget.currency)
      .executeTakeFirst();
    return row?.spent_nano ?? 0n;
  };

  const insertKey = async (kind: 'live' | 'admin', input: Partial<NewKey>) => {
    const id: KeyId = `key_${newId()}`;
    const key = createKeyText(kind);
    await store.db
      .insertInto('api_keys')
      .values({
        id,
        kind,
        organization_id: input.organizationId ?? null,
        project_id: input.projectId ?? null,
        name: input.name ?? '',
        mac: hash(key),
        hint: `${key.slice(0, 8)}…${key.slice(-4)}`,
        scopes: encodeScopes(input.scopes ?? {}),
        expires_us: input.expiresAtMs === undefined ? null : BigInt(input.expiresAtMs) * 1000n,
        revoked_us: null,
        created_us: BigInt(clock.nowMs()) * 1000n,
      })
      .execute();
    return { id, key };
  };

  const identity: Identity = {
    async upsertOrganization(trx, { id, name }) {
      checkId(id, 'organizations');
      const existing = await trx.selectFrom('organizations').select('id').where('id', '=', id).executeTakeFirst();
      if (!existing)
        await trx
          .insertInto('organizations')
          .values({ id, name: name ?? id, weight: 1n, suspended: 0n, created_us: BigInt(clock.nowMs()) * 1000n })
          .execute();
      else if (name !== undefined) await trx.updateTable('organizations').set({ name }).where('id', '=', id).execute();
    },
    async upsertProject(trx, { organizationId, id, name }) {
      checkId(id, `organizations.${organizationId}.projects`);
      if (!(await trx.selectFrom('organizations').select('id').where('id', '=', organizationId).executeTakeFirst()))
        throw noOrganization(organizationId);
      const existing = await trx
        .selectFrom('projects')
        .select('id')
        .where('organization_id', '=', organizationId)
        .where('id', '=', id)
        .executeTakeFirst();
      if (!existing)
        await trx
          .insertInto('projects')
          .values({ organization_id: organizationId, id, name: name ?? id, created_us: BigInt(clock.nowMs()) * 1000n })
          .execute();
      else if (name !== undefined)
        await trx
          .updateTable('projects')
          .set({ name })
          .where('organization_id', '=', organizationId)
          .where('id', '=', id)
          .execute();
    },
    organizations: () => store.db.selectFrom('organizations').select(['id', 'name']).orderBy('id').execute(),
    async projects(organizationId) {
      if (
        !(await store.db.selectFrom('organizations').select('id').where('id', '=', organizationId).executeTakeFirst())
      )
        throw noOrganization(organizationId);
      return store.db
        .selectFrom('projects')
        .select(['id', 'name'])
        .where('organization_id', '=', organizationId)
        .orderBy('id')
        .execute();
    },
    async createKey(input) {
      const projects = await identity.projects(input.organizationId);
      if (!projects.some(({ id }) => id === input.projectId))
        throw new Fault('not_found', {
          message: `The organization ${input.organizationId} has no project ${input.projectId}`,
          messageZh: `组织 ${input.organizationId} 没有项目 ${input.projectId}`,
        });
      checkScopes(input.scopes ?? {});
      if (input.expiresAtMs !== undefined && input.expiresAtMs <= clock.nowMs())
        throw new Fault('invalid_parameter', {
          message: 'The key would already have expired',
          messageZh: '过期时间已过',
          param: 'expires',
        });
      const created = await insertKey('live', input);
      await identity.refresh();
      return created;
    },
    createAdminKey: name => insertKey('admin', { name }),
    async keys(organizationId) {
      const query = store.db.selectFrom('api_keys').selectAll().orderBy('id');
      const rows = await (organizationId === undefined
        ? query
        : query.where('organization_id', '=', organizationId)
      ).execute();
      return rows.map(entryOf);
    },
    async revokeKey(id) {
      const { numUpdatedRows } = await store.db
        .updateTable('api_keys')
        .set({ revoked_us: BigInt(clock.nowMs()) * 1000n })
        .where('id', '=', id)
        .where('revoked_us', 'is', null)
        .executeTakeFirst();
      if (
        numUpdatedRows === 0n &&
        !(await store.db.selectFrom('api_keys').select('id').where('id', '=', id).executeTakeFirst())
      )
        throw new Fault('not_found', { message: `There is no key ${id}`, messageZh: `不存在密钥 ${id}` });
      const slot = slotOf.get(id);
      if (slot !== undefined) slots.setRevoked(slot, true);
      await identity.refresh();
    },
    async verifyAdmin(key) {
      if (keyKindOf(key) !== 'admin') return false;
      const row = await store.db
        .selectFrom('api_keys')
        .select(['expires_us'])
        .where('mac', '=', hash(key))
        .where('kind', '=', 'admin')
        .where('revoked_us', 'is', null)
        .executeTakeFirst();
      return row !== undefined && (row.expires_us === null || row.expires_us > BigInt(clock.nowMs()) * 1000n);
    },
    callers: () => [...records.values()],
    onDelta: listener => void listeners.push(listener),
    async refresh() {
      const rows = await store.db
        .selectFrom('api_keys')
        .selectAll()
        .where('kind', '=', 'live')
        .where('revoked_us', 'is', null)
        .execute();
      const suspended = new Set(
        (await store.db.selectFrom('organizations').select('id').where('suspended', '=', 1n).execute()).map(
          ({ id }) => id,
        ),
      );
      const next = new Map<KeyId, CallerRecord>();
      for (const row of rows) {
        if (row.organization_id === null || row.project_id === null || suspended.has(row.organization_id)) continue;
        const fresh = !slotOf.has(row.id);
        const scopes = decodeScopes(row.scopes);
        const slot = takeSlot(row.id);
        if (fresh && scopes.budget)
          slots.setBudgetLeft(slot, scopes.budget.amountNano - (await spentIn(row.id, scopes.budget)));
        const keyId: KeyId = `key_${row.id.slice(4)}`;
        next.set(keyId, {
          keyId,
          mac: row.mac,
          organizationId: row.organization_id,
          projectId: row.project_id,
          slot,
          wallets: walletsOf(row.organization_id),
          scopes,
          ...(row.expires_us === null ? {} : { expiresAtMs: Number(row.expires_us / 1000n) }),
          weight: 1,
        });
      }
      const removed = [...records.keys()].filter(id => !next.has(id));
      const upserted = [...next.values()].filter(record => !sameRecord(record, records.get(record.keyId)));
      for (const id of removed) {
        const slot = slotOf.get(id);
        if (slot !== undefined) slots.setRevoked(slot, true);
      }
      records = next;
      tell({ upserted, removed });
    },
  };
  await identity.refresh();
  return identity;
}

function sameRecord(a: CallerRecord, b: CallerRecord | undefined): boolean {
  return (
    b !== undefined &&
    a.mac === b.mac &&
    a.wallets.length === b.wallets.length &&
    a.expiresAtMs === b.expiresAtMs &&
    encodeScopes(a.scopes) === encodeScopes(b.scopes)
  );
}

/** Name of the period of a budget that a time falls in, UTC. */
export function periodOf(period: 'total' | 'day' | 'month', nowMs: number): string {
  return period === 'total' ? 'total' : new Date(nowMs).toISOString().slice(0, period === 'day' ? 10 : 7);
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

function encodeScopes(scopes: KeyScopes): string {
  return JSON.stringify(
    scopes.budget
      ? { ...scopes, budget: { ...scopes.budget, amountNano: scopes.budget.amountNano.toString() } }
      : scopes,
  );
}

function decodeScopes(text: string): KeyScopes {
  const stored: Omit<KeyScopes, 'budget'> & {
    budget?: Omit<NonNullable<KeyScopes['budget']>, 'amountNano'> & { amountNano: string };
  } = JSON.parse(text);
  const { budget, ...rest } = stored;
  return budget ? { ...rest, budget: { ...budget, amountNano: BigInt(budget.amountNano) } } : rest;
}

function checkScopes(scopes: KeyScopes): void {
  const wrong = (param: string, en: string, zh: string) =>
    new Fault('invalid_parameter', { message: en, messageZh: zh, param });
  const bad = scopes.ipRanges?.find(range => parseCidr(range) === undefined);
  if (bad !== undefined)
    throw wrong('ipRanges', `"${bad}" is no address range such as 10.0.0.0/8`, `“${bad}”不是地址段（如 10.0.0.0/8）`);
  for (const name of ['requestsPerMinute', 'tokensPerMinute', 'concurrency'] as const) {
    const value = scopes[name];
    if (value !== undefined && (!Number.isInteger(value) || value < 1 || value > 1_000_000_000))
      throw wrong(
        name,
        `${name}: ${value} is not a whole number from 1 to 1000000000`,
        `${name}：${value} 不是 1 到 1000000000 之间的整数`,
      );
  }
  if (scopes.budget && scopes.budget.amountNano < 0n)
    throw wrong('budget', `A budget of ${formatAmount(scopes.budget.amountNano)} is negative`, '预算不能为负数');
}

function checkId(id: string, path: string): void {
  if (!SLUG.test(id))
    throw new Fault('config_invalid', {
      message: `${path}: "${id.slice(0, 64)}" is no id: use a-z, 0-9, dot, dash and underscore`,
      messageZh: `${path}：“${id.slice(0, 64)}”不是有效 ID：只能使用 a-z、0-9、点、短横线和下划线`,
      param: path,
    });
}

export function noOrganization(id: string): Fault {
  return new Fault('not_found', { message: `There is no organization ${id}`, messageZh: `不存在组织 ${id}` });
}
