import { Fault, toFault } from '../../ground/std/index.ts';
import type { Deployment } from '../../models/catalog/index.ts';
import type { Codec } from '../../models/dialects/index.ts';
import type { UpstreamCall, UpstreamSink, Upstreams } from '../../serving/engines/index.ts';
import type { Ticket } from './admit.ts';

/** An upstream's error answer is read up to here; what it means stands in its first lines. */
const ERROR_BYTES_MAX = 64 * 1024;
/** Vendors' ids have some forty characters; a header of 32 KB would be in the journal and the ledger for ever. */
const UPSTREAM_ID_LENGTH_MAX = 200;

type UpstreamHeaders = ReadonlyMap<string, string>;

/** One try at one deployment. Called synchronously as bytes arrive; after `ended` or `failed` nothing more comes. */
export interface AttemptSink {
  /** A 2xx answer began; with the id that the upstream gave the request, where it gave one. */
  started(status: number, upstreamRequestId: string | undefined): void;
  data(chunk: Buffer): void;
  ended(): void;
  /** `status` is what the upstream answered, 0 where it did not. `retryable`: another target may do better. */
  failed(failure: AttemptFailure): void;
}

export interface AttemptFailure {
  readonly fault: Fault;
  readonly status: number;
  readonly reached: boolean;
  readonly retryable: boolean;
}

/** Sends a call to one deployment. Never throws: what fails arrives in `failed`. */
export function attempt(
  { call, plan }: Ticket,
  deployment: Deployment,
  via: { readonly upstreams: Upstreams; readonly codec: Codec; readonly sink: AttemptSink },
): UpstreamCall {
  const { upstreams, codec, sink } = via;
  const body = codec.encodeRequest(call, {
    model: deployment.upstreamModel,
    maxOutputTokens: plan.maxOutputTokens,
    quirks: deployment.upstream.quirks,
  });
  return upstreams.send(
    { upstream: deployment.upstream, path: codec.path(call.operation), body, timeoutMs: deployment.timeoutMs },
    new UpstreamAnswer(codec, sink),
  );
}

/** Tells a good answer from an error, which it collects and decodes. */
class UpstreamAnswer implements UpstreamSink {
  private readonly codec: Codec;
  private readonly sink: AttemptSink;
  private status = 0;
  private good = false;
  private headers: UpstreamHeaders = new Map();
  private error: Buffer[] | undefined = undefined;
  private errorBytes = 0;

  constructor(codec: Codec, sink: AttemptSink) {
    this.codec = codec;
    this.sink = sink;
  }

  onHeaders(status: number, headers: UpstreamHeaders): void {
    this.status = status;
    this.headers = headers;
    this.good = status >= 200 && status < 300;
    if (this.good) this.sink.started(status, headers.get('x-request-id')?.slice(0, UPSTREAM_ID_LENGTH_MAX));
  }

  onData(chunk: Buffer): void {
    if (this.good) {
      this.sink.data(chunk);
      return;
    }
    if (this.errorBytes >= ERROR_BYTES_MAX) return;
    this.error ??= [];
    this.error.push(chunk);
    this.errorBytes += chunk.length;
  }

  onEnd(): void {
    if (this.good) {
      this.sink.ended();
      return;
    }
    const { codec, status, headers, error = [] } = this;
    const fault = decodedFault(codec, status, { headers, body: Buffer.concat(error) });
    this.sink.failed({ fault, status, reached: true, retryable: isRetryable(fault) });
  }

  onError(fault: Fault, reached: boolean): void {
    this.sink.failed({ fault, status: this.status, reached, retryable: true });
  }
}

function decodedFault(
  codec: Codec,
  status: number,
  { headers, body }: { headers: UpstreamHeaders; body: Buffer },
): Fault {
  try {
    return codec.decodeFault(status, headers, body);
  } catch (error) {
    return new Fault('upstream_error', {
      internal: `error answer not understood: ${toFault(error).message}`,
      cause: error,
    });
  }
}

/** What the caller did wrong stays wrong elsewhere; all else may be the target's own trouble. */
export function isRetryable(fault: Fault): boolean {
  return fault.status >= 500;
}
