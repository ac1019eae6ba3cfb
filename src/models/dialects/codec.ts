import type { Fault } from '../../ground/std/index.ts';

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: JsonValue | undefined;
}

export type Operation = 'chat' | 'completions' | 'embeddings';

/** What is asked, in our own terms. `body` keeps every field of the client's request, known or not. */
export interface Call {
  readonly operation: Operation;
  /** As the client wrote it. */
  readonly model: string;
  readonly stream: boolean;
  /** Absent: the client set none. */
  readonly maxOutputTokens?: number;
  /** `n` choices (completions: the larger of `n` and `best_of`, times prompts). */
  readonly choices: number;
  /** Upper bound of input tokens that no tokenizer exceeds; what the hold covers. */
  readonly inputTokensMax: number;
  /** Likely count of input tokens, for limits and estimates. */
  readonly inputTokensGuess: number;
  /** The client asked for the usage chunk of a stream. */
  readonly wantsUsage: boolean;
  readonly body: JsonObject;
}

/** Counts of tokens; cached input and reasoning are parts of the others. */
export interface TokenUsage {
  readonly inputTokens: number;
  readonly cachedInputTokens: number;
  readonly outputTokens: number;
  readonly reasoningTokens: number;
}

/**
 * Raw counts as an upstream reported them, range-checked: integers ≥ 0 within {@link TOKENS_MAX}. What it did not say is absent: it
 * is never taken for zero.
 */
export interface ReportedUsage {
  readonly inputTokens?: number;
  readonly cachedInputTokens: number;
  readonly outputTokens?: number;
  readonly reasoningTokens: number;
  /** Input and output together: only where it says more than they do, or one of them is absent. */
  readonly totalTokens?: number;
}

/** Largest count of tokens believed from outside. */
export const TOKENS_MAX = 1_000_000_000;

export type StreamEvent =
  /** Part of an answer. `text` is what is counted when no usage comes; `source` is the parsed chunk, for lossless re-encoding in its own dialect. */
  | {
      readonly type: 'delta';
      readonly choice: number;
      readonly kind: 'text' | 'reasoning' | 'tool' | 'other';
      readonly text: string;
      readonly source: JsonObject;
    }
  | { readonly type: 'finish'; readonly choice: number; readonly reason: string; readonly source: JsonObject }
  /**
   * Counts so far: each counter is the largest reported yet in this stream. It stands behind what its chunk says: a report covers
   * the words that it comes with. `source`: the upstream's own usage object.
   */
  | { readonly type: 'usage'; readonly usage: ReportedUsage; readonly source?: JsonObject }
  /**
   * An event that is no part of an answer as we know it: a ping, a guard's trace. To a client of the same dialect it passes (in
   * `raw`); what translates leaves it out.
   */
  | { readonly type: 'foreign'; readonly source: JsonObject }
  /** The upstream said in the stream that it failed. */
  | { readonly type: 'error'; readonly fault: Fault }
  /** The upstream's end mark. It is never part of `raw`: ours goes out after the settlement is durable. */
  | { readonly type: 'done' };

/**
 * What one network chunk held. `raw`, where present, is exactly the bytes that say the delta, finish and foreign events of this
 * frame, ready to go out unchanged; where absent, `encoder.encode(events)` says them, but for the foreign.
 */
export interface Frame {
  readonly raw?: Uint8Array;
  readonly events: readonly StreamEvent[];
}

export interface StreamDecoder {
  /**
   * Throws Fault `upstream_error` on bytes that are no stream of this dialect, or a line beyond the limit. Where good
   * events precede the bad bytes in the same chunk, they are returned with an error event that carries that fault.
   */
  push(chunk: Uint8Array): Frame;
  /** The upstream closed: what a last line without its newline held. */
  end(): Frame;
}

export interface StreamEncoder {
  /**
   * Shows the encoder the events of a frame that goes out raw, so that what it writes itself carries the stream's own
   * id. Cheap; only needed where {@link StreamEncoder.usage} will be called. `encode` does it by itself.
   */
  observe(events: readonly StreamEvent[]): void;
  /** SSE text of the delta and finish events; others are left out. */
  encode(events: readonly StreamEvent[]): string;
  /** Ends a choice at the limit of its length, where the upstream did not. */
  cut(choice: number): string;
  /** Our own last usage chunk (only where the client asked for it). */
  usage(usage: UsageStamp): string;
  /** An error event, after which nothing but the end of the response comes. */
  fault(fault: Fault, requestId: string): string;
  done(): string;
}

/** Usage and cost as told to the client. */
export interface UsageStamp {
  readonly usage: TokenUsage;
  /** Where the upstream told the client's total as more than input and output: it is not told less. */
  readonly totalTokens?: number;
  readonly cost: { readonly currency: string; readonly amount: string };
  /** Upstream's own usage object, whose unknown fields are kept. A stream encoder knows it from the usage events it saw. */
  readonly source?: JsonObject;
}

/** A whole answer. */
export interface Answer {
  readonly body: JsonObject;
  /** Absent where the upstream sent none. */
  readonly usage?: ReportedUsage;
  /** All text of all choices, to be counted when no usage came. */
  readonly text: string;
}

/** How a target differs from what the client asked. */
export interface Target {
  readonly model: string;
  /** Injected where the client gave none; 0 for embeddings. */
  readonly maxOutputTokens: number;
  readonly quirks: readonly string[];
}

export interface RenderedFault {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** One wire grammar. Pure and synchronous; it knows no provider by name. */
export interface Codec {
  /** Throws Fault `malformed_request` or `invalid_parameter` (with `param`). */
  decodeRequest(operation: Operation, body: Uint8Array): Call;
  encodeRequest(call: Call, target: Target): string;
  /** Throws Fault `upstream_error` where the body is no answer of this dialect. */
  decodeResponse(operation: Operation, body: Uint8Array): Answer;
  /** What a body says was used, whatever else it is, an error for one; undefined where it says nothing. Never throws. */
  usageIn(body: Uint8Array): ReportedUsage | undefined;
  encodeResponse(answer: Answer, stamp: UsageStamp & { readonly model: string }): string;
  /**
   * `model`: the name that the client knows, written in place of any other that the upstream writes. `lineBytesMax`: longest event, 1 MiB unless told otherwise.
   */
  decoder(
    operation: Operation,
    options: {
      readonly model?: string;
      readonly lineBytesMax?: number;
    },
  ): StreamDecoder;
  /** `lang`: of fault events; English unless told otherwise. */
  encoder(
    operation: Operation,
    options: {
      readonly model: string;
      readonly requestId: string;
      readonly createdS: number;
      readonly lang?: 'en' | 'zh';
    },
  ): StreamEncoder;
  /** What an upstream's error answer means: status and body → our fault, with its `Retry-After`. */
  decodeFault(status: number, headers: ReadonlyMap<string, string>, body: Uint8Array): Fault;
  encodeFault(fault: Fault, options: { readonly requestId: string; readonly lang: 'en' | 'zh' }): RenderedFault;
  /** Path below `/v1`, of client and upstream alike. */
  path(operation: Operation): string;
}
