import type { Fault } from '../../../ground/std/index.ts';
import type { Upstream } from '../../../models/catalog/index.ts';

export interface UpstreamRequest {
  readonly upstream: Upstream;
  /** Below the base URL: `/chat/completions`. */
  readonly path: string;
  readonly body: string;
  /** Extra headers; none of the client's. The provider key is added by the upstream itself. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs: {
    readonly connect: number;
    readonly firstByte: number;
    readonly idle: number;
    readonly total: number;
  };
}

/** Pushed, not pulled: called synchronously as bytes arrive. After `onEnd` or `onError` nothing more is called. */
export interface UpstreamSink {
  /** Names in lower case, each once. */
  onHeaders(status: number, headers: ReadonlyMap<string, string>): void;
  onData(chunk: Buffer): void;
  onEnd(): void;
  /**
   * `upstream_error`, `upstream_timeout` or `unavailable`. `reached` is false only where not a byte of the request can
   * have arrived (refused, DNS, TLS): then no money was spent there.
   */
  onError(fault: Fault, reached: boolean): void;
}

export interface UpstreamCall {
  /** Stops reading from the upstream (backpressure), and goes on. */
  pause(): void;
  resume(): void;
  /** Closes the connection; no sink method is called any more. */
  abort(): void;
}
