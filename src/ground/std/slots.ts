import { FAULT_CODES, type FaultCode, type Nano } from '@millrace/contract/words';

/** Rows of each table. The memory is reserved, not resident: pages no one touched cost nothing. */
const WALLET_ROWS = 65_536;
const KEY_ROWS = 262_144;
const DEPLOYMENT_ROWS = 4_096;

/** Numbers that all threads of a node share. Handed to workers as it is; wrap with {@link openSlots} there. */
export interface SharedSlots {
  readonly wallets: SharedArrayBuffer;
  readonly keys: SharedArrayBuffer;
  readonly deployments: SharedArrayBuffer;
  readonly node: SharedArrayBuffer;
  readonly refusals: SharedArrayBuffer;
  /** Bytes of request bodies that are coming: of clients with a key, and of the control plane's. */
  readonly bodies: SharedArrayBuffer;
  /** See {@link openTerm}. */
  readonly term: SharedArrayBuffer;
}

export function createSlots(): SharedSlots {
  return {
    wallets: new SharedArrayBuffer(WALLET_ROWS * 8),
    keys: new SharedArrayBuffer(KEY_ROWS * KEY_FIELDS * 8),
    deployments: new SharedArrayBuffer(DEPLOYMENT_ROWS * DEPLOYMENT_FIELDS * 4),
    node: new SharedArrayBuffer(NODE_FIELDS * 4),
    refusals: new SharedArrayBuffer(FAULT_ROWS.size * 8),
    bodies: new SharedArrayBuffer(16),
    term: new SharedArrayBuffer(16),
  };
}

export interface Slots {
  readonly wallets: WalletSlots;
  readonly keys: KeySlots;
  readonly deployments: DeploymentSlots;
  readonly node: NodeSlots;
  readonly refusals: RefusalSlots;
  readonly bodies: ByteSlot;
  readonly controlBodies: ByteSlot;
}

/** `shares`: limits of keys are shared with other nodes, see {@link openKeyShares}. */
export function openSlots(shared: SharedSlots, limits: 'own' | 'shares' = 'own'): Slots {
  const keys = new BigInt64Array(shared.keys);
  const bodies = new BigInt64Array(shared.bodies);
  return {
    wallets: openWallets(new BigInt64Array(shared.wallets)),
    keys: limits === 'own' ? openKeys(keys) : openSharedKeys(keys),
    deployments: openDeployments(new Int32Array(shared.deployments)),
    node: openNode(new Int32Array(shared.node)),
    refusals: openRefusals(new BigInt64Array(shared.refusals)),
    bodies: openBytes(bodies, 0),
    controlBodies: openBytes(bodies, 1),
  };
}

/** A count of bytes that is kept by all threads. */
export interface ByteSlot {
  /** Returns how many there are now. */
  add(bytes: number): number;
}

function openBytes(cells: BigInt64Array, index: number): ByteSlot {
  return { add: bytes => Number(Atomics.add(cells, index, BigInt(bytes))) + bytes };
}

/** Takes `amount` from `cell` when at least that much is left: one compare-and-swap, never a read and then a write. */
function takeIfCovered(cells: BigInt64Array, index: number, amount: Nano): boolean {
  let seen = Atomics.load(cells, index);
  for (;;) {
    if (seen < amount) return false;
    const was = Atomics.compareExchange(cells, index, seen, seen - amount);
    if (was === seen) return true;
    seen = was;
  }
}

/** Spendable nano per wallet: what this node may still hold. May go negative only through {@link WalletSlots.add}. */
export interface WalletSlots {
  readonly rows: number;
  spendable(slot: number): Nano;
  /** False, and nothing taken, when less than `nano` is left. */
  tryHold(slot: number, nano: Nano): boolean;
  /** Gives back what a hold did not need, or books a top-up (positive) or a debit (negative). */
  add(slot: number, nano: Nano): void;
}

function openWallets(cells: BigInt64Array): WalletSlots {
  return {
    rows: cells.length,
    spendable: slot => Atomics.load(cells, slot),
    tryHold: (slot, nano) => takeIfCovered(cells, slot, nano),
    add: (slot, nano) => void Atomics.add(cells, slot, nano),
  };
}

const KEY_FIELDS = 9;
const KEY = {
  revoked: 0,
  requestsDue: 1,
  tokensDue: 2,
  inFlight: 3,
  budgetLeft: 4,
  placesFree: 5,
  requestsElsewhere: 6,
  tokensElsewhere: 7,
  bodyBytes: 8,
} as const;

/** Outcome of a rate check: admitted, with what is left; or how long to wait. */
export type RateVerdict =
  | { readonly ok: true; readonly remaining: number; readonly resetMs: number }
  | { readonly ok: false; readonly retryAfterMs: number };

export type Meterable = 'requests' | 'tokens';

export interface KeySlots {
  readonly rows: number;
  isRevoked(slot: number): boolean;
  setRevoked(slot: number, revoked: boolean): void;
  /**
   * GCRA (ITU-T I.371): the cell holds the theoretical arrival time in µs. A whole minute's quota may come at once,
   * after that the quota comes back evenly, so there is no window edge at which twice the quota passes.
   */
  takeRate(
    slot: number,
    what: Meterable,
    take: { readonly count: number; readonly perMinute: number; readonly nowMs: number },
  ): RateVerdict;
  /** Gives back `count` units that a reservation did not need; negative takes more. */
  returnRate(slot: number, what: Meterable, give: { readonly count: number; readonly perMinute: number }): void;
  /** False, and nothing taken, when `limit` are in flight. */
  tryEnter(slot: number, limit: number): boolean;
  leave(slot: number): void;
  inFlight(slot: number): number;
  /** Bytes of bodies that are coming in its name; returns how many there are now. */
  addBody(slot: number, bytes: number): number;
  budgetLeft(slot: number): Nano;
  setBudgetLeft(slot: number, nano: Nano): void;
  tryBudget(slot: number, nano: Nano): boolean;
  addBudget(slot: number, nano: Nano): void;
}

const MINUTE_US = 60_000_000;

function openKeys(cells: BigInt64Array): KeySlots {
  const at = (slot: number, field: number) => slot * KEY_FIELDS + field;
  const dueField = (what: Meterable) => (what === 'requests' ? KEY.requestsDue : KEY.tokensDue);
  return {
    rows: cells.length / KEY_FIELDS,
    isRevoked: slot => Atomics.load(cells, at(slot, KEY.revoked)) !== 0n,
    setRevoked: (slot, revoked) => void Atomics.store(cells, at(slot, KEY.revoked), revoked ? 1n : 0n),
    takeRate(slot, what, { count, perMinute, nowMs }) {
      const index = at(slot, dueField(what));
      const nowUs = Math.floor(nowMs * 1000);
      const costUs = Math.ceil((count * MINUTE_US) / perMinute);
      for (;;) {
        const seen = Atomics.load(cells, index);
        const due = Math.max(Number(seen), nowUs);
        const next = due + costUs;
        const overUs = next - nowUs - MINUTE_US;
        // More than a minute's quota in one request passes only when nothing is owed: else it could never pass.
        if (overUs > 0 && !(costUs > MINUTE_US && due <= nowUs))
          return { ok: false, retryAfterMs: Math.ceil(Math.min(overUs, due - nowUs + 1) / 1000) };
        if (Atomics.compareExchange(cells, index, seen, BigInt(next)) === seen) {
          const remaining = Math.max(0, Math.floor(((nowUs + MINUTE_US - next) * perMinute) / MINUTE_US));
          return { ok: true, remaining, resetMs: Math.ceil((next - nowUs) / 1000) };
        }
      }
    },
    returnRate(slot, what, { count, perMinute }) {
      Atomics.sub(cells, at(slot, dueField(what)), BigInt(Math.floor((count * MINUTE_US) / perMinute)));
    },
    tryEnter(slot, limit) {
      const index = at(slot, KEY.inFlight);
      if (Atomics.add(cells, index, 1n) < BigInt(limit)) return true;
      Atomics.sub(cells, index, 1n);
      return false;
    },
    leave: slot => void Atomics.sub(cells, at(slot, KEY.inFlight), 1n),
    inFlight: slot => Number(Atomics.load(cells, at(slot, KEY.inFlight))),
    addBody: (slot, bytes) => Number(Atomics.add(cells, at(slot, KEY.bodyBytes), BigInt(bytes))) + bytes,
    budgetLeft: slot => Atomics.load(cells, at(slot, KEY.budgetLeft)),
    setBudgetLeft: (slot, nano) => void Atomics.store(cells, at(slot, KEY.budgetLeft), nano),
    tryBudget: (slot, nano) => takeIfCovered(cells, at(slot, KEY.budgetLeft), nano),
    addBudget: (slot, nano) => void Atomics.add(cells, at(slot, KEY.budgetLeft), nano),
  };
}

/**
 * What this node has of the limits of keys that all nodes share: requests, tokens and places that it was given in advance, so that
 * who admits asks nobody. In the same cells as limits of its own.
 */
export interface KeyShares {
  left(slot: number, what: Share): bigint;
  add(slot: number, what: Share, count: bigint): void;
  /** False, and nothing taken, when less is left. */
  tryTake(slot: number, what: Share, count: bigint): boolean;
  /** What all nodes together may still take, for those who are told how much is left. */
  setElsewhere(slot: number, what: Meterable, count: bigint): void;
  inFlight(slot: number): number;
}

export type Share = Meterable | 'places';

const SHARE_CELL = { requests: KEY.requestsDue, tokens: KEY.tokensDue, places: KEY.placesFree } as const;
const ELSEWHERE_CELL = { requests: KEY.requestsElsewhere, tokens: KEY.tokensElsewhere } as const;
/** Until who shares limits out has said when. */
const SHARE_RETRY_MS = 1_000;

export function openKeyShares(shared: SharedSlots): KeyShares {
  return keySharesOf(new BigInt64Array(shared.keys));
}

function keySharesOf(cells: BigInt64Array): KeyShares {
  return {
    left: (slot, what) => Atomics.load(cells, slot * KEY_FIELDS + SHARE_CELL[what]),
    add: (slot, what, count) => void Atomics.add(cells, slot * KEY_FIELDS + SHARE_CELL[what], count),
    tryTake: (slot, what, count) => takeIfCovered(cells, slot * KEY_FIELDS + SHARE_CELL[what], count),
    setElsewhere: (slot, what, count) => void Atomics.store(cells, slot * KEY_FIELDS + ELSEWHERE_CELL[what], count),
    inFlight: slot => Number(Atomics.load(cells, slot * KEY_FIELDS + KEY.inFlight)),
  };
}

/** Takes from shares, where {@link openKeys} reckons with the clock. */
function openSharedKeys(cells: BigInt64Array): KeySlots {
  const shares = keySharesOf(cells);
  const keys = openKeys(cells);
  return {
    ...keys,
    takeRate(slot, what, { count, perMinute }) {
      if (!shares.tryTake(slot, what, BigInt(Math.ceil(count)))) return { ok: false, retryAfterMs: SHARE_RETRY_MS };
      const left = shares.left(slot, what) + Atomics.load(cells, slot * KEY_FIELDS + ELSEWHERE_CELL[what]);
      const remaining = Math.max(0, Math.min(perMinute, Number(left)));
      return { ok: true, remaining, resetMs: Math.ceil(((perMinute - remaining) * 60_000) / perMinute) };
    },
    returnRate: (slot, what, { count }) => shares.add(slot, what, BigInt(Math.floor(count))),
    tryEnter(slot) {
      if (!shares.tryTake(slot, 'places', 1n)) return false;
      Atomics.add(cells, slot * KEY_FIELDS + KEY.inFlight, 1n);
      return true;
    },
    leave(slot) {
      keys.leave(slot);
      shares.add(slot, 'places', 1n);
    },
  };
}

const DEPLOYMENT_FIELDS = 15;
const DEPLOYMENT = {
  inFlight: 0,
  waiting: 1,
  failures: 2,
  closedUntilS: 3,
  ready: 4,
  ttftMs: 5,
  durationMs: 6,
  probeUntilS: 7,
  busyUntilS: 8,
  /** How its vendor counts tokens, as learnt from its reports. */
  countSamples: 9,
  countPerText: 10,
  countTextSpread: 11,
  countPerPiece: 12,
  countPieceSpread: 13,
  /** Longest output of late that it reported and did not show. */
  hiddenTokens: 14,
} as const;
/** `ready` of an engine that cannot serve its model; 1 is ready, all else is not yet. */
export const ENGINE_FAILED = 2;
export type DeploymentGauge = keyof typeof DEPLOYMENT;

/** Load and health of each deployment, from what this node has itself admitted: never stale (routing facts, Mooncake §6). */
export interface DeploymentSlots {
  readonly rows: number;
  get(slot: number, gauge: DeploymentGauge): number;
  set(slot: number, gauge: DeploymentGauge, value: number): void;
  /** Adds and returns the new value. */
  add(slot: number, gauge: DeploymentGauge, delta: number): number;
  /** Sets it where it is still what was seen. */
  swap(slot: number, gauge: DeploymentGauge, seen: number, value: number): boolean;
  /** All gauges to zero. */
  clear(slot: number): void;
  /** False, and nothing taken, when `limit` are in flight. */
  tryEnter(slot: number, limit: number): boolean;
}

function openDeployments(cells: Int32Array): DeploymentSlots {
  const at = (slot: number, gauge: DeploymentGauge) => slot * DEPLOYMENT_FIELDS + DEPLOYMENT[gauge];
  return {
    rows: cells.length / DEPLOYMENT_FIELDS,
    get: (slot, gauge) => Atomics.load(cells, at(slot, gauge)),
    set: (slot, gauge, value) => void Atomics.store(cells, at(slot, gauge), value),
    add: (slot, gauge, delta) => Atomics.add(cells, at(slot, gauge), delta) + delta,
    swap: (slot, gauge, seen, value) => Atomics.compareExchange(cells, at(slot, gauge), seen, value) === seen,
    clear(slot) {
      const first = slot * DEPLOYMENT_FIELDS;
      for (let index = first; index < first + DEPLOYMENT_FIELDS; index++) Atomics.store(cells, index, 0);
    },
    tryEnter(slot, limit) {
      const index = at(slot, 'inFlight');
      if (Atomics.add(cells, index, 1) < limit) return true;
      Atomics.sub(cells, index, 1);
      return false;
    },
  };
}

const NODE_FIELDS = 8;
const NODE = { storageFull: 0, draining: 1, gatewaysReady: 2, journalBroken: 3 } as const;
export type NodeFlag = keyof typeof NODE;

/** Flags of the node that stop admission at once on every thread. */
export interface NodeSlots {
  get(flag: NodeFlag): number;
  set(flag: NodeFlag, value: number): void;
  add(flag: NodeFlag, delta: number): number;
}

function openNode(cells: Int32Array): NodeSlots {
  return {
    get: flag => Atomics.load(cells, NODE[flag]),
    set: (flag, value) => void Atomics.store(cells, NODE[flag], value),
    add: (flag, delta) => Atomics.add(cells, NODE[flag], delta) + delta,
  };
}

/** Rows by the order of the table of faults: the same in all threads of one process. */
const FAULT_ROWS: ReadonlyMap<string, number> = new Map(FAULT_CODES.map((code, row) => [code, row]));

/** Requests that ended without a settlement, since the start: who was turned away costs no message between threads. */
export interface RefusalSlots {
  count(code: FaultCode): void;
  total(code: FaultCode): bigint;
}

function openRefusals(cells: BigInt64Array): RefusalSlots {
  const rowOf = (code: FaultCode) => FAULT_ROWS.get(code) ?? 0;
  return {
    count: code => void Atomics.add(cells, rowOf(code), 1n),
    total: code => Atomics.load(cells, rowOf(code)),
  };
}
