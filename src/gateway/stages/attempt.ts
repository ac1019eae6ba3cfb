import type { Attempt } from '../../ground/journal/index.ts';
import { type Clock, Fault, toFault } from '../../ground/std/index.ts';
import type { Deployment } from '../../models/catalog/index.ts';
import { type Codec, type ReportedUsage, withoutKey } from '../../models/dialects/index.ts';
import type { UpstreamCall, UpstreamSink, Upstreams } from '../../serving/engines/index.ts';
import { mayTryElsewhere } from '../../serving/routing/index.ts';
import type { Ticket } from './admit.ts';
import { type AttemptResult, attemptOf } from './settle.ts';
import { timeoutsOf } from './timeouts.ts';

/** An upstream's error answer is read up to here; what it means stands in its first lines. */
const ERROR_BYTES_MAX = 64 * 1024;
/** Vendors' ids have some forty characters; a header of 32 KB would be in the journal and the ledger for ever. */
const UPSTREAM_ID_LENGTH_MAX = 200;

type UpstreamHeaders = ReadonlyMap<string, string>;

/** Who hears of a try. Called synchronously as bytes arrive; after `ended` or `failed` nothing more comes. */
export interface AttemptSink {
  /** A 2xx answer began. */
  /** @param notes headers for the client, names and values in turn */
  started(notes: readonly string[]): void;
  data(chunk: Buffer): void;
  ended(): void;
  failed(failure: AttemptFailure): void;
}

export interface AttemptFailure {
  readonly fault: Fault;
  readonly reached: boolean;
  /** Another target may do better. */
  readonly retryable: boolean;
  /** What the upstream said it used, though it failed. */
  readonly usage?: ReportedUsage | undefined;
}

export interface AttemptContext {
  readonly upstreams: Upstreams;
  readonly codec: Codec;
  readonly clock: Clock;
  readonly sink: AttemptSink;
  /** 1 for the first of a request. */
  readonly number: number;
  /** Since the intent: what the upstream's total is less by. */
  readonly spentMs: number;
  /** Of the time that the caller gave the request; undefined where it set none. */
  readonly leftMs: number | undefined;
}

/** One try at one deployment: tells a good answer from an error, which it collects and decodes. */
export class AttemptRun implements UpstreamSink {
  readonly deployment: Deployment;
  private readonly number: number;
  private readonly codec: Codec;
  private readonly clock: Clock;
  private readonly sink: AttemptSink;
  private readonly startedMs: number;
  private readonly upstream: UpstreamCall | undefined;
  /** What the upstream answered; 0 before it did. */
  status = 0;
  private upstreamRequestId: string | undefined = undefined;
  private good = false;
  private headers: UpstreamHeaders = new Map();
  private error: Buffer[] | undefined = undefined;
  private errorBytes = 0;

  /** Sends the call. What fails arrives in `failed`, never here. */
  constructor({ call, plan }: Ticket, deployment: Deployment, context: AttemptContext) {
    const { upstreams, codec, clock, sink, number, spentMs, leftMs } = context;
    this.deployment = deployment;
    this.number = number;
    this.codec = codec;
    this.clock = clock;
    this.sink = sink;
    this.startedMs = clock.monotonicMs();
    const { upstream, upstreamModel, timeoutMs } = deployment;
    const body = codec.encodeRequest(call, {
      model: upstreamModel,
      maxOutputTokens: plan.maxOutputTokens,
      quirks: upstream.quirks,
    });
    const left = { ...timeoutMs, total: Math.max(1, timeoutMs.total - spentMs) };
    this.upstream = upstreams.send(
      { upstream, path: codec.path(call.operation), body, timeoutMs: timeoutsOf(left, call, leftMs) },
      this,
    );
  }

  pause(): void {
    this.upstream?.pause();
  }

  resume(): void {
    this.upstream?.resume();
  }

  abort(): void {
    this.upstream?.abort();
  }

  durationMs(): number {
    return this.clock.monotonicMs() - this.startedMs;
  }

  /** What is settled of it. `costAtMs`: of the intent, whose moment says which prices hold. */
  record(
    outcome: Attempt['outcome'],
    from: Pick<AttemptResult, 'usage' | 'disputed'> & { readonly currency: string; readonly costAtMs: number },
  ): Attempt {
    const { deployment, number, status, upstreamRequestId } = this;
    const { usage, disputed, currency, costAtMs } = from;
    const result = { deployment, status, outcome, usage, disputed, durationMs: this.durationMs(), upstreamRequestId };
    return attemptOf(result, number, { currency, nowMs: costAtMs });
  }

  // The upstream's sink.

  onHeaders(status: number, headers: UpstreamHeaders): void {
    this.status = status;
    this.headers = headers;
    this.good = status >= 200 && status < 300;
    this.upstreamRequestId = this.good ? headers.get('x-request-id')?.slice(0, UPSTREAM_ID_LENGTH_MAX) : undefined;
    if (this.good) this.sink.started(this.deployment.embedded ? notesOf(headers) : NO_NOTES);
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
    const body = this.withoutKey(Buffer.concat(this.error ?? []));
    const fault = this.decodedFault(body);
    this.sink.failed({
      fault,
      reached: true,
      retryable: this.isRetryable(fault, true),
      usage: this.codec.usageIn(body),
    });
  }

  onError(fault: Fault, reached: boolean): void {
    this.sink.failed({ fault, reached, retryable: this.isRetryable(fault, reached) });
  }

  isRetryable({ code }: Fault, reached: boolean): boolean {
    return mayTryElsewhere(code, { reached, retriesTimeouts: this.deployment.retriesTimeouts });
  }

  /** What it says of a failure, for others and for our log, without the key that we sent it. */
  hideKey(fault: Fault): Fault {
    const { apiKey } = this.deployment.upstream;
    if (apiKey === undefined) return fault;
    const { message, messageZh, internal, ...more } = fault.details;
    return new Fault(fault.code, {
      ...more,
      ...(message === undefined ? {} : { message: withoutKey(message, apiKey) }),
      ...(messageZh === undefined ? {} : { messageZh: withoutKey(messageZh, apiKey) }),
      ...(internal === undefined ? {} : { internal: withoutKey(internal, apiKey) }),
    });
  }

  /** Before its words are looked at: what a pattern takes out of the midst of a key would leave its ends. */
  private withoutKey(body: Buffer): Buffer {
    const { apiKey } = this.deployment.upstream;
    return apiKey !== undefined && body.includes(apiKey)
      ? Buffer.from(withoutKey(body.toString('utf8'), apiKey))
      : body;
  }

  private decodedFault(body: Buffer): Fault {
    try {
      return this.codec.decodeFault(this.status, this.headers, body);
    } catch (error) {
      return new Fault('upstream_error', {
        internal: `error answer not understood: ${toFault(error).message}`,
        cause: error,
      });
    }
  }
}

const NO_NOTES: readonly string[] = [];
/** What an engine of ours says of a request that it could not do as it was asked. */
const NOTES = ['x-millrace-ignored', 'x-millrace-tools'] as const;

function notesOf(headers: UpstreamHeaders): readonly string[] {
  return NOTES.flatMap(name => {
    const value = headers.get(name);
    return value === undefined ? NO_NOTES : [name, value];
  });
}
