import type { PriceVersion } from '../../money/pricing/index.ts';

/** Named differences of a provider from its dialect. Who has which, and where that was read: `src/models/catalog/data/providers.ts`. */
export type Quirk =
  /** Closing the connection does not stop the bill: drain within a bound for the usage report (Alibaba, Mistral, Groq, Gemini, MiniMax). */
  | 'drain-on-disconnect'
  /** Does not know `stream_options`; usage comes unasked or not at all (Mistral, Cohere, Baichuan). */
  | 'no-stream-options'
  /** Wants `max_completion_tokens` in place of `max_tokens` (OpenAI from the o-series on, xAI), or leaves thinking out of the latter (Volcano Engine). */
  | 'max-completion-tokens'
  /** Counts thinking in the total of its usage report alone, not in `completion_tokens` (Gemini): it is output all the same. */
  | 'thinking-in-total';

export interface Upstream {
  readonly providerId: string;
  readonly dialect: 'openai-chat';
  /** `http(s)://…/v1` or `unix:/path/to.sock:/v1` for an engine host of this node. */
  readonly baseUrl: string;
  /** Decrypted provider key. Never logged. */
  readonly apiKey?: string;
  readonly allowPrivateNetwork: boolean;
  readonly quirks: readonly Quirk[];
}

/** How long an upstream may take, in ms. */
export interface TimeoutsMs {
  readonly connect: number;
  /** To the first byte of a stream. */
  readonly firstByte: number;
  /** To the first byte of an answer that comes whole: it says nothing until it is. */
  readonly answer: number;
  /** Without a byte, once it speaks. */
  readonly idle: number;
  readonly total: number;
}

export interface Deployment {
  readonly id: string;
  readonly upstream: Upstream;
  readonly upstreamModel: string;
  /** Served by an engine host of this node, which says in the counters when it is ready; others are always taken to be. */
  readonly embedded: boolean;
  /** Row in the shared counters (std `DeploymentSlots`). */
  readonly slot: number;
  /** Requests at once; absent: unlimited. */
  readonly concurrency?: number;
  /** Lower goes first; equal priorities share by weight and load. */
  readonly priority: number;
  readonly weight: number;
  readonly timeoutMs: TimeoutsMs;
  /** A try that timed out is made again elsewhere, though the first may still be at work, and bill. */
  readonly retriesTimeouts: boolean;
  /** The listed cost versions, any currency, in order of `effectiveFromMs`. Empty: the cost is not known. */
  readonly costs: readonly PriceVersion[];
}

export interface Model {
  readonly id: string;
  readonly operations: readonly ('chat' | 'completions' | 'embeddings')[];
  /** Longest input plus output, in tokens; absent: unknown. */
  readonly contextTokens?: number;
  /** Longest answer that the operator allows: sent as `max_tokens` where the client gives none. Absent: no limit of ours. */
  readonly maxOutputTokens?: number;
  /** Longest answer that its vendors are known to give, whatever they are told; absent: not known. */
  readonly longestAnswerTokens?: number;
  readonly createdAtMs: number;
  readonly ownedBy: string;
  /** The listed sell versions, any currency, in order of `effectiveFromMs`. */
  readonly prices: readonly PriceVersion[];
  readonly deployments: readonly Deployment[];
}

/** Everything the data plane must know about what can be called; immutable, structured-cloneable, replaced whole. */
export interface CatalogSnapshot {
  readonly revision: number;
  readonly models: ReadonlyMap<string, Model>;
}
