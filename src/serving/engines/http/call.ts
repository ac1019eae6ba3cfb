import { Fault, type Log, toFault } from '../../../ground/std/index.ts';
import type { Connection, Exchange } from './connection.ts';
import type { Deadlined, Deadlines } from './deadlines.ts';
import { type BodyDecoder, createBodyDecoder } from './decode-body.ts';
import { answerFault, brokenFault, connectFault, timeoutFault } from './transport-fault.ts';
import type { UpstreamCall, UpstreamRequest, UpstreamSink } from './upstream.ts';

const LIMITS = { connect: 'connect', 'first byte': 'firstByte', idle: 'idle', total: 'total' } as const;

/**
 * One request on its way. It is the connection's exchange, the caller's handle and the wheel's entry at once: one object per
 * request. The connection calls it in the turn in which bytes arrive, and so does it the sink.
 */
export class Call implements UpstreamCall, Exchange, Deadlined {
  readonly head: string;
  readonly body: string;
  readonly shortestMs: number;
  wheelPrevious: Deadlined | undefined = undefined;
  wheelNext: Deadlined | undefined = undefined;
  wheelSlot = -1;
  wheelLate = false;
  private readonly sink: UpstreamSink;
  private readonly limits: UpstreamRequest['timeoutMs'];
  private readonly deadlines: Deadlines;
  private readonly log: Log;
  private readonly startedMs: number;
  private connection: Connection | undefined = undefined;
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
    request: { readonly head: string; readonly body: string; readonly timeoutMs: UpstreamRequest['timeoutMs'] },
    sink: UpstreamSink,
    shared: { readonly deadlines: Deadlines; readonly log: Log },
  ) {
    this.head = request.head;
    this.body = request.body;
    this.sink = sink;
    this.limits = request.timeoutMs;
    const { connect, firstByte, idle, total } = request.timeoutMs;
    this.shortestMs = Math.min(connect, firstByte, idle, total);
    this.deadlines = shared.deadlines;
    this.log = shared.log;
    this.startedMs = shared.deadlines.nowMs;
    this.deadlines.add(this);
  }

  isOver(): boolean {
    return this.over;
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
    // In a later turn: the parser may be at work right now.
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

  // The connection's exchange.

  onAssigned(connection: Connection): void {
    this.connection = connection;
    if (this.sourcePaused) connection.pause();
  }

  onSent(): void {
    this.reached = true;
    this.sentMs = this.deadlines.nowMs;
  }

  onHead(status: number, headers: Map<string, string>): void {
    if (this.over) return;
    this.answered = true;
    const refusal = refusalOf(status) ?? this.decode(headers);
    if (refusal) this.fail(refusal);
    else this.guard(() => this.sink.onHeaders(status, headers));
  }

  /** Puts a decoder in the way where the upstream compressed, though asked not to. */
  private decode(headers: Map<string, string>): Fault | undefined {
    const encoding = headers.get('content-encoding');
    if (encoding === undefined || encoding === 'identity' || encoding === '') return undefined;
    this.decoder = createBodyDecoder(encoding, this.decodedSink());
    if (!this.decoder)
      return answerFault(
        'The upstream compressed its answer unasked',
        '上游服务擅自压缩了响应',
        `content-encoding ${encoding}`,
      );
    headers.delete('content-encoding');
    headers.delete('content-length');
    return undefined;
  }

  onBody(content: Buffer): void {
    if (this.over) return;
    this.hasBody = true;
    this.lastByteMs = this.deadlines.nowMs;
    if (this.decoder) this.decoder.write(content);
    else this.guard(() => this.sink.onData(content));
  }

  onEnd(): void {
    // The connection is free, and may be another's.
    this.connection = undefined;
    if (this.over) return;
    // What is left in the decoder comes later.
    if (this.decoder) this.decoder.end();
    else this.end();
  }

  onFailed(error: unknown): void {
    this.connection = undefined;
    if (this.over) return;
    if (!this.reached) this.refuse(connectFault(error));
    else this.fail(brokenFault(error, this.answered));
  }

  /** What a sink throws ends its own call, and nothing else. */
  private guard(tell: () => void): void {
    try {
      tell();
    } catch (error) {
      if (!(error instanceof Fault)) this.logThrown(error);
      this.fail(toFault(error));
    }
  }

  private end(): void {
    this.finish();
    try {
      this.sink.onEnd();
    } catch (error) {
      this.logThrown(error);
    }
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
    if (stop) this.connection?.pause();
    else this.connection?.resume();
  }

  private decodedSink() {
    return {
      onData: (chunk: Buffer) => this.guard(() => this.sink.onData(chunk)),
      onEnd: () => {
        if (!this.over) this.end();
      },
      onFault: (fault: Fault) => this.fail(fault),
      onFull: (full: boolean) => {
        this.decoderFull = full;
        this.steer();
      },
    };
  }
}

function refusalOf(status: number): Fault | undefined {
  if (status >= 400 || status < 300) return undefined;
  return answerFault(
    'The upstream redirects, which is not followed',
    '上游服务返回了重定向，未予跟随',
    `status ${status}`,
  );
}
