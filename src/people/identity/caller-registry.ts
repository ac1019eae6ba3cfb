import type { Currency, KeyId } from '@millrace/contract';
import { type Clock, createSlotPool, Fault, type KeySlots, type SlotPool } from '../../ground/std/index.ts';
import { type ApiKeyTable, readRevision, type Store } from '../../ground/store/index.ts';
import type { CallerDelta, CallerRecord } from '../callers/index.ts';
import { type Budgets, createBudgets } from './budgets.ts';
import type { Budget } from './key-spend.ts';
import { decodeScopes } from './scopes.ts';

/** Rest of a slot: twice the longest a request may run. */
const SLOT_REST_MS = 3_600_000;

export type WalletsOf = (organizationId: string) => readonly { readonly currency: Currency; readonly slot: number }[];

/** The keys that may be used now, as gateway threads are to know them; follows the store by its revisions. */
export interface CallerRegistry {
  callers(): readonly CallerRecord[];
  onDelta(listener: (delta: CallerDelta) => void): void;
  /** Reads what changed in the store since the last time, sets flags and cells, tells the listeners. */
  sync(): Promise<void>;
  /** `sync`, and the wallets of all keys anew. */
  refresh(): Promise<void>;
  /** Ends what expired; begins new budget periods. */
  passTime(): Promise<void>;
  /** Whether one key more finds a slot. */
  hasRoom(): boolean;
}

interface Organization {
  readonly suspended: boolean;
  readonly weight: number;
  /** Currencies in the order in which they pay. */
  readonly walletOrder: readonly string[];
}

/** A key that is not revoked or expired. `record` is absent while its organization is suspended. */
interface Entry {
  slot: number;
  row: ApiKeyTable;
  record: CallerRecord | undefined;
  /** Its row says something else than its record. */
  isStale: boolean;
}

export interface CallerRegistryOptions {
  readonly store: Store;
  readonly slots: KeySlots;
  readonly clock: Clock;
  readonly walletsOf: WalletsOf;
  /** Who keeps the budget cells; absent: this node alone spends them. */
  readonly budgets?: Budgets | undefined;
}

export function createCallerRegistry(options: CallerRegistryOptions): CallerRegistry {
  return new Registry(options);
}

class Registry implements CallerRegistry {
  readonly #store: Store;
  readonly #slots: KeySlots;
  readonly #clock: Clock;
  readonly #walletsOf: WalletsOf;
  readonly #pool: SlotPool;
  readonly #budgets: Budgets;
  readonly #organizations = new Map<string, Organization>();
  readonly #entries = new Map<string, Entry>();
  readonly #refreshedWallets = new Map<string, CallerRecord['wallets']>();
  readonly #listeners: ((delta: CallerDelta) => void)[] = [];
  #seenRevision = -1n;
  #nextExpiryMs = Number.POSITIVE_INFINITY;
  #running: Promise<void> = Promise.resolve();

  constructor({ store, slots, clock, walletsOf, budgets }: CallerRegistryOptions) {
    this.#store = store;
    this.#slots = slots;
    this.#clock = clock;
    this.#walletsOf = walletsOf;
    const isIdle = (slot: number) => slots.inFlight(slot) === 0;
    this.#pool = createSlotPool({ rows: slots.rows, restMs: SLOT_REST_MS, clock, isIdle });
    this.#budgets = budgets ?? createBudgets({ store, slots, nowMs: clock.nowMs });
  }

  callers(): readonly CallerRecord[] {
    return [...this.#entries.values()].flatMap(({ record }) => record ?? []);
  }

  onDelta(listener: (delta: CallerDelta) => void): void {
    this.#listeners.push(listener);
  }

  hasRoom(): boolean {
    return this.#pool.hasFree();
  }

  sync(): Promise<void> {
    return this.#inTurn(async () => this.#publish(await this.#readChanges()));
  }

  refresh(): Promise<void> {
    return this.#inTurn(async () => {
      const changed = await this.#readChanges();
      const moved = this.#otherWallets();
      if (moved.size === 0) return this.#publish(changed);
      const concerned = [...this.#entries.values()].filter(({ row }) => moved.has(row.organization_id ?? ''));
      this.#publish([...new Set([...changed, ...concerned])]);
    });
  }

  /** Organizations whose wallets are others than at the last refresh: few, where keys are many. */
  #otherWallets(): ReadonlySet<string> {
    const moved = new Set<string>();
    for (const id of this.#organizations.keys()) {
      const wallets = this.#walletsOf(id);
      if (sameWallets(this.#refreshedWallets.get(id) ?? [], wallets)) continue;
      this.#refreshedWallets.set(id, wallets);
      moved.add(id);
    }
    return moved;
  }

  passTime(): Promise<void> {
    return this.#inTurn(async () => {
      const nowMs = this.#clock.nowMs();
      if (this.#nextExpiryMs <= nowMs) {
        this.#publish([...this.#entries.values()].filter(({ row }) => expiryMs(row) <= nowMs));
        this.#nextExpiryMs = Number.POSITIVE_INFINITY;
        for (const { row } of this.#entries.values()) this.#nextExpiryMs = Math.min(this.#nextExpiryMs, expiryMs(row));
      }
      await this.#budgets.roll();
    });
  }

  /** One after the other: two readers would start one key twice. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#running.then(work);
    this.#running = turn.catch(() => {});
    return turn;
  }

  /** Reads what changed; returns the entries that this concerns. Nothing is changed here before all is read. */
  async #readChanges(): Promise<readonly Entry[]> {
    const { db } = this.#store;
    const seen = this.#seenRevision;
    const revision = await readRevision(db, 'identity');
    if (revision === seen) return [];
    const changed = await db.selectFrom('organizations').selectAll().where('revision', '>', seen).execute();
    const keys = db.selectFrom('api_keys').selectAll().where('kind', '=', 'live').where('revision', '>', seen);
    // At the start the revoked ones, which only grow in number, are not even read.
    const rows = await (seen < 0n ? keys.where('revoked_us', 'is', null) : keys).execute();
    const started = await this.#start(rows.filter(row => !this.#entries.has(row.id) && !this.#hasEnded(row)));
    for (const { id, suspended, weight, wallet_order } of changed) {
      const walletOrder = wallet_order?.split(' ') ?? [];
      this.#organizations.set(id, { suspended: suspended === 1n, weight: Number(weight), walletOrder });
    }
    await this.#changeBudgets(rows);
    for (const row of rows) {
      const entry = this.#entries.get(row.id);
      if (!entry) continue;
      entry.isStale ||= entry.row.scopes !== row.scopes || entry.row.expires_us !== row.expires_us;
      entry.row = row;
      this.#nextExpiryMs = Math.min(this.#nextExpiryMs, expiryMs(row));
    }
    for (const entry of started) {
      this.#entries.set(entry.row.id, entry);
      this.#nextExpiryMs = Math.min(this.#nextExpiryMs, expiryMs(entry.row));
    }
    this.#seenRevision = revision;
    if (changed.length === 0) return rows.flatMap(row => this.#entries.get(row.id) ?? []);
    const ids = new Set([...changed, ...rows].map(({ id }) => id));
    return [...this.#entries.values()].filter(({ row }) => ids.has(row.id) || ids.has(row.organization_id ?? ''));
  }

  /** Entries for rows that may be used: each with a slot, its budget cell filled. */
  async #start(rows: readonly ApiKeyTable[]): Promise<readonly Entry[]> {
    const started: Entry[] = [];
    try {
      for (const row of rows) {
        const slot = this.#pool.take();
        if (slot === undefined) throw noRoom(this.#slots.rows);
        started.push({ slot, row, record: undefined, isStale: false });
      }
      await this.#budgets.fill(
        started.flatMap(({ row, slot }) => {
          const { budget } = decodeScopes(row.scopes);
          return budget ? [{ keyId: row.id, slot, budget }] : [];
        }),
      );
      return started;
    } catch (error) {
      for (const { row, slot } of started) {
        this.#budgets.drop(row.id);
        this.#pool.release(slot);
      }
      throw error;
    }
  }

  /**
   * Budgets that were changed. Of another currency or period it begins in a slot of its own: what runs returns what it does not
   * need to the old one. What runs then, and what is not in the store yet, is not counted against the new budget.
   */
  async #changeBudgets(rows: readonly ApiKeyTable[]): Promise<void> {
    const changed = rows.flatMap(row => {
      const entry = this.#entries.get(row.id);
      if (!entry || entry.row.scopes === row.scopes || this.#hasEnded(row)) return [];
      return [{ entry, before: decodeScopes(entry.row.scopes).budget, now: decodeScopes(row.scopes).budget }];
    });
    const fresh = changed.flatMap(({ entry, before, now }) => {
      if (!now || (before && isAlike(before, now))) return [];
      const slot = before ? this.#pool.take() : entry.slot;
      if (slot === undefined) throw noRoom(this.#slots.rows);
      return [{ entry, keyId: entry.row.id, slot, budget: now }];
    });
    try {
      await this.#budgets.fill(fresh);
    } catch (error) {
      for (const { entry, slot } of fresh) if (slot !== entry.slot) this.#pool.release(slot);
      throw error;
    }
    for (const { entry, before, now } of changed) {
      if (before && now && isAlike(before, now)) this.#budgets.resize(entry.row.id, now);
      else if (!now) this.#budgets.drop(entry.row.id);
    }
    for (const { entry, slot } of fresh) {
      if (slot === entry.slot) continue;
      this.#pool.release(entry.slot);
      entry.slot = slot;
    }
  }

  /** Brings records in line with rows; what differs goes out as one delta. */
  #publish(concerned: readonly Entry[]): void {
    const upserted: CallerRecord[] = [];
    const removed: KeyId[] = [];
    const wallets = new Map<string, CallerRecord['wallets']>();
    for (const entry of concerned) {
      const { row, record } = entry;
      const organization = this.#organizations.get(row.organization_id ?? '');
      if (this.#hasEnded(row) || !organization || organization.suspended || row.organization_id === null) {
        if (record) removed.push(record.keyId);
        this.#stop(entry);
        continue;
      }
      const own =
        wallets.get(row.organization_id) ?? inOrder(this.#walletsOf(row.organization_id), organization.walletOrder);
      wallets.set(row.organization_id, own);
      this.#slots.setRevoked(entry.slot, false);
      // Its scopes are not read again for all keys at every top-up.
      const isSame = record && !entry.isStale;
      if (isSame && record.weight === organization.weight && sameWallets(record.wallets, own)) continue;
      const changing = { weight: organization.weight, wallets: own };
      const next = isSame ? { ...record, ...changing } : recordOf(row, { slot: entry.slot, ...changing });
      entry.record = next;
      entry.isStale = false;
      upserted.push(next);
    }
    if (upserted.length + removed.length > 0) for (const listener of this.#listeners) listener({ upserted, removed });
  }

  /** Stops a key: the flag holds on all threads before the delta reaches them. */
  #stop(entry: Entry): void {
    this.#slots.setRevoked(entry.slot, true);
    entry.record = undefined;
    if (!this.#hasEnded(entry.row)) return;
    this.#budgets.drop(entry.row.id);
    this.#entries.delete(entry.row.id);
    this.#pool.release(entry.slot);
  }

  #hasEnded(row: ApiKeyTable): boolean {
    return row.revoked_us !== null || expiryMs(row) <= this.#clock.nowMs();
  }
}

const isAlike = (a: Budget, b: Budget) => a.currency === b.currency && a.period === b.period;

function recordOf(
  row: ApiKeyTable,
  { slot, weight, wallets }: Pick<CallerRecord, 'slot' | 'weight' | 'wallets'>,
): CallerRecord {
  return {
    keyId: `key_${row.id.slice('key_'.length)}`,
    mac: row.mac,
    organizationId: row.organization_id ?? '',
    projectId: row.project_id ?? '',
    slot,
    wallets,
    scopes: decodeScopes(row.scopes),
    ...(row.expires_us === null ? {} : { expiresAtMs: expiryMs(row) }),
    weight,
  };
}

/** Those that the order does not name come last, by their codes. */
function inOrder(wallets: CallerRecord['wallets'], order: readonly string[]): CallerRecord['wallets'] {
  if (wallets.length < 2) return wallets;
  const rank = ({ currency }: CallerRecord['wallets'][number]) => {
    const at = order.indexOf(currency);
    return at === -1 ? order.length : at;
  };
  return wallets.toSorted((a, b) => rank(a) - rank(b) || (a.currency < b.currency ? -1 : 1));
}

function sameWallets(a: CallerRecord['wallets'], b: CallerRecord['wallets']): boolean {
  return (
    a.length === b.length && a.every(({ currency, slot }, at) => b[at]?.currency === currency && b[at]?.slot === slot)
  );
}

function expiryMs({ expires_us }: ApiKeyTable): number {
  return expires_us === null ? Number.POSITIVE_INFINITY : Number(expires_us / 1000n);
}

export function noRoom(rows: number): Fault {
  return new Fault('capacity', {
    message: `This node holds at most ${rows} keys`,
    messageZh: `本节点最多支持 ${rows} 个密钥`,
  });
}
