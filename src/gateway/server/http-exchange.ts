import { answerHead, type FlatHeaders, isBodyless } from './answer-head.ts';
import { chunkOf, LAST_CHUNK } from './chunk.ts';
import type { RequestHead } from './request-head.ts';

/** Takes the body of one request as it comes. Neither is called any more once the client is gone. */
export interface BodySink {
  onBody(content: Buffer): void;
  onEnd(): void;
}

export interface HttpRequest {
  readonly head: RequestHead;
  /** All of it has come. */
  readonly isWhole: boolean;
  remoteAddress(): string;
  /** In the turn in which the request is served, or never: a body that nobody takes is read and thrown away. */
  receive(sink: BodySink): void;
  /** What still comes is read and thrown away, within bounds. */
  ignoreBody(): void;
  /** For a sink that cannot take more now. */
  pauseBody(): void;
  resumeBody(): void;
}

export interface HttpResponse {
  /** The answer has begun, be it only in the queue behind others. */
  readonly headSent: boolean;
  /** The client left before the answer was over: what is written goes nowhere. */
  readonly isGone: boolean;
  /** No other answer is before this one on the connection: what is written goes out. */
  hasTurn(): boolean;
  /** The whole answer in one write. Header values beside a text must be ASCII. Does nothing where the answer has begun. */
  send(status: number, headers: FlatHeaders, body: string | Buffer): void;
  /** An answer in parts, framed here unless the headers give its length; its head goes out with its first part. */
  begin(status: number, headers: FlatHeaders): void;
  /** The head goes out now. */
  flush(): void;
  /** False when the client reads too slowly: `onDrain` says when to go on. */
  write(content: Uint8Array | string): boolean;
  end(content?: Uint8Array | string): void;
  /** Once, where the client leaves before the answer is over. */
  onGone(told: () => void): void;
  /** Once, when there is room again after a `write` that returned false. */
  onDrain(told: () => void): void;
  /** Header lines of whatever answer it gets, each with its line end. */
  addLines(lines: string): void;
  /** The connection ends with this answer. */
  closeAfter(): void;
  /** Cuts the connection off: the answer cannot be ended. */
  destroy(): void;
}

/** What its connection does for an exchange. */
export interface Channel {
  remoteAddress(): string;
  isTurnOf(exchange: HttpExchange): boolean;
  /** The server takes no more requests on this connection than are there. */
  isLast(exchange: HttpExchange): boolean;
  /** Date and fate of the connection, as lines of a head; `closes` means that no further request is taken. */
  tailOf(closes: boolean): string;
  write(data: string | Uint8Array, encoding: 'latin1' | 'utf8'): boolean;
  /** The answer is over: the next one may have its turn. */
  onAnswered(exchange: HttpExchange): void;
  pauseBody(): void;
  resumeBody(): void;
  /** Whoever serves the exchange threw: it ends, and its connection with it. */
  onThrown(error: unknown, exchange: HttpExchange): void;
  destroy(): void;
}

/** What one answer may hold back while others are before it on its connection. */
const WAITING_BYTES_MAX = 64 * 1024;
const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';

/** One request and the place for its answer: one object per request. */
export class HttpExchange implements HttpRequest, HttpResponse {
  readonly head: RequestHead;
  /** Behind it on the connection. */
  next: HttpExchange | undefined = undefined;
  isWhole = false;
  headSent = false;
  isGone = false;
  /** Its answer is said. */
  isOver = false;
  /** The connection ends behind it. */
  closes = false;
  private readonly channel: Channel;
  private sink: BodySink | undefined = undefined;
  private isChunked = false;
  private lines = '';
  private isMute: boolean;
  private isContinued = false;
  /** Not yet written: it goes out with what comes next. */
  private headText = '';
  /** Written, but it is not its turn. */
  private waiting: Uint8Array[] | undefined = undefined;
  private waitingBytes = 0;
  private toldGone: (() => void) | undefined = undefined;
  private toldDrain: (() => void) | undefined = undefined;

  constructor(channel: Channel, head: RequestHead) {
    this.channel = channel;
    this.head = head;
    this.closes = !head.keepAlive;
    this.isMute = head.method === 'HEAD';
  }

  // The request.

  remoteAddress(): string {
    return this.channel.remoteAddress();
  }

  receive(sink: BodySink): void {
    this.sink = sink;
    if (!this.head.expectsContinue) return;
    this.isContinued = true;
    if (!this.isGone && !this.headSent) this.out(CONTINUE, 'latin1');
  }

  ignoreBody(): void {
    this.sink = undefined;
  }

  pauseBody(): void {
    this.channel.pauseBody();
  }

  resumeBody(): void {
    // Behind it may be another's body.
    if (!this.isWhole) this.channel.resumeBody();
  }

  // The answer.

  hasTurn(): boolean {
    return this.channel.isTurnOf(this);
  }

  send(status: number, headers: FlatHeaders, body: string | Buffer): void {
    if (this.headSent || this.isGone) return;
    const bytes = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
    const head = `${this.makeHead(status, headers)}content-length: ${bytes}\r\n\r\n`;
    this.isOver = true;
    if (this.isMute) this.out(head, 'latin1');
    else if (typeof body === 'string') this.out(head + body, bytes === body.length ? 'latin1' : 'utf8');
    else this.out(Buffer.concat([Buffer.from(head, 'latin1'), body]), 'latin1');
    this.channel.onAnswered(this);
  }

  begin(status: number, headers: FlatHeaders): void {
    if (this.headSent || this.isGone) return;
    this.isMute ||= isBodyless(status);
    const isMeasured = headers.some((name, at) => at % 2 === 0 && name.toLowerCase() === 'content-length');
    const needsFrame = !this.isMute && !isMeasured;
    this.isChunked = needsFrame && this.head.minor === 1;
    // To a client of HTTP/1.0 the end of the connection is the end of the answer.
    if (needsFrame && !this.isChunked) this.closes = true;
    this.headText = `${this.makeHead(status, headers)}${this.isChunked ? 'transfer-encoding: chunked\r\n' : ''}\r\n`;
  }

  flush(): void {
    if (this.headText !== '' && !this.isGone) this.out(this.takeHead(), 'latin1');
  }

  write(content: Uint8Array | string): boolean {
    // A chunk of no bytes would be the end.
    if (this.isGone || this.isOver || content.length === 0) return true;
    return this.say(content, '');
  }

  end(content: Uint8Array | string = ''): void {
    if (this.isGone || this.isOver) return;
    this.isOver = true;
    const last = this.isChunked ? LAST_CHUNK : '';
    if (content.length > 0) this.say(content, last);
    else if (this.headText !== '' || last !== '') this.out(this.takeHead() + last, 'latin1');
    this.channel.onAnswered(this);
  }

  onGone(told: () => void): void {
    this.toldGone = told;
  }

  onDrain(told: () => void): void {
    this.toldDrain = told;
  }

  addLines(lines: string): void {
    this.lines += lines;
  }

  closeAfter(): void {
    this.closes = true;
  }

  destroy(): void {
    this.channel.destroy();
  }

  private makeHead(status: number, headers: FlatHeaders): string {
    const head = answerHead(status, headers);
    this.headSent = true;
    // Who was not told to go on may send the body or not: nobody can tell where the next request would begin.
    const isUnsure = this.head.expectsContinue && !this.isContinued && !this.isWhole;
    this.closes ||= isUnsure || this.channel.isLast(this);
    return head + this.lines + this.channel.tailOf(this.closes);
  }

  private takeHead(): string {
    const { headText } = this;
    this.headText = '';
    return headText;
  }

  private say(content: Uint8Array | string, behind: string): boolean {
    const before = this.takeHead();
    if (this.isMute) return before === '' || this.out(before, 'latin1');
    if (typeof content === 'string') {
      const bytes = Buffer.byteLength(content);
      const text = this.isChunked
        ? `${before}${bytes.toString(16)}\r\n${content}\r\n${behind}`
        : `${before}${content}${behind}`;
      return this.out(text, bytes === content.length ? 'latin1' : 'utf8');
    }
    if (this.isChunked) return this.out(chunkOf(before, content, behind), 'latin1');
    return this.out(before === '' ? content : Buffer.concat([Buffer.from(before, 'latin1'), content]), 'latin1');
  }

  private out(data: string | Uint8Array, encoding: 'latin1' | 'utf8'): boolean {
    if (this.channel.isTurnOf(this)) return this.channel.write(data, encoding);
    const bytes = typeof data === 'string' ? Buffer.from(data, encoding) : data;
    this.waiting ??= [];
    this.waiting.push(bytes);
    this.waitingBytes += bytes.length;
    return this.waitingBytes < WAITING_BYTES_MAX;
  }

  // The connection's side.

  wantsBody(): boolean {
    return this.sink !== undefined;
  }

  takeBody(content: Buffer): void {
    try {
      this.sink?.onBody(content);
    } catch (error) {
      this.channel.onThrown(error, this);
    }
  }

  takeEnd(): void {
    const { sink } = this;
    this.isWhole = true;
    // The answer may take minutes, in which nobody needs the bytes of the request.
    this.sink = undefined;
    try {
      sink?.onEnd();
    } catch (error) {
      this.channel.onThrown(error, this);
    }
  }

  /** Its turn has come. */
  takeTurn(): void {
    const { waiting } = this;
    this.waiting = undefined;
    if (waiting && !this.channel.write(Buffer.concat(waiting), 'latin1')) return;
    this.drained();
  }

  drained(): void {
    const { toldDrain } = this;
    this.toldDrain = undefined;
    if (!this.isGone && toldDrain) this.tell(toldDrain);
  }

  /** What is thrown there must not end what goes on here: other exchanges of the connection are still to hear. */
  private tell(told: () => void): void {
    try {
      told();
    } catch (error) {
      this.channel.onThrown(error, this);
    }
  }

  /** The client left. */
  leave(): void {
    if (this.isGone) return;
    this.isGone = true;
    this.sink = undefined;
    this.waiting = undefined;
    const { toldGone } = this;
    this.toldGone = undefined;
    if (!this.isOver && toldGone) this.tell(toldGone);
  }

  /** The request breaks off and can never be whole: whoever serves it hears that the client is gone, and the client these last words. */
  breakOff(words: string): void {
    this.closes = true;
    if (this.isOver) return;
    const isUnanswered = !this.headSent;
    this.leave();
    this.isOver = true;
    if (isUnanswered) this.out(words, 'latin1');
    this.channel.onAnswered(this);
  }
}
