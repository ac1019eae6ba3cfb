import { type Clock, type DeploymentSlots, type Log, silentLog } from '../../ground/std/index.ts';
import { raiseRevision, readRevision, type Store, type StoreTransaction } from '../../ground/store/index.ts';
import type { PriceVersion } from '../../money/pricing/index.ts';
import { readPriceVersion } from '../../money/pricing/index.ts';
import { checkModel, checkProvider } from './check.ts';
import { createSlotBook } from './deployment-slots.ts';
import type { ModelInput, ProviderInput } from './input.ts';
import { listedPrices } from './price-list.ts';
import { type EngineDeployment, readSnapshot } from './read-snapshot.ts';
import { removeModel, saveModel } from './save-model.ts';
import { openKey, removeProvider, saveProvider } from './save-provider.ts';
import type { Seal } from './seal.ts';
import type { CatalogSnapshot, Quirk } from './snapshot.ts';

/** How soon what another process wrote is in force here. */
const LOOK_MS = 1_000;

export interface ProviderEntry {
  readonly id: string;
  readonly dialect: string;
  readonly baseUrl: string;
  readonly hasKey: boolean;
  readonly allowPrivateNetwork: boolean;
  readonly quirks: readonly Quirk[];
}

export interface Catalog extends Disposable {
  /** Throws Fault `config_invalid` with the path. */
  upsertProvider(trx: StoreTransaction, input: ProviderInput): Promise<void>;
  /**
   * Sets the model, its price list, and its deployments to exactly those given. Throws Fault `config_invalid` with the path.
   * Price versions that were listed once stay in the store.
   */
  upsertModel(trx: StoreTransaction, input: ModelInput): Promise<void>;
  /** Takes a model out of service; its prices and history stay. False where there is none. */
  removeModel(trx: StoreTransaction, id: string): Promise<boolean>;
  /** Takes a provider out, with its key. False where there is none. Throws Fault `conflict` while deployments call it. */
  removeProvider(trx: StoreTransaction, id: string): Promise<boolean>;
  /** Whether the sealed key of a provider's row is this one: shows a difference without showing a key. */
  holdsKey(
    row: { readonly id: string; readonly base_url: string; readonly api_key_sealed: string | null },
    apiKey: string,
  ): boolean;
  listedPrices(trx: StoreTransaction, kind: string, subject: string): Promise<readonly PriceVersion[]>;
  /** Brings what was committed into force: reads the store, and tells all listeners when something is different. */
  refresh(): Promise<void>;
  snapshot(): CatalogSnapshot;
  onChange(listener: (snapshot: CatalogSnapshot) => void): void;
  engines(): readonly EngineDeployment[];
  providers(): Promise<readonly ProviderEntry[]>;
  /** Any version ever listed. */
  priceVersion(version: string): Promise<PriceVersion | undefined>;
}

export interface CatalogOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly seal: Seal;
  readonly slots: DeploymentSlots;
  /** Where the engine host of a deployment listens, as a `unix:` base URL. */
  readonly engineBaseUrl: (deploymentId: string) => string;
  readonly log?: Log;
}

/** Reads the catalog, and follows the store from then on until disposed. */
export async function createCatalog(options: CatalogOptions): Promise<Catalog> {
  const { store, clock, seal, log = silentLog } = options;
  const follower = createFollower(options, log);
  await follower.refresh();
  const look = () =>
    void follower.refresh().catch(error => log.warn('catalog-look-failed', { internal: String(error) }));
  // A SQLite store has no other writer.
  const timer = store.dialect === 'postgres' ? setInterval(look, LOOK_MS).unref() : undefined;
  return {
    ...follower,
    async upsertProvider(trx, input) {
      checkProvider(input);
      await raiseRevision(trx, 'catalog');
      await saveProvider(trx, input, { seal, nowMs: clock.nowMs() });
    },
    async upsertModel(trx, input) {
      checkModel(input);
      await saveModel(store, trx, { input, nowMs: clock.nowMs() });
    },
    removeModel: (trx, id) => removeModel(trx, id, clock.nowMs()),
    removeProvider,
    holdsKey(row, apiKey) {
      try {
        return openKey(seal, row) === apiKey;
      } catch {
        return false;
      }
    },
    listedPrices,
    async providers() {
      const rows = await store.db.selectFrom('providers').selectAll().orderBy('id').execute();
      return rows.map(row => ({
        id: row.id,
        dialect: row.dialect,
        baseUrl: row.base_url,
        hasKey: row.api_key_sealed !== null,
        allowPrivateNetwork: row.allow_private === 1n,
        quirks: JSON.parse(row.quirks),
      }));
    },
    async priceVersion(version) {
      const query = store.db.selectFrom('price_versions').select('content').where('version', '=', version);
      const row = await query.executeTakeFirst();
      return row && readPriceVersion(row.content);
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}

type Follower = Pick<Catalog, 'refresh' | 'snapshot' | 'onChange' | 'engines'>;

/** The newest snapshot, replaced whole when the catalog's revision in the store has moved. */
function createFollower({ store, clock, seal, slots, engineBaseUrl }: CatalogOptions, log: Log): Follower {
  const slotBook = createSlotBook(slots, clock);
  const listeners: ((snapshot: CatalogSnapshot) => void)[] = [];
  let current: CatalogSnapshot = Object.freeze({ revision: 0, models: new Map() });
  let engines: readonly EngineDeployment[] = [];
  let seen = -1n;
  let running: Promise<void> = Promise.resolve();

  const read = async () => {
    const revision = await readRevision(store.db, 'catalog');
    if (revision === seen) return;
    const content = await readSnapshot(store, { seal, log, engineBaseUrl, slotOf: slotBook.slotOf });
    slotBook.sweep();
    engines = content.engines;
    current = Object.freeze({ revision: current.revision + 1, models: content.models });
    seen = revision;
    for (const listener of listeners) listener(current);
  };
  return {
    // One after the other, so that an older reading never replaces a newer one.
    refresh() {
      const turn = running.then(read);
      running = turn.catch(() => {});
      return turn;
    },
    snapshot: () => current,
    onChange: listener => void listeners.push(listener),
    engines: () => engines,
  };
}
