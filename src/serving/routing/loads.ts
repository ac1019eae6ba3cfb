/** What routing knows of a target. */
export interface Target {
  /** Its row in the loads. */
  readonly slot: number;
  /** Requests at once; absent: unlimited. */
  readonly concurrency?: number;
  /** Lower goes first; equal priorities share by weight and load. */
  readonly priority: number;
  readonly weight: number;
  /** It says in the loads when it is ready; others are always taken to be. */
  readonly embedded: boolean;
}

export type LoadGauge =
  | 'inFlight'
  | 'waiting'
  /** In a row. */
  | 'failures'
  /** Seconds since the epoch. */
  | 'closedUntilS'
  | 'probeUntilS'
  | 'busyUntilS'
  | 'ready'
  /** Longest thinking that was lately charged for and not shown. */
  | 'hiddenTokens'
  | 'ttftMs'
  | 'durationMs';

/** Load and health of all targets, by what this node has itself admitted and seen; shared by its threads. */
export interface Loads {
  get(slot: number, gauge: LoadGauge): number;
  set(slot: number, gauge: LoadGauge, value: number): void;
  /** Adds and returns the new value. */
  add(slot: number, gauge: LoadGauge, delta: number): number;
  /** Sets it where it is still what was seen. */
  swap(slot: number, gauge: LoadGauge, seen: number, value: number): boolean;
  /** False, and nothing taken, when `limit` are in flight. */
  tryEnter(slot: number, limit: number): boolean;
}
