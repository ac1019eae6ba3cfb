import { ChunkedBody } from '../../ground/std/index.ts';
import { parseRequestHead, type RequestHead, RequestRefused } from './request-head.ts';

/** Called synchronously as bytes arrive. */
export interface RequestEvents {
  onHead(head: RequestHead): void;
  /** Content, without its framing. */
  onBody(content: Buffer): void;
  /** The request is whole. */
  onEnd(): void;
}

const HEAD_BYTES_MAX = 16 * 1024;
/** Line ends before a request: some clients send one too many behind a body (RFC 9112 §2.2). */
const EMPTY_LINES_MAX = 4;
const HEAD_END = Buffer.from('\r\n\r\n');
/** With fewer bytes there may be a head of the largest size among them that lacks only its end. */
const HELD_BYTES_MAX = HEAD_BYTES_MAX + HEAD_END.length;
const HELD_BYTES_MIN = 512;
const CR = 13;
const LF = 10;
/** What no head has, whatever follows: a control character, a CR or LF that stands alone. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const NO_HEAD = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]|[^\r]\n|\r[^\n]/;
/** How a method begins, and so a request. */
const BEGINS = /^[A-Z]/;

type State = 'between' | 'head' | 'length' | 'chunks';

/** Requests of one HTTP/1.1 connection (RFC 9112), read where their bytes lie. Why it is our own: docs/decisions/data-plane.md. */
export class RequestParser {
  private readonly events: RequestEvents;
  /** Made for the first body that comes so: few do. */
  private chunked: ChunkedBody | undefined = undefined;
  private state: State = 'between';
  /** What came of a head that is not whole. */
  private held: Buffer | undefined = undefined;
  private heldBytes = 0;
  private emptyLines = 0;
  private isAfterCr = false;
  /** Bytes that are left of a body whose length was told. */
  private left = 0;

  constructor(events: RequestEvents) {
    this.events = events;
  }

  /** Not a byte of the next request was read. */
  isBetween(): boolean {
    return this.state === 'between';
  }

  /** The head is not whole; `isBetween` is false. */
  isInHead(): boolean {
    return this.state === 'head';
  }

  /** Reads from there to the end of a request, or of what there is; where it stopped. Throws RequestRefused or HttpSyntaxError. */
  push(bytes: Buffer, from: number): number {
    let at = from;
    if (this.state === 'between' || this.state === 'head') {
      at = this.readHead(bytes, from);
      if (this.state === 'between' || this.state === 'head') return at;
    }
    if (this.state === 'length') {
      const end = Math.min(bytes.length, at + this.left);
      this.left -= end - at;
      if (end > at) this.events.onBody(at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end));
      if (this.left === 0) this.finish();
      return end;
    }
    if (!this.chunked) return at;
    at = this.chunked.push(bytes, at);
    if (this.chunked.isOver()) this.finish();
    return at;
  }

  private readHead(bytes: Buffer, from: number): number {
    if (this.held) return this.readMore(this.held, bytes, from);
    const start = this.skipEmptyLines(bytes, from);
    if (start === bytes.length) return start;
    const end = bytes.indexOf(HEAD_END, start);
    if (end < 0) return this.hold(bytes, start);
    if (end - start > HEAD_BYTES_MAX) throw tooLarge();
    this.begin(bytes.toString('latin1', start, end));
    return end + HEAD_END.length;
  }

  private skipEmptyLines(bytes: Buffer, from: number): number {
    let at = from;
    for (; at < bytes.length; at += 1) {
      const byte = bytes[at];
      if (this.isAfterCr) {
        this.emptyLines += 1;
        if (byte !== LF || this.emptyLines > EMPTY_LINES_MAX)
          throw new RequestRefused(400, 'no line that begins a request');
        this.isAfterCr = false;
      } else if (byte === CR) this.isAfterCr = true;
      else break;
    }
    return at;
  }

  /** The first part of a head that comes in parts. */
  private hold(bytes: Buffer, start: number): number {
    const part = bytes.toString('latin1', start);
    if (!BEGINS.test(part) || NO_HEAD.test(part)) throw new RequestRefused(400, 'no head of a request');
    if (part.length >= HELD_BYTES_MAX) throw tooLarge();
    this.held = Buffer.allocUnsafeSlow(Math.min(HELD_BYTES_MAX, 2 * part.length + HELD_BYTES_MIN));
    this.heldBytes = this.held.write(part, 'latin1');
    this.state = 'head';
    return bytes.length;
  }

  private readMore(held: Buffer, bytes: Buffer, from: number): number {
    const before = this.heldBytes;
    const room = this.withRoom(held, bytes.length - from);
    const taken = bytes.copy(room, before, from);
    const have = room.subarray(0, before + taken);
    const end = have.indexOf(HEAD_END, Math.max(0, before - HEAD_END.length + 1));
    if (end >= 0) {
      this.held = undefined;
      this.begin(have.toString('latin1', 0, end));
      return from + end + HEAD_END.length - before;
    }
    if (NO_HEAD.test(have.toString('latin1', before - 1))) throw new RequestRefused(400, 'no head of a request');
    if (have.length === HELD_BYTES_MAX) throw tooLarge();
    this.heldBytes = have.length;
    return bytes.length;
  }

  /** By doubling, so that a head that comes byte by byte is not copied anew for each. */
  private withRoom(held: Buffer, bytes: number): Buffer {
    const wanted = Math.min(HELD_BYTES_MAX, this.heldBytes + bytes);
    if (held.length >= wanted) return held;
    const larger = Buffer.allocUnsafeSlow(Math.min(HELD_BYTES_MAX, 2 * wanted));
    held.copy(larger, 0, 0, this.heldBytes);
    this.held = larger;
    return larger;
  }

  private begin(text: string): void {
    const head = parseRequestHead(text);
    this.emptyLines = 0;
    if (head.length === 'chunked') {
      this.chunked ??= new ChunkedBody(content => this.events.onBody(content));
      this.chunked.begin();
      this.state = 'chunks';
    } else {
      this.left = head.length;
      this.state = 'length';
    }
    this.events.onHead(head);
  }

  private finish(): void {
    this.state = 'between';
    this.events.onEnd();
  }
}

function tooLarge(): RequestRefused {
  return new RequestRefused(431, `a head of more than ${HEAD_BYTES_MAX} bytes`);
}
