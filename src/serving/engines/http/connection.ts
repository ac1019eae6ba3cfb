import type { Socket } from 'node:net';
import type { EgressTarget } from '../../../ground/std/index.ts';
import { createResponseParser, type ResponseParser } from './response-parser.ts';

/** One request of a connection: what to send, and who hears of its answer. */
export interface Exchange {
  /** The head of the request, ASCII, all but `content-length`. */
  readonly head: string;
  readonly body: string;
  /** This connection carries it, once it is made. */
  onAssigned(connection: Connection): void;
  /** The request begins to be written: from here on the other side may have seen it. */
  onSent(): void;
  onHead(status: number, headers: Map<string, string>): void;
  onBody(content: Buffer): void;
  onEnd(): void;
  /** The network's error, an `HttpSyntaxError`, or a Fault. Nothing is called after it. */
  onFailed(error: unknown): void;
}

export interface ConnectionOwner {
  readonly target: EgressTarget;
  nowMs(): number;
  /** It is free. */
  keep(connection: Connection): void;
  /** It is closed, or about to be. */
  forget(connection: Connection): void;
}

/** Below the 60 s at which the usual load balancers (AWS ALB, nginx at 75 s) close: the fewer sockets die in our hands. */
const KEEP_ALIVE_MS = 55_000;
/** What the other side says of its own patience is believed less this: the way there takes time. */
const KEEP_ALIVE_MARGIN_MS = 1_000;
/** After so long a connection is not kept: a vendor that moved its name elsewhere is followed even under steady load. */
const AGE_MAX_MS = 600_000;

/** A connection of HTTP/1.1 that carries one request at a time. */
export class Connection {
  /** Place in the owner's list of free ones; -1 while in use. */
  idleAt = -1;
  /** While free: until when. */
  idleUntilMs = 0;
  private readonly owner: ConnectionOwner;
  private readonly socket: Socket;
  private readonly parser: ResponseParser;
  private readonly bornMs: number;
  private exchange: Exchange | undefined;
  private gone = false;

  constructor(owner: ConnectionOwner, first: Exchange) {
    this.owner = owner;
    this.bornMs = owner.nowMs();
    this.exchange = first;
    first.onAssigned(this);
    this.parser = createResponseParser({
      head: (status, headers) => this.exchange?.onHead(status, headers),
      body: content => this.exchange?.onBody(content),
      end: reusable => this.ended(reusable),
    });
    this.socket = owner.target.connect((error, socket) => {
      if (!socket) this.fail(error);
      else if (!this.gone) this.begin(socket);
    });
  }

  /** Sends; the connection must be free. */
  send(exchange: Exchange): void {
    this.exchange = exchange;
    exchange.onAssigned(this);
    this.write(exchange);
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  /** Closes it, at whatever it is, connecting included. Nothing more is called on the exchange. */
  discard(): void {
    if (this.gone) return;
    this.gone = true;
    this.exchange = undefined;
    this.parser.stop();
    this.owner.forget(this);
    this.socket.destroy();
  }

  /** Closes it; the exchange that it carries, if any, fails with this. */
  fail(error: unknown): void {
    const { exchange } = this;
    this.discard();
    exchange?.onFailed(error);
  }

  private begin(socket: Socket): void {
    socket.on('data', chunk => this.read(chunk));
    socket.on('end', () => this.closed());
    socket.on('close', () => this.closed());
    socket.on('error', (error: NodeJS.ErrnoException) => {
      // Servers that close with unread bytes in hand reset: of an answer that ends with its connection, that is the end too.
      // Whether it was whole, its content says.
      if (error.code === 'ECONNRESET') this.closed(error);
      else this.fail(error);
    });
    if (this.exchange) this.write(this.exchange);
  }

  private write(exchange: Exchange): void {
    this.parser.begin();
    exchange.onSent();
    if (this.gone) return;
    const { head, body } = exchange;
    const bytes = Buffer.byteLength(body);
    // One string, one write: text of one byte a character, which JSON mostly is, is copied as it is.
    this.socket.write(`${head}content-length: ${bytes}\r\n\r\n${body}`, bytes === body.length ? 'latin1' : 'utf8');
  }

  private read(chunk: Buffer | string): void {
    // Bytes that answer no request: whoever got them as the next answer would get another's.
    if (typeof chunk === 'string' || !this.exchange) this.discard();
    else {
      try {
        this.parser.push(chunk);
      } catch (error) {
        this.fail(error);
      }
    }
  }

  private closed(error: Error = new Error('the other side closed the connection')): void {
    if (!this.gone && !this.parser.close()) this.fail(error);
  }

  /** Free before the caller hears of the end: it may have the next request. */
  private ended(reusable: boolean): void {
    const { exchange } = this;
    this.exchange = undefined;
    const nowMs = this.owner.nowMs();
    const said = this.parser.keepAliveMs();
    const keptMs =
      said === undefined || Number.isNaN(said) ? KEEP_ALIVE_MS : Math.min(said - KEEP_ALIVE_MARGIN_MS, KEEP_ALIVE_MS);
    // An answer that came before the request was all written leaves the rest of the request in the way of the next one.
    const isClean = reusable && this.socket.writableLength === 0;
    if (isClean && keptMs > 0 && nowMs - this.bornMs < AGE_MAX_MS) {
      if (this.socket.isPaused()) this.socket.resume();
      this.idleUntilMs = nowMs + keptMs;
      this.owner.keep(this);
    } else this.discard();
    exchange?.onEnd();
  }
}
