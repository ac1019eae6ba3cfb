import { setTimeout as sleep } from 'node:timers/promises';
import type { Nano } from '@millrace/contract';
import type { Clock, Log } from '../../ground/std/index.ts';
import type { Store } from '../../ground/store/index.ts';
import { availableNano, type LeasedAccount, type Leases, leaseNano } from '../../money/ledger/index.ts';
import type { Session } from './session.ts';
import type { Valkey } from './valkey.ts';

/** A node takes its even share of what is there in so many parts. */
const PARTS = 4;
/** What was not used for so long goes back. */
const IDLE_MS = 5_000;
/** How often what a wallet bore in place of a lease is looked for. */
const RECONCILE_MS = 30_000;
/** Where other nodes have some, they are asked, and it is looked for again after these waits. */
const WAITS_MS = [20, 40, 80, 160] as const;
/** Having asked in vain, others are not asked again for so long. */
const DRY_MS = 500;
/** Of a period that is over, most is booked within so long: it is looked for at each tick, and then as of others. */
const LATE_MS = 60_000;
/** Settlements of a period that is over are looked for so long. */
const RETIRED_MS = 3_600_000;

/** Where admission takes from. */
export interface Cell {
  left(): Nano;
  add(nano: Nano): void;
  /** False, and nothing taken, when less is left. */
  tryTake(nano: Nano): boolean;
}

/** `short`: nobody has it to give. */
export type Supplied = 'supplied' | 'short' | 'away';

interface Ask {
  readonly nano: Nano;
  readonly answer: (outcome: Supplied) => void;
}

interface Entry {
  readonly account: LeasedAccount;
  readonly cell: Cell;
  /** How much of the lease's net is in the cell; undefined before it was asked for. */
  netNano: Nano | undefined;
  /** What was taken last: below half of it, more is taken ahead of need. */
  shareNano: Nano;
  /** What was in the cell at the last look, with what was moved here since: where it differs, requests took or gave back. */
  seenNano: Nano;
  usedAtMs: number;
  reconciledAtMs: number;
  dryUntilMs: number;
  /** Whether a change was committed is not known. */
  unsure: boolean;
  /** Since when its period is over: late settlements still come in. */
  retiredAtMs: number | undefined;
  asked: Ask[];
  turn: Promise<unknown>;
}

export interface LeaseKeeperOptions {
  readonly store: Store;
  readonly leases: Leases;
  readonly session: () => Session;
  readonly valkey: Valkey;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Keeps the cells from which admission takes money filled from leases. A cell holds what the lease's net says, less what
 * requests took: all changes are differences of that net, which the store counts up, so none is lost or applied twice. What is
 * asked of one account is done one after the other; who asks meanwhile is served together.
 */
export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  readonly #entries = new Map<string, Entry>();

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Gets at least `nano` into the cell, where it is to be had. */
  supply(account: LeasedAccount, cell: Cell, nano: Nano): Promise<Supplied> {
    const entry = this.#entry(account, cell);
    return new Promise(answer => {
      entry.asked.push({ nano, answer });
      if (entry.asked.length === 1) void this.#inTurn(entry, () => this.#serve(entry));
    });
  }

  /** Another node is short of this: what is not in use here goes back. */
  async giveUp(id: string): Promise<void> {
    const entry = this.#entries.get(id);
    if (entry && entry.asked.length === 0) await this.#inTurn(entry, () => this.#giveBack(entry));
  }

  /** The key of this budget is gone. */
  drop(id: string): void {
    const entry = this.#entries.get(id);
    if (!entry) return;
    this.#entries.delete(id);
    void this.#inTurn(entry, () => this.#giveBack(entry));
  }

  /** The period of this budget is over: its lease is no longer in the cell, but for what is booked late. */
  retire(id: string): void {
    const entry = this.#entries.get(id);
    if (!entry || entry.retiredAtMs !== undefined) return;
    entry.retiredAtMs = this.#options.clock.monotonicMs();
    void this.#inTurn(entry, async () => {
      const moved = await this.#options.leases.retire(this.#session.current(), entry.account);
      if (typeof moved === 'object') this.#apply(entry, moved.netNano);
      else entry.unsure = true;
    });
  }

  /** All leases are gone: each cell is brought down to what requests owe. */
  async lapsed(): Promise<void> {
    await Promise.all(
      [...this.#entries.values()].map(entry => {
        entry.unsure = true;
        return this.#inTurn(entry, () => this.#reconcile(entry), { throws: true });
      }),
    );
  }

  /** What a timer does every second: takes ahead of need, gives back what lies idle. */
  async tick(): Promise<void> {
    const nowMs = this.#options.clock.monotonicMs();
    for (const entry of [...this.#entries.values()]) {
      const left = entry.cell.left();
      if (left !== entry.seenNano) {
        entry.seenNano = left;
        entry.usedAtMs = nowMs;
      }
      const isIdle = nowMs - entry.usedAtMs >= IDLE_MS;
      const { retiredAtMs } = entry;
      const isLate = retiredAtMs !== undefined && nowMs - retiredAtMs < LATE_MS;
      const isDue = entry.unsure || isLate || nowMs - entry.reconciledAtMs >= RECONCILE_MS;
      // Also after the last use, until that is surely booked.
      const isOpen = retiredAtMs !== undefined || entry.reconciledAtMs - entry.usedAtMs < RECONCILE_MS;
      if (isDue && (entry.unsure || isOpen)) await this.#inTurn(entry, () => this.#reconcile(entry));
      if (retiredAtMs !== undefined) {
        if (nowMs - retiredAtMs > RETIRED_MS) this.#entries.delete(entry.account.id);
        continue;
      }
      if (isIdle && left > 0n) await this.#inTurn(entry, () => this.#giveBack(entry));
      else if (!isIdle && entry.asked.length === 0 && 2n * left < entry.shareNano)
        await this.#inTurn(entry, async () => {
          const more = await this.#take(entry, { leastNano: 1n, wantNano: 1n });
          if (more !== 'supplied') entry.shareNano /= 2n;
        });
    }
  }

  get #session(): Session {
    return this.#options.session();
  }

  #entry(account: LeasedAccount, cell: Cell): Entry {
    const known = this.#entries.get(account.id);
    if (known) return known;
    const nowMs = this.#options.clock.monotonicMs();
    const entry: Entry = {
      ...{ account, cell, netNano: undefined, shareNano: 0n, seenNano: 0n, usedAtMs: nowMs, reconciledAtMs: nowMs },
      ...{ dryUntilMs: 0, unsure: true, retiredAtMs: undefined, asked: [], turn: Promise.resolve() },
    };
    this.#entries.set(account.id, entry);
    return entry;
  }

  #inTurn(entry: Entry, work: () => Promise<void>, { throws = false } = {}): Promise<void> {
    const turn = entry.turn.then(work);
    entry.turn = turn.catch(error => this.#failed(entry, error));
    return throws ? turn : turn.catch(() => {});
  }

  #failed(entry: Entry, error: unknown): void {
    entry.unsure = true;
    this.#options.log.warn('lease-failed', { account: entry.account.id, internal: String(error) });
  }

  async #serve(entry: Entry): Promise<void> {
    while (entry.asked.length > 0) {
      const asked = [...entry.asked];
      let outcome: Supplied = 'away';
      try {
        outcome = await this.#fill(entry, asked);
      } catch (error) {
        this.#failed(entry, error);
      }
      if (outcome === 'supplied') entry.usedAtMs = this.#options.clock.monotonicMs();
      entry.asked.splice(0, asked.length);
      for (const { answer } of asked) answer(outcome);
    }
  }

  async #fill(entry: Entry, asked: readonly Ask[]): Promise<Supplied> {
    if (entry.unsure) await this.#reconcile(entry);
    const left = entry.cell.left();
    const wantNano = asked.reduce((sum, { nano }) => sum + nano, 0n) - left;
    const leastNano = asked.reduce((least, { nano }) => (nano < least ? nano : least), asked[0]?.nano ?? 0n) - left;
    if (wantNano <= 0n) return 'supplied';
    let outcome = await this.#take(entry, { leastNano: leastNano < 1n ? 1n : leastNano, wantNano });
    if (outcome === 'short' && leastNano > 0n) outcome = await this.#takeFromOthers(entry, { leastNano, wantNano });
    // Some of those who asked are covered by what is there.
    return outcome === 'short' && leastNano <= 0n ? 'supplied' : outcome;
  }

  /** Asks the other nodes that have some to give it back, and waits a little for that. */
  async #takeFromOthers(entry: Entry, need: Need): Promise<Supplied> {
    const { leases, valkey, clock } = this.#options;
    const { id } = entry.account;
    if (!valkey.isUp() || clock.monotonicMs() < entry.dryUntilMs) return 'short';
    if (!(await leases.isSharedOut(this.#session.current().nodeId, id))) return 'short';
    valkey.tell({ type: 'want', name: id });
    for (const waitMs of WAITS_MS) {
      await sleep(waitMs);
      const outcome = await this.#take(entry, need);
      if (outcome !== 'short') return outcome;
    }
    entry.dryUntilMs = clock.monotonicMs() + DRY_MS;
    return 'short';
  }

  async #take(entry: Entry, { leastNano, wantNano }: Need): Promise<Supplied> {
    const { store, leases } = this.#options;
    for (let tries = 0; tries < 3; tries++) {
      const available = await availableNano(store.db, entry.account);
      if (available < leastNano || available <= 0n) return 'short';
      const bounds = { nodes: this.#session.nodes(), parts: PARTS, leastNano: wantNano };
      const nano = leaseNano(available, bounds);
      const moved = await leases.move(this.#session.current(), entry.account, nano);
      if (moved === 'over') {
        this.#session.isOver();
        // Another try of admission waits for the new session.
        return 'supplied';
      }
      if (moved === 'short') continue;
      this.#apply(entry, moved.netNano);
      entry.shareNano = nano;
      return 'supplied';
    }
    return 'short';
  }

  /** Out of the cell first: what is being given back is not spent meanwhile. More is taken when a request asks, not ahead of that. */
  async #giveBack(entry: Entry): Promise<void> {
    if (entry.unsure) await this.#reconcile(entry);
    const nano = entry.cell.left();
    if (nano <= 0n || entry.netNano === undefined || !entry.cell.tryTake(nano)) return;
    entry.seenNano -= nano;
    entry.shareNano = 0n;
    entry.netNano -= nano;
    const moved = await this.#options.leases.move(this.#session.current(), entry.account, -nano);
    if (typeof moved === 'object') this.#apply(entry, moved.netNano);
    else this.#apply(entry, entry.netNano + nano);
    if (moved === 'over') this.#session.isOver();
  }

  async #reconcile(entry: Entry): Promise<void> {
    const { id } = entry.account;
    const nets = await this.#options.leases.nets(this.#session.current().nodeId, [id]);
    this.#apply(entry, nets.get(id) ?? 0n);
    entry.unsure = false;
    entry.reconciledAtMs = this.#options.clock.monotonicMs();
  }

  /** Before the first time all that the lease came to was used up, or given back. */
  #apply(entry: Entry, netNano: Nano): void {
    const nano = netNano - (entry.netNano ?? netNano);
    entry.cell.add(nano);
    entry.seenNano += nano;
    entry.netNano = netNano;
  }
}

interface Need {
  /** Less than this is of no use. */
  readonly leastNano: Nano;
  readonly wantNano: Nano;
}
