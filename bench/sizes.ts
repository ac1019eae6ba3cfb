/** How much is measured; everything else is the same in every form. */
export interface Sizes {
  readonly json: { readonly rounds: number; readonly seconds: number; readonly connections: number };
  readonly stream: {
    readonly rounds: number;
    readonly seconds: number;
    readonly connections: number;
    readonly tokens: number;
  };
  readonly paced: {
    readonly rounds: number;
    readonly tokens: number;
    readonly intervalMs: number;
    /** How many at once; each is measured. Of the fewer no core should be full, of the more it may be. */
    readonly streams: readonly number[];
  };
  readonly latency: { readonly rounds: number; readonly requests: number };
  readonly memory: { readonly streams: number; readonly tokens: number; readonly intervalMs: number };
  readonly nginx: { readonly rounds: number; readonly seconds: number };
  readonly warmSeconds: number;
}

export const FULL: Sizes = {
  json: { rounds: 5, seconds: 8, connections: 64 },
  stream: { rounds: 5, seconds: 4, connections: 64, tokens: 64 },
  paced: { rounds: 3, tokens: 100, intervalMs: 20, streams: [400, 800] },
  latency: { rounds: 5, requests: 3_000 },
  memory: { streams: 5_000, tokens: 60, intervalMs: 500 },
  nginx: { rounds: 3, seconds: 4 },
  warmSeconds: 3,
};

/** About a minute: for a look, not for a claim. */
export const QUICK: Sizes = {
  json: { rounds: 2, seconds: 2, connections: 64 },
  stream: { rounds: 2, seconds: 1.5, connections: 64, tokens: 64 },
  paced: { rounds: 1, tokens: 100, intervalMs: 20, streams: [400, 800] },
  latency: { rounds: 2, requests: 500 },
  memory: { streams: 2_000, tokens: 20, intervalMs: 500 },
  nginx: { rounds: 1, seconds: 1 },
  warmSeconds: 1,
};
