import { setTimeout as sleep } from 'node:timers/promises';
import type { SupplyAnswer } from '../../gateway/index.ts';
import type { Clock, KeyShares, Share } from '../../ground/std/index.ts';
import type { CallerRecord } from '../../people/callers/index.ts';
import { type LimitSource, placesName } from './limit-source.ts';
import type { Valkey } from './valkey.ts';

/** A node takes so much of a minute's quota ahead: half a second's, so that it asks twice a second under load. */
const PORTIONS_PER_MINUTE = 120;
/** What was not used for so long goes back. */
const IDLE_MS = 3_000;
/** Places are told to Valkey again so often: there they are a gone node's after three times as long. */
const RENEW_MS = 5_000;
/** Having asked other nodes for places that they do not use, it is looked for them after these waits. */
const WAITS_MS = [20, 60] as const;
const PLACES_RETRY_MS = 1_000;

interface Entry {
  readonly slot: number;
  readonly keyId: string;
  readonly what: Share;
  /** Per minute; of places, at once. */
  limit: number;
  /** Places that this node has in all. */
  places: number;
  seen: bigint;
  changedAtMs: number;
  renewedAtMs: number;
  asked: { readonly count: number; readonly answer: (answer: SupplyAnswer) => void }[];
  turn: Promise<unknown>;
}

export interface KeyLimitsOptions {
  readonly shares: KeyShares;
  readonly source: LimitSource;
  readonly valkey: Valkey;
  readonly clock: Clock;
}

/** Keeps this node's shares of the limits of keys: more when a request is short of it, less when it lies idle. */
export class KeyLimits {
  readonly #options: KeyLimitsOptions;
  readonly #entries = new Map<string, Entry>();

  constructor(options: KeyLimitsOptions) {
    this.#options = options;
  }

  supply(caller: CallerRecord, what: Share, count: number): Promise<SupplyAnswer> {
    const entry = this.#entry(caller, what);
    if (!entry) return Promise.resolve({ supplied: false });
    return new Promise(answer => {
      entry.asked.push({ count: Math.ceil(count), answer });
      if (entry.asked.length === 1) void this.#inTurn(entry, () => this.#serve(entry));
    });
  }

  /** Another node is short of places of a key. */
  giveUp(name: string): void {
    for (const entry of this.#entries.values())
      if (placesName(entry.keyId) === name && entry.what === 'places' && entry.asked.length === 0)
        void this.#inTurn(entry, () => this.#givePlaces(entry));
  }

  /** What a timer does every second. */
  async tick(): Promise<void> {
    const { shares, clock } = this.#options;
    const nowMs = clock.monotonicMs();
    for (const entry of [...this.#entries.values()]) {
      const left = shares.left(entry.slot, entry.what);
      if (left !== entry.seen) {
        entry.seen = left;
        entry.changedAtMs = nowMs;
      }
      const isIdle = nowMs - entry.changedAtMs >= IDLE_MS;
      await this.#inTurn(entry, async () => {
        if (entry.what !== 'places') await this.#giveRate(entry, isIdle ? 0n : 2n * portionOf(entry));
        else if (isIdle) await this.#givePlaces(entry);
        else if (nowMs - entry.renewedAtMs >= RENEW_MS) await this.#setPlaces(entry, entry.places);
      });
      if (isIdle && entry.places === 0 && entry.asked.length === 0 && shares.left(entry.slot, entry.what) === 0n)
        this.#entries.delete(nameOf(entry.slot, entry.what));
    }
  }

  #entry({ slot, keyId, scopes }: CallerRecord, what: Share): Entry | undefined {
    const known = this.#entries.get(nameOf(slot, what));
    const limit = { requests: scopes.requestsPerMinute, tokens: scopes.tokensPerMinute, places: scopes.concurrency }[
      what
    ];
    if (limit === undefined) return undefined;
    if (known?.keyId === keyId) {
      // It may have been changed since.
      known.limit = limit;
      return known;
    }
    const { shares, clock } = this.#options;
    // Of another key that had this slot before.
    const stale = shares.left(slot, what);
    if (known) shares.add(slot, what, -stale);
    const nowMs = clock.monotonicMs();
    const entry: Entry = {
      ...{ slot, keyId, what, limit, places: 0, seen: 0n, changedAtMs: nowMs, renewedAtMs: nowMs },
      ...{ asked: [], turn: Promise.resolve() },
    };
    this.#entries.set(nameOf(slot, what), entry);
    return entry;
  }

  #inTurn(entry: Entry, work: () => Promise<void>): Promise<void> {
    const turn = entry.turn.then(work);
    entry.turn = turn;
    return turn;
  }

  async #serve(entry: Entry): Promise<void> {
    while (entry.asked.length > 0) {
      const asked = [...entry.asked];
      const answer =
        entry.what === 'places' ? await this.#fillPlaces(entry, asked) : await this.#fillRate(entry, asked);
      entry.asked.splice(0, asked.length);
      for (const ask of asked) ask.answer(answer);
    }
  }

  async #fillRate(entry: Entry, asked: Entry['asked']): Promise<SupplyAnswer> {
    const { shares, source } = this.#options;
    const { slot, what, limit } = entry;
    if (what === 'places') return { supplied: false };
    const left = Number(shares.left(slot, what));
    const least = Math.min(...asked.map(({ count }) => count)) - left;
    const most = asked.reduce((sum, { count }) => sum + count, 0) - left;
    if (most <= 0) return { supplied: true };
    const take = {
      name: rateName(entry),
      least: Math.max(1, least),
      want: most + Number(portionOf(entry)),
      perMinute: limit,
    };
    const { granted, remaining, retryAfterMs } = await source.take(take);
    shares.add(slot, what, BigInt(granted));
    shares.setElsewhere(slot, what, BigInt(remaining));
    entry.changedAtMs = this.#options.clock.monotonicMs();
    return granted > 0 || least <= 0 ? { supplied: true } : { supplied: false, retryAfterMs };
  }

  /** Tokens that answers did not need come back here: what is beyond `keep` goes on to all. */
  async #giveRate(entry: Entry, keep: bigint): Promise<void> {
    const { shares, source } = this.#options;
    const { slot, what, limit } = entry;
    const excess = shares.left(slot, what) - keep;
    if (what === 'places' || excess <= 0n || !shares.tryTake(slot, what, excess)) return;
    const back = -Number(excess);
    const { remaining } = await source.take({ name: rateName(entry), least: back, want: back, perMinute: limit });
    shares.setElsewhere(slot, what, BigInt(remaining));
  }

  async #fillPlaces(entry: Entry, asked: Entry['asked']): Promise<SupplyAnswer> {
    const { shares, valkey } = this.#options;
    const { slot, keyId } = entry;
    const free = () => Number(shares.left(slot, 'places'));
    const wanted = () => Math.min(entry.limit, entry.places + Math.max(0, asked.length - free()));
    await this.#setPlaces(entry, wanted());
    if (free() <= 0 && valkey.isUp() && entry.places < entry.limit) {
      valkey.tell({ type: 'want', name: placesName(keyId) });
      for (const waitMs of WAITS_MS) {
        await sleep(waitMs);
        await this.#setPlaces(entry, wanted());
        if (free() > 0) break;
      }
    }
    return free() > 0 ? { supplied: true } : { supplied: false, retryAfterMs: PLACES_RETRY_MS };
  }

  async #setPlaces(entry: Entry, want: number): Promise<void> {
    const has = await this.#options.source.places(entry.keyId, want, entry.limit);
    this.#options.shares.add(entry.slot, 'places', BigInt(has - entry.places));
    entry.places = has;
    entry.renewedAtMs = this.#options.clock.monotonicMs();
  }

  async #givePlaces(entry: Entry): Promise<void> {
    const free = this.#options.shares.left(entry.slot, 'places');
    if (free <= 0n || !this.#options.shares.tryTake(entry.slot, 'places', free)) {
      if (entry.places > 0) await this.#setPlaces(entry, entry.places);
      return;
    }
    entry.places -= Number(free);
    await this.#setPlaces(entry, entry.places);
  }
}

const nameOf = (slot: number, what: Share) => `${slot} ${what}`;
const rateName = ({ keyId, what }: Entry) => `${keyId}:${what}`;

function portionOf({ limit }: Entry): bigint {
  return BigInt(Math.max(1, Math.ceil(limit / PORTIONS_PER_MINUTE)));
}
