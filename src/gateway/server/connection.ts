import type { Socket } from 'node:net';
import { crashPoint, HttpSyntaxError } from '../../ground/std/index.ts';
import type { Listed } from '../surfaces/running.ts';
import { emptyAnswer } from './answer-head.ts';
import { type Channel, HttpExchange } from './http-exchange.ts';
import { type RequestHead, RequestRefused } from './request-head.ts';
import { type RequestEvents, RequestParser } from './request-parser.ts';

export interface Limits {
  /** From the first byte of a request, or the connection, to the end of its head. */
  readonly headMs: number;
  /** From its first byte to the end of its body. */
  readonly requestMs: number;
  /** A connection without a request is kept so long. */
  readonly keepAliveMs: number;
  /** Of what nobody wants, so much is read from a connection before it is cut off. */
  readonly unwantedBytesMax: number;
}

export interface ConnectionOwner {
  readonly limits: Limits;
  /** As of the last sweep: limits are seconds, a look at the clock for each request is not needed. */
  readonly nowMs: number;
  readonly isDraining: boolean;
  tailOf(closes: boolean): string;
  serve(exchange: HttpExchange): void;
  /** Something threw where nothing should: the connection ends with it. */
  thrown(error: unknown): void;
  forget(connection: ServerConnection): void;
}

/** Requests at once on one connection: more of them wait in the socket. */
const PIPELINED_MAX = 16;
/** What a client that we took leave of may still have to read its answer in, and to say itself. */
const LINGER_MS = 5_000;
/** A client that takes nothing: what is not out by then is of no use to it. The largest answer takes so long at 110 KB/s. */
const UNREAD_MS = 600_000;

/** A client's connection: requests are served as they come, answers go out in their order. */
export class ServerConnection implements RequestEvents, Channel, Listed {
  runningAt = -1;
  private readonly owner: ConnectionOwner;
  private readonly socket: Socket;
  private readonly parser: RequestParser;
  /** Whose turn it is to answer; the others behind it. */
  private first: HttpExchange | undefined = undefined;
  private last: HttpExchange | undefined = undefined;
  private count = 0;
  /** The one whose body comes. */
  private receiving: HttpExchange | undefined = undefined;
  /** What came while there was no room for another request. */
  private unread: Buffer | undefined = undefined;
  private isParsing = false;
  private isBodyPaused = false;
  /** No further request is taken. */
  private isStopped = false;
  /** What came cannot be read as requests: not a byte more is looked at. */
  private isBroken = false;
  /** Said when all answers are out. */
  private lastWords: string | undefined = undefined;
  /** Our side is closed; what comes is thrown away. */
  private isLingering = false;
  private unwantedBytes = 0;
  /** When what it is at now began. */
  private sinceMs: number;
  /** Seen overdue once. */
  private isLate = false;
  private isFresh = true;
  private address: string | undefined = undefined;

  constructor(socket: Socket, owner: ConnectionOwner) {
    this.socket = socket;
    this.owner = owner;
    this.sinceMs = owner.nowMs;
    this.parser = new RequestParser(this);
    socket.on('data', chunk => this.read(chunk));
    socket.on('drain', () => this.contain(() => this.drained()));
    socket.on('end', () => this.contain(() => this.ended()));
    // Whatever it is, the end of the connection is what matters, and follows.
    socket.on('error', () => {});
    socket.on('close', () => {
      owner.forget(this);
      this.contain(() => this.leaveAll());
    });
  }

  /** All that is called from outside goes through here, or catches as this does: a throw ends this connection, never the thread. */
  private contain(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.onThrown(error, undefined);
    }
  }

  onThrown(error: unknown, exchange: HttpExchange | undefined): void {
    this.owner.thrown(error);
    this.isBroken = true;
    this.isStopped = true;
    this.unread = undefined;
    if (!exchange || exchange.headSent || exchange.isGone) {
      this.destroy();
      return;
    }
    if (exchange === this.receiving) this.receiving = undefined;
    exchange.breakOff(emptyAnswer(500));
    if (!this.first) this.close();
  }

  // What comes.

  private read(chunk: Buffer | string): void {
    if (typeof chunk === 'string') return;
    try {
      if (this.isLingering || this.isBroken) this.discard(chunk.length);
      else if (this.unread) this.unread = Buffer.concat([this.unread, chunk]);
      else this.parse(chunk);
    } catch (error) {
      this.onThrown(error, undefined);
    }
  }

  private parse(bytes: Buffer): void {
    let at = 0;
    this.isParsing = true;
    try {
      crashPoint('gateway.parse');
      while (at < bytes.length && !this.isBroken && (!this.parser.isBetween() || this.mayBegin()))
        at = this.parser.push(bytes, at);
    } catch (error) {
      at = bytes.length;
      if (error instanceof RequestRefused) this.refuse(error.status);
      else if (error instanceof HttpSyntaxError) this.refuse(400);
      else this.onThrown(error, undefined);
    } finally {
      this.isParsing = false;
    }
    if (at === bytes.length) return;
    if (this.isStopped) this.discard(bytes.length - at);
    else {
      this.unread = bytes.subarray(at);
      this.steer();
    }
  }

  /** There is room for another request: neither too many at once, nor answers that the client does not read. */
  private mayBegin(): boolean {
    if (this.isStopped || this.count >= PIPELINED_MAX || this.socket.writableNeedDrain) return false;
    this.sinceMs = this.owner.nowMs;
    this.isFresh = false;
    return true;
  }

  private parseUnread(): void {
    const { unread } = this;
    if (!unread || this.isParsing || this.isLingering) return;
    this.unread = undefined;
    this.parse(unread);
    this.steer();
  }

  private discard(bytes: number): void {
    this.unwantedBytes += bytes;
    if (this.unwantedBytes > this.owner.limits.unwantedBytesMax) this.destroy();
  }

  onHead(head: RequestHead): void {
    const exchange = new HttpExchange(this, head);
    if (this.last) this.last.next = exchange;
    else this.first = exchange;
    this.last = exchange;
    this.count += 1;
    this.receiving = exchange;
    if (!head.keepAlive) this.isStopped = true;
    try {
      this.owner.serve(exchange);
    } catch (error) {
      this.onThrown(error, exchange);
    }
  }

  onBody(content: Buffer): void {
    const { receiving } = this;
    if (receiving?.wantsBody()) receiving.takeBody(content);
    else this.discard(content.length);
  }

  onEnd(): void {
    const { receiving } = this;
    this.receiving = undefined;
    this.unwantedBytes = 0;
    this.sinceMs = this.owner.nowMs;
    receiving?.takeEnd();
    // A sink that could take no more has taken the end with what it held: nothing is left to wait for.
    if (this.isBodyPaused) this.resumeBody();
  }

  /** What comes is no request, or comes too late. */
  private refuse(status: RequestRefused['status']): void {
    this.isBroken = true;
    this.isStopped = true;
    this.unread = undefined;
    const { receiving } = this;
    this.receiving = undefined;
    if (receiving) {
      receiving.breakOff(emptyAnswer(status));
      if (!this.first) this.close();
    } else if (this.first) this.lastWords = emptyAnswer(status);
    else this.close(emptyAnswer(status));
  }

  /** The client says no more: it left. Who asks waits for the answer with an open connection, as all clients do. */
  private ended(): void {
    if (this.isLingering) return;
    const isCutShort = !this.parser.isBetween();
    const isUnanswered = !this.first || (this.first === this.receiving && !this.first.headSent);
    this.leaveAll();
    this.close(isCutShort && isUnanswered ? emptyAnswer(400) : undefined);
  }

  private leaveAll(): void {
    crashPoint('gateway.client-left');
    this.unread = undefined;
    this.receiving = undefined;
    // While they hear of it, it is still known whose turn it was.
    for (let exchange = this.first; exchange; exchange = exchange.next) exchange.leave();
    this.first = undefined;
    this.last = undefined;
    this.count = 0;
  }

  // What goes out.

  isTurnOf(exchange: HttpExchange): boolean {
    return this.first === exchange;
  }

  isLast(exchange: HttpExchange): boolean {
    return this.owner.isDraining && this.last === exchange;
  }

  tailOf(closes: boolean): string {
    if (closes) this.isStopped = true;
    return this.owner.tailOf(closes);
  }

  write(data: string | Uint8Array, encoding: 'latin1' | 'utf8'): boolean {
    return typeof data === 'string' ? this.socket.write(data, encoding) : this.socket.write(data);
  }

  onAnswered(exchange: HttpExchange): void {
    if (exchange !== this.first) return;
    let over: HttpExchange | undefined = exchange;
    while (over?.isOver) {
      this.first = over.next;
      this.count -= 1;
      if (over.closes) {
        this.leaveAll();
        this.close();
        return;
      }
      over = over.next;
      over?.takeTurn();
    }
    if (!this.first) this.answered();
    if (this.unread) queueMicrotask(() => this.contain(() => this.parseUnread()));
  }

  /** All that was asked is answered. */
  private answered(): void {
    this.last = undefined;
    this.sinceMs = this.owner.nowMs;
    if (this.lastWords !== undefined) this.close(this.lastWords);
    else this.closeIfDraining();
  }

  private drained(): void {
    this.first?.drained();
    this.parseUnread();
  }

  // The socket.

  remoteAddress(): string {
    this.address ??= this.socket.remoteAddress ?? '';
    return this.address;
  }

  pauseBody(): void {
    this.isBodyPaused = true;
    this.steer();
  }

  resumeBody(): void {
    this.isBodyPaused = false;
    this.steer();
  }

  private steer(): void {
    if (this.isBodyPaused || this.unread) this.socket.pause();
    else if (this.socket.isPaused()) this.socket.resume();
  }

  /** While the server drains, a connection without a request has nothing to wait for. */
  closeIfDraining(): void {
    if (this.owner.isDraining && !this.first && !this.unread && this.parser.isBetween()) this.close();
  }

  /** What was said goes out, and then our end; what still comes is read, or our last words would be lost with the connection. */
  private close(words?: string): void {
    if (this.isLingering) return;
    this.isLingering = true;
    this.isStopped = true;
    this.sinceMs = this.owner.nowMs;
    this.isBodyPaused = false;
    this.unread = undefined;
    if (words === undefined) this.socket.end();
    else this.socket.end(words, 'latin1');
    this.steer();
  }

  destroy(): void {
    this.isStopped = true;
    this.socket.destroy();
  }

  // Time.

  /** Called at each sweep. Who is overdue gets another round: the bytes that save it may wait in the socket. */
  check(nowMs: number): void {
    this.contain(() => this.look(nowMs));
  }

  private look(nowMs: number): void {
    crashPoint('gateway.sweep');
    const isLate = nowMs >= this.dueMs();
    if (isLate && this.isLate) this.expire();
    this.isLate = isLate;
  }

  private dueMs(): number {
    const { limits } = this.owner;
    if (this.isLingering) return this.sinceMs + (this.socket.writableLength > 0 ? UNREAD_MS : LINGER_MS);
    if (!this.isBroken && this.parser.isInHead()) return this.sinceMs + limits.headMs;
    if (!this.isBroken && !this.parser.isBetween()) return this.sinceMs + limits.requestMs;
    if (this.first) return Number.POSITIVE_INFINITY;
    if (this.socket.writableLength > 0) return this.sinceMs + UNREAD_MS;
    return this.sinceMs + (this.isFresh ? limits.headMs : limits.keepAliveMs);
  }

  private expire(): void {
    if (this.isLingering || this.socket.writableLength > 0) this.destroy();
    else if (this.parser.isBetween()) this.close();
    else this.refuse(408);
  }
}
