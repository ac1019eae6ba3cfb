import type { Deployment } from '../catalog/index.ts';
import type { Codec } from '../dialects/index.ts';
import type { UpstreamCall, Upstreams } from '../engines/index.ts';
import { Fault, toFault } from '../std/index.ts';
import type { Ticket } from './admit.ts';

/** An upstream's error answer is read up to here; what it means stands in its first lines. */
const ERROR_BYTES_MAX = 64 * 1024;

/** One try at one deployment. Called synchronously as bytes arrive; after `ended` or `failed` nothing more comes. */
export interface AttemptSink {
  /** A 2xx answer began. */
  started(status: number, headers: Readonly<Record<string, string | undefined>>): void;
  data(chunk: Buffer): void;
  ended(): void;
  /** `status` is what the upstream answered, 0 where it did not. `retryable`: another target may do better. */
  failed(failure: {
    readonly fault: Fault;
    readonly status: number;
    readonly reached: boolean;
    readonly retryable: boolean;
  }): void;
}

/** Sends a call to one deployment. Never throws: what fails arrives in `failed`. */
export function attempt(
  ticket: Ticket,
  deployment: Deployment,
  via: { readonly upstreams: Upstreams; readonly codec: Codec; readonly sink: AttemptSink },
): UpstreamCall {
  const { upstreams, codec, sink } = via;
  const { call, plan } = ticket;
  let answered = 0;
  let answerHeaders: Readonly<Record<string, string | undefined>> = {};
  let errorBytes = 0;
  const errorBody: Buffer[] = [];
  const body = codec.encodeRequest(call, {
    model: deployment.upstreamModel,
    maxOutputTokens: plan.maxOutputTokens,
    quirks: deployment.upstream.quirks,
  });
  return upstreams.send(
    { upstream: deployment.upstream, path: codec.path(call.operation), body, timeoutMs: deployment.timeoutMs },
    {
      onHeaders(status, headers) {
        answered = status;
        answerHeaders = headers;
        if (status >= 200 && status < 300) sink.started(status, headers);
      },
      onData(chunk) {
        if (answered >= 200 && answered < 300) sink.data(chunk);
        else if (errorBytes < ERROR_BYTES_MAX) {
          errorBody.push(chunk);
          errorBytes += chunk.length;
        }
      },
      onEnd() {
        if (answered >= 200 && answered < 300) sink.ended();
        else {
          const fault = decodedFault(codec, answered, { headers: answerHeaders, body: Buffer.concat(errorBody) });
          sink.failed({ fault, status: answered, reached: true, retryable: isRetryable(fault) });
        }
      },
      onError(fault, reached) {
        sink.failed({ fault, status: answered, reached, retryable: true });
      },
    },
  );
}

function decodedFault(
  codec: Codec,
  status: number,
  { headers, body }: { headers: Readonly<Record<string, string | undefined>>; body: Buffer },
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
