import { setTimeout as sleep } from 'node:timers/promises';
import type { Currency, Nano } from '@millrace/contract';
import type { SupplyAnswer, SupplyRequest } from '../../gateway/index.ts';
import {
  bootMs,
  type Clock,
  fingerprintOf,
  type HomeSecrets,
  type Log,
  openKeyShares,
  openTerm,
  type SharedSlots,
  type Slots,
} from '../../ground/std/index.ts';
import { readRevision, type Store } from '../../ground/store/index.ts';
import { createLeases, type Leases, type Ledger, walletLease } from '../../money/ledger/index.ts';
import type { CallerRecord } from '../../people/callers/index.ts';
import type { Budgets, Identity } from '../../people/identity/index.ts';
import { KeyLimits } from './key-limits.ts';
import { type Cell, LeaseKeeper } from './lease-keeper.ts';
import { createLeasedBudgets, type LeasedBudgets } from './leased-budgets.ts';
import { createLimitSource } from './limit-source.ts';
import { beginSession } from './session.ts';
import { connectValkey, type Valkey } from './valkey.ts';

const TICK_MS = 1_000;
/** Other nodes give back within some ten milliseconds where Valkey is up, else when it lies idle. */
const RECALL_MS = 150;

export interface ClusterStatus {
  /** Whose time is not over, this one included. */
  readonly nodes: number;
  readonly valkeyUp: boolean;
  /** Wallets and budgets of which this node has leases, or lately had. */
  readonly leases: number;
  /** Whether this node may spend what it leased. */
  readonly maySpend: boolean;
}

/** This node among others. */
export interface Cluster extends AsyncDisposable {
  status(): ClusterStatus;
  readonly budgets: Budgets;
  /** Begins to supply: when wallets and keys are known. Others are told of what changes here, and the other way round. */
  follow(parts: ClusterParts): void;
  /** Returns when what nodes have of this wallet and do not use had time to come back: before some of it is taken out. */
  recall(walletId: string): Promise<void>;
  /** Gets more of what a request is short of; never rejects. */
  supply(request: SupplyRequest): Promise<SupplyAnswer>;
}

export interface ClusterParts {
  readonly ledger: Pick<Ledger, 'accountAt' | 'refresh'>;
  readonly identity: Pick<Identity, 'callers' | 'onDelta' | 'refresh' | 'look'>;
  readonly catalog: { refresh(): Promise<void>; onChange(listener: () => void): void };
}

export interface ClusterOptions {
  readonly store: Store;
  /** Tell this database's keys in Valkey from others'. */
  readonly secrets: HomeSecrets;
  readonly nodeId: string;
  readonly shared: SharedSlots;
  readonly slots: Slots;
  readonly clock: Clock;
  readonly log: Log;
}

export interface ClusterPlace {
  /** Absent: this node works alone. */
  readonly valkeyUrl: string | undefined;
  /** How long this node may spend what it leased without hearing from the database. */
  readonly leaseMs: number;
}

/** Joins: all that this node spent before must be booked. Valkey may come later, or never: nothing that is kept depends on it. */
export async function joinCluster(
  { valkeyUrl, leaseMs }: ClusterPlace,
  options: ClusterOptions,
): Promise<Cluster | undefined> {
  if (valkeyUrl === undefined) return undefined;
  const { store, nodeId, shared, slots, clock, log } = options;
  const prefix = `millrace:${fingerprintOf(options.secrets).slice(0, 8)}`;
  const valkey = await connectValkey({ url: valkeyUrl, prefix, nodeId, clock, log });
  const leases: Leases = createLeases(store);
  const term = openTerm(shared.term, { nowMs: clock.nowMs, bootMs });
  const keeper: LeaseKeeper = new LeaseKeeper({ store, leases, session: () => session, valkey, clock, log });
  const onLapsed = () => keeper.lapsed();
  const session = await beginSession({ leases, nodeId, term, leaseMs, log, onLapsed }).catch(async error => {
    await valkey[Symbol.asyncDispose]();
    throw error;
  });
  const source = createLimitSource({ valkey, nodeId, nodes: session.nodes, clock });
  const limits = new KeyLimits({ shares: openKeyShares(shared), source, valkey, clock });
  const budgets = createLeasedBudgets({ keys: slots.keys, keeper, nowMs: clock.nowMs });
  const callers = createCallerBook();
  let parts: ClusterParts | undefined;
  const tick = async () => {
    if (parts) await follower.look(parts);
    await keeper.tick();
    await limits.tick();
  };
  const stopTicking = everySecond(tick, error => log.warn('cluster-look-failed', { internal: String(error) }));
  const follower = createFollower({ store, valkey, log });
  valkey.onNews(news => {
    if (news.type === 'changed') follower.heard(parts);
    else if (news.name.startsWith('places:')) limits.giveUp(news.name);
    else void keeper.giveUp(news.name);
  });

  return {
    status() {
      return { nodes: session.nodes(), valkeyUp: valkey.isUp(), leases: keeper.size, maySpend: term.holds() };
    },
    budgets,
    follow(known) {
      parts = known;
      callers.follow(known.identity);
      follower.tellOf(known);
    },
    async recall(walletId) {
      valkey.tell({ type: 'want', name: walletId });
      await keeper.giveUp(walletId);
      if (session.nodes() > 1) await sleep(RECALL_MS);
    },
    async supply({ keySlot, walletSlot, need }) {
      const caller = callers.at(keySlot);
      const walletId = parts?.ledger.accountAt(walletSlot);
      if (!caller || walletId === undefined) return { supplied: false };
      try {
        if (need.what === 'places') return await limits.supply(caller, 'places', 1);
        if (need.what !== 'money') return await limits.supply(caller, need.what, need.count);
        await session.ensure();
        return await supplyMoney({ keeper, budgets, slots }, caller, { walletId, walletSlot, nano: need.nano });
      } catch (error) {
        log.warn('supply-failed', { internal: String(error) });
        return { supplied: false, isAway: true };
      }
    },
    async [Symbol.asyncDispose]() {
      stopTicking();
      await session[Symbol.asyncDispose]();
      await valkey[Symbol.asyncDispose]();
    },
  };
}

/** Who has which slot. */
function createCallerBook() {
  const bySlot = new Map<number, CallerRecord>();
  const learn = (records: readonly CallerRecord[]) => {
    for (const record of records) bySlot.set(record.slot, record);
  };
  return {
    at: (slot: number) => bySlot.get(slot),
    follow({ callers, onDelta }: Pick<Identity, 'callers' | 'onDelta'>) {
      learn(callers());
      onDelta(({ upserted }) => learn(upserted));
    },
  };
}

/** Of the budget of the key, where it has one, and of the wallet. */
async function supplyMoney(
  { keeper, budgets, slots }: { readonly keeper: LeaseKeeper; readonly budgets: LeasedBudgets; readonly slots: Slots },
  caller: CallerRecord,
  { walletId, walletSlot, nano }: { readonly walletId: string; readonly walletSlot: number; readonly nano: Nano },
): Promise<SupplyAnswer> {
  const currency: Currency = walletId.slice(walletId.lastIndexOf(':') + 1);
  const outcomes = [
    await budgets.supply(caller, currency, nano),
    await keeper.supply(walletLease(walletId), walletCell(slots, walletSlot), nano),
  ];
  if (outcomes.includes('away')) return { supplied: false, isAway: true };
  return { supplied: !outcomes.includes('short') };
}

function walletCell({ wallets }: Slots, slot: number): Cell {
  return {
    left: () => wallets.spendable(slot),
    add: nano => wallets.add(slot, nano),
    tryTake: nano => wallets.tryHold(slot, nano),
  };
}

/** Wallets that others opened, by a counter; and news, which only make it sooner. */
function createFollower({ store, valkey, log }: Pick<ClusterOptions, 'store' | 'log'> & { valkey: Valkey }) {
  let seen = -1n;
  /** What changes here because another node said so is not told again. */
  let hearing = 0;
  const look = async ({ ledger, identity }: ClusterParts) => {
    const revision = await readRevision(store.db, 'wallets');
    if (revision === seen) return;
    await ledger.refresh();
    await identity.refresh();
    seen = revision;
  };
  return {
    look,
    tellOf({ identity, catalog }: ClusterParts) {
      const tell = () => {
        if (hearing === 0) valkey.tell({ type: 'changed' });
      };
      identity.onDelta(tell);
      catalog.onChange(tell);
    },
    heard(parts: ClusterParts | undefined) {
      if (!parts) return;
      hearing++;
      Promise.all([look(parts), parts.identity.look(), parts.catalog.refresh()])
        .catch(error => log.warn('cluster-look-failed', { internal: String(error) }))
        .finally(() => {
          hearing--;
        });
    },
  };
}

/** One after the other, each a second after the last began, or when that is over. */
function everySecond(work: () => Promise<void>, failed: (error: unknown) => void): () => void {
  let isBusy = false;
  const timer = setInterval(() => {
    if (isBusy) return;
    isBusy = true;
    work()
      .catch(failed)
      .finally(() => {
        isBusy = false;
      });
  }, TICK_MS).unref();
  return () => clearInterval(timer);
}
