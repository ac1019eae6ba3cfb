import type { Dispatcher } from 'undici';
import { type Fault, type Log, toFault } from '../../std/index.ts';
import type { Connection } from './connections.ts';
import type { Deadlined, Deadlines } from './deadlines.ts';
import { type BodyDecoder, createBodyDecoder } from './decode-body.ts';
import { answerFault, brokenFault, connectFault, isTransportError, timeoutFault } from './transport-fault.ts';
import type { UpstreamCall, UpstreamRequest, UpstreamSink } from './upstream.ts';

const HEADERS_MAX = 256;
const LIMITS = { connect: 'connect', 'first byte': 'firstByte', idle: 'idle', total: 'total' } as const;

type Controller = Dispatcher.DispatchController;
type Headers = Readonly<Record<string, string | string[] | undefined>>;

/**
 * One request on its way. It is undici's handler, the caller's handle and the wheel's entry at once: one object per
 * request. Undici calls it in the turn in which bytes arrive, and so does it the sink.
 */
export class Call implements UpstreamCall, Dispatcher.DispatchHandler, Deadlined {
  wheelPrevious: Deadlined | undefined = undefined;
  wheelNext: Deadlined | undefined = undefined;
  wheelTicks = -1;
  wheelLate = false;
  private readonly sink: UpstreamSink;
  private readonly limits: UpstreamRequest['timeoutMs'];
  private readonly deadlines: Deadlines;
  private readonly log: Log;
  private readonly startedMs: number;
  private connection: Connection | undefined = undefined;
  private controller: Controller | undefined = undefined;
  private decoder: BodyDecoder | undefined = undefined;
  /** The request began to be written: from here on the upstream may have seen it. */
  private reached = false;
  private answered = false;
  private hasBody = false;
  private over = false;
  private paused = false;
  private decoderFull = false;
  private sourcePaused = false;
  private sentMs = 0;
  private lastByteMs = 0;

  constructor(
    sink: UpstreamSink,
    limits: UpstreamRequest['timeoutMs'],
    shared: { readonly deadlines: Deadlines; readonly log: Log },
  ) {
    this.sink = sink;
    this.limits = limits;
    this.deadlines = shared.deadlines;
    this.log = shared.log;
    this.startedMs = shared.deadlines.nowMs;
  }

  start(connection: Connection, options: Dispatcher.DispatchOptions): void {
    this.connection = connection;
    this.deadlines.add(this);
    connection.dispatch(options, this);
  }

  /** Ends with a fault before anything was sent; told in a later turn, when the caller holds its handle. */
  refuse(fault: Fault): void {
    queueMicrotask(() => this.fail(fault));
  }

  // The caller's handle.

  pause(): void {
    this.paused = true;
    this.decoder?.pause();
    this.steer();
  }

  resume(): void {
    this.paused = false;
    this.lastByteMs = this.deadlines.nowMs;
    this.deadlines.nearer(this);
    // In a later turn: undici's parser, which all calls of a thread share, may be at work right now.
    queueMicrotask(() => {
      if (this.over || this.paused) return;
      this.decoder?.resume();
      this.steer();
    });
  }

  abort(): void {
    if (this.over) return;
    this.finish();
    this.connection?.discard();
  }

  // The wheel's entry.

  dueMs(): number {
    const total = this.startedMs + this.limits.total;
    if (!this.reached) return Math.min(total, this.startedMs + this.limits.connect);
    if (!this.hasBody) return Math.min(total, this.sentMs + this.limits.firstByte);
    // While we hold the upstream back for a slow client, its silence is ours.
    return this.paused ? total : Math.min(total, this.lastByteMs + this.limits.idle);
  }

  onDue(nowMs: number): void {
    const phase = nowMs >= this.startedMs + this.limits.total ? 'total' : this.phase();
    this.fail(timeoutFault(phase, this.limits[LIMITS[phase]]));
  }

  private phase(): 'connect' | 'first byte' | 'idle' {
    if (!this.reached) return 'connect';
    return this.hasBody ? 'idle' : 'first byte';
  }

  // Undici's handler.

  onRequestStart(controller: Controller): void {
    this.controller = controller;
    this.reached = true;
    this.sentMs = this.deadlines.nowMs;
    this.deadlines.nearer(this);
    if (this.sourcePaused) controller.pause();
  }

  onResponseStart(_controller: Controller, status: number, headers: Headers): void {
    // 1xx: hints before the answer. They do not count as its first byte.
    if (this.over || status < 200) return;
    this.answered = true;
    const flat = flatten(headers);
    const refusal = refusalOf(status, flat) ?? this.decode(flat);
    if (refusal) this.fail(refusal);
    else this.sink.onHeaders(status, flat);
  }

  /** Puts a decoder in the way where the upstream compressed, though asked not to. */
  private decode(headers: Record<string, string | undefined>): Fault | undefined {
    const encoding = headers['content-encoding'];
    if (encoding === undefined || encoding === 'identity' || encoding === '') return undefined;
    this.decoder = createBodyDecoder(encoding, this.decodedSink());
    if (!this.decoder)
      return answerFault(
        'The upstream compressed its answer unasked',
        '上游服务擅自压缩了响应',
        `content-encoding ${encoding}`,
      );
    delete headers['content-encoding'];
    delete headers['content-length'];
    return undefined;
  }

  onResponseData(_controller: Controller, chunk: Buffer): void {
    if (this.over) return;
    this.lastByteMs = this.deadlines.nowMs;
    if (!this.hasBody) {
      this.hasBody = true;
      this.deadlines.nearer(this);
    }
    if (this.decoder) this.decoder.write(chunk);
    else this.sink.onData(chunk);
  }

  onResponseEnd(): void {
    if (this.over) return;
    if (this.decoder) {
      // What is left in the decoder comes later; the connection is free at once.
      this.connection?.release();
      this.connection = undefined;
      this.controller = undefined;
      this.decoder.end();
      return;
    }
    this.finish();
    this.connection?.release();
    this.sink.onEnd();
  }

  onResponseError(_controller: Controller | null, error: unknown): void {
    if (this.over) {
      // Undici brings what a sink threw in `onEnd` here. Nobody is left to tell.
      if (!isTransportError(error)) this.logThrown(error);
      return;
    }
    if (!this.reached) this.refuse(connectFault(error));
    else this.fail(isTransportError(error) ? brokenFault(error, this.answered) : toFault(error));
  }

  private fail(fault: Fault): void {
    if (this.over) return;
    this.finish();
    this.connection?.discard();
    try {
      this.sink.onError(fault, this.reached);
    } catch (error) {
      this.logThrown(error);
    }
  }

  private logThrown(error: unknown): void {
    this.log.error('upstream_sink_threw', { error: toFault(error).details.internal ?? String(error) });
  }

  private finish(): void {
    this.over = true;
    this.deadlines.remove(this);
    this.decoder?.destroy();
  }

  /** Stops or starts the socket, as the caller and the decoder together want it. */
  private steer(): void {
    const stop = this.paused || this.decoderFull;
    if (stop === this.sourcePaused) return;
    this.sourcePaused = stop;
    if (stop) this.controller?.pause();
    else this.controller?.resume();
  }

  private decodedSink() {
    return {
      // Undici catches what a sink throws; zlib does not.
      onData: (chunk: Buffer) => {
        try {
          this.sink.onData(chunk);
        } catch (error) {
          this.fail(toFault(error));
        }
      },
      onEnd: () => {
        if (this.over) return;
        this.finish();
        try {
          this.sink.onEnd();
        } catch (error) {
          this.logThrown(error);
        }
      },
      onFault: (fault: Fault) => this.fail(fault),
      onFull: (full: boolean) => {
        this.decoderFull = full;
        this.steer();
      },
    };
  }
}

function refusalOf(status: number, headers: Record<string, string | undefined>): Fault | undefined {
  if (status < 400 && status >= 300)
    return answerFault(
      'The upstream redirects, which is not followed',
      '上游服务返回了重定向，未予跟随',
      `status ${status}`,
    );
  if (Object.keys(headers).length > HEADERS_MAX)
    return answerFault(
      'The upstream sent too many headers',
      '上游服务的响应头过多',
      `more than ${HEADERS_MAX} headers`,
    );
  return undefined;
}

/** Each name once; what came several times is joined (RFC 9110 §5.3). */
function flatten(headers: Headers): Record<string, string | undefined> {
  const flat: Record<string, string | undefined> = {};
  for (const name in headers) {
    const value = headers[name];
    flat[name] = typeof value === 'object' ? value.join(', ') : value;
  }
  return flat;
}
