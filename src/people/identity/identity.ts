import type { Nano } from '@millrace/contract';
import { type Clock, type KeySlots, type Log, type Secret, silentLog } from '../../ground/std/index.ts';
import type { Store, StoreTransaction } from '../../ground/store/index.ts';
import type { CallerDelta, CallerRecord } from '../callers/index.ts';
import { createKeyHasher } from '../callers/index.ts';
import type { Budgets } from './budgets.ts';
import { createCallerRegistry, noRoom, type WalletsOf } from './caller-registry.ts';
import { type Budget, periodOf, spentBy } from './key-spend.ts';
import {
  type CreatedKey,
  changeKey,
  createAdminKey,
  createLiveKey,
  findLiveKey,
  type KeyChange,
  type KeyEntry,
  listKeys,
  markRevoked,
  type NewAdminKey,
  type NewKey,
  principalOfKey,
} from './keys.ts';
import {
  listOrganizations,
  type OrganizationInput,
  type ProjectInput,
  requireOrganization,
  setSuspended,
  upsertOrganization,
  upsertProject,
} from './organizations.ts';
import type { Principal } from './principal.ts';

/** A key that another process revokes stops here within this and the time of a query. */
const LOOK_MS = 500;

export interface Identity extends Disposable {
  /** Changes count when the transaction is committed and `refresh` returned. */
  upsertOrganization(trx: StoreTransaction, input: OrganizationInput): Promise<void>;
  upsertProject(trx: StoreTransaction, input: ProjectInput): Promise<void>;
  /** Stops all keys of an organization, or lets them go on; in force on all threads when it returns. Throws `not_found`. */
  suspendOrganization(id: string, suspended: boolean): Promise<void>;
  organizations(): Promise<readonly { readonly id: string; readonly name: string; readonly suspended: boolean }[]>;
  projects(organizationId: string): Promise<readonly { readonly id: string; readonly name: string }[]>;
  /** The key's text is returned this once. Throws `not_found`, `invalid_parameter` or `capacity`. */
  createKey(input: NewKey): Promise<CreatedKey>;
  createAdminKey(input: NewAdminKey): Promise<CreatedKey>;
  keys(organizationId?: string): Promise<readonly KeyEntry[]>;
  /** In force on all threads when it returns. Throws `not_found`. */
  revokeKey(id: string): Promise<void>;
  /** Whose key it is; undefined where it administers nothing. */
  principalOf(key: string): Promise<Principal | undefined>;
  /** In force on all threads when they heard of it, at once. Throws `not_found`, `conflict` where it is revoked, `invalid_parameter`. */
  changeKey(id: string, change: KeyChange): Promise<void>;
  /** The key of this text, where it may be used now. */
  findLive(key: string): Promise<KeyEntry | undefined>;
  /** What it has spent in a period, as far as the ledger knows. */
  spent(keyId: string, budget: Pick<Budget, 'currency' | 'period'>): Promise<Nano>;
  callers(): readonly CallerRecord[];
  onDelta(listener: (delta: CallerDelta) => void): void;
  /** Reads what changed, and the wallets of all organizations anew. */
  refresh(): Promise<void>;
  /** What a timer does twice a second: ends expired keys, begins budget periods, looks for what another process wrote. */
  look(): Promise<void>;
}

export interface IdentityOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly newId: () => string;
  readonly pepper: Secret;
  readonly slots: KeySlots;
  readonly walletsOf: WalletsOf;
  readonly budgets?: Budgets | undefined;
  readonly log?: Log;
}

/** Reads all keys that may be used, and follows the store from then on until disposed. */
export async function createIdentity(options: IdentityOptions): Promise<Identity> {
  const { store, clock, newId, pepper, slots, walletsOf, budgets, log = silentLog } = options;
  const hash = createKeyHasher(pepper);
  const registry = createCallerRegistry({ store, slots, clock, walletsOf, budgets });
  const tools = { store, clock, newId, hash };
  await registry.refresh();

  const identity: Identity = {
    upsertOrganization: (trx, input) => upsertOrganization(trx, input, clock),
    upsertProject: (trx, input) => upsertProject(trx, input, clock),
    async suspendOrganization(id, suspended) {
      await store.transaction(trx => setSuspended(trx, id, suspended));
      await registry.sync();
    },
    organizations: () => listOrganizations(store),
    async projects(organizationId) {
      await requireOrganization(store.db, organizationId);
      const query = store.db.selectFrom('projects').select(['id', 'name']).orderBy('id');
      return query.where('organization_id', '=', organizationId).execute();
    },
    async createKey(input) {
      if (!registry.hasRoom()) throw noRoom(slots.rows);
      const created = await createLiveKey(tools, input);
      await registry.sync();
      return created;
    },
    createAdminKey: input => createAdminKey(tools, input),
    keys: organizationId => listKeys(store, organizationId),
    async revokeKey(id) {
      await markRevoked(tools, id);
      await registry.sync();
    },
    principalOf: key => principalOfKey(tools, key),
    async changeKey(id, change) {
      await changeKey(tools, id, change);
      await registry.sync();
    },
    findLive: key => findLiveKey(tools, key),
    spent: (keyId, { currency, period }) =>
      spentBy(store, { keyId, currency, period: periodOf(period, clock.nowMs()) }),
    callers: () => registry.callers(),
    onDelta: listener => registry.onDelta(listener),
    refresh: () => registry.refresh(),
    async look() {
      await registry.passTime();
      // A SQLite store has no other writer.
      if (store.dialect === 'postgres') await registry.sync();
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };

  let looking = false;
  const timer = setInterval(() => {
    if (looking) return;
    looking = true;
    identity
      .look()
      // The store may be away for a while: known keys go on, and the next look catches up.
      .catch(error => log.warn('identity-look-failed', { internal: String(error) }))
      .finally(() => {
        looking = false;
      });
  }, LOOK_MS).unref();
  return identity;
}
