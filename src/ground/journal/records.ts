import type { Currency, KeyId, Nano, RequestId } from '@millrace/contract';

/** Kinds of journal entries; numbers are on disk, so they never change meaning. */
export const ENTRY_KIND = { intent: 1, progress: 2, settlement: 3 } as const;

/** Written and made durable before the upstream is called: money may be spent from here on. The intent is the hold. */
export interface Intent {
  readonly id: RequestId;
  readonly atMs: number;
  readonly organizationId: string;
  readonly projectId: string;
  readonly keyId: KeyId;
  readonly operation: 'chat' | 'completions' | 'embeddings';
  readonly model: string;
  readonly stream: boolean;
  readonly currency: Currency;
  readonly holdNano: Nano;
  /** Upper bound of input tokens and of output tokens (all choices) that the hold covers. */
  readonly inputTokensMax: number;
  readonly outputTokensMax: number;
  /** Sell price version at admission: the one that settles, whatever changes meanwhile. */
  readonly priceVersion: string;
  /** First target: with its cost version a crash can still be costed. */
  readonly deploymentId: string;
  readonly providerId: string;
  readonly costVersion?: string;
  /** The hold ends by itself here when no settlement came (ms since the epoch). */
  readonly expiresAtMs: number;
}

/** Not awaited; says how far a running request has come, so that a crash can be settled from it. Counts only ever grow. */
export interface Progress {
  readonly id: RequestId;
  readonly deploymentId: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** A later extension of the hold: total hold so far. */
  readonly holdNano: Nano;
}

export interface Usage {
  readonly inputTokens: number;
  /** Part of `inputTokens`. */
  readonly cachedInputTokens: number;
  readonly outputTokens: number;
  /** Part of `outputTokens`. */
  readonly reasoningTokens: number;
}

export const NO_USAGE: Usage = { inputTokens: 0, cachedInputTokens: 0, outputTokens: 0, reasoningTokens: 0 };

/** Where the counts come from, best first. */
export type UsageSource = 'upstream' | 'counted' | 'progress' | 'policy' | 'none';

export interface Attempt {
  readonly number: number;
  readonly deploymentId: string;
  readonly providerId: string;
  /** Upstream's HTTP status; 0: no answer came. */
  readonly status: number;
  readonly outcome: 'ok' | 'failed' | 'aborted';
  readonly usage: Usage;
  readonly costVersion?: string;
  readonly costCurrency?: Currency;
  readonly costNano?: Nano;
  readonly upstreamRequestId?: string;
  readonly durationMs: number;
  /** Absent: nothing. */
  readonly disputed?: Disputed;
}

/** What an upstream reported beyond what could have been asked of it: no customer pays it, and its cost is in dispute. */
export interface Disputed {
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** What it would cost on top of the attempt's cost; absent where that is not known. */
  readonly costNano?: Nano;
}

/** Written and made durable before the last byte goes out. Exactly one per request. */
export interface Settlement {
  readonly id: RequestId;
  readonly atMs: number;
  readonly outcome: 'ok' | 'failed' | 'client-gone' | 'cut-off' | 'recovered';
  /** HTTP status told to the client; 0 where none was sent. */
  readonly status: number;
  readonly faultCode?: string;
  readonly usage: Usage;
  readonly usageSource: UsageSource;
  readonly estimated: boolean;
  readonly amountNano: Nano;
  readonly currency: Currency;
  readonly priceVersion: string;
  readonly attempts: readonly Attempt[];
  /** ms from arrival to the first byte of the answer, and to its end; absent: none was sent. */
  readonly ttftMs?: number;
  readonly durationMs: number;
  /** What was held at the end, extensions included: what it cost above this nothing stood for. */
  readonly holdNano: Nano;
}

export type JournalRecord =
  | { readonly kind: typeof ENTRY_KIND.intent; readonly value: Intent }
  | { readonly kind: typeof ENTRY_KIND.progress; readonly value: Progress }
  | { readonly kind: typeof ENTRY_KIND.settlement; readonly value: Settlement };

/** An entry as read back: `seq` grows by one without gaps over all segments of a node. */
export interface JournalEntry {
  readonly seq: number;
  readonly record: JournalRecord;
}
