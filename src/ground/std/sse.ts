/** One dispatched event of a `text/event-stream`. */
export interface SseEvent {
  /** `event:` field, or `message`. */
  readonly type: string;
  /** All `data:` lines, joined by LF. */
  readonly data: string;
  /** `id:` field of this event; undefined where it has none (the last id is not carried over). */
  readonly id: string | undefined;
  /** Where its bytes lie in {@link SseBatch.bytes}, with the blank line that ends it. */
  readonly start: number;
  readonly end: number;
}

/** What one pushed chunk completed. */
export interface SseBatch {
  /** The chunk itself where nothing was pending, else what was pending and the chunk, joined. Never written to again. */
  readonly bytes: Buffer;
  readonly events: readonly SseEvent[];
  /** The first byte is the LF of a CRLF whose CR ended the last event of an earlier chunk. */
  readonly leadingLf: boolean;
  /** An event (or a comment) grew beyond the limit; nothing more is read. The events before it stand. */
  readonly overflow: boolean;
}

export interface SseReader {
  push(chunk: Uint8Array): SseBatch;
  /**
   * The stream is over. Unlike a browser, which drops it, the event that lacks its blank line is dispatched: vendors
   * close right after the last payload. The caller judges whether its data is whole.
   */
  end(): SseBatch;
}

/** Longest event unless told otherwise; room for an image in base64. */
export const SSE_LINE_BYTES_MAX = 1_048_576;

const LF = 10;
const CR = 13;
const SPACE = 32;
const COLON = 58;
const DATA = Buffer.from('data');
const EVENT = Buffer.from('event');
const ID = Buffer.from('id');
const RETRY = Buffer.from('retry');
const BOM = Buffer.from([0xef, 0xbb, 0xbf]);
const HELD_BYTES_MIN = 512;
const NOTHING = Buffer.alloc(0);

/**
 * Reads server-sent events from bytes split anywhere (WHATWG HTML §9.2.6: LF, CR and CRLF, comments, byte order mark).
 * Works on bytes, so that a split character needs no care and an event can go on as the bytes it came in. Work is linear
 * in the bytes whatever the splitting, and memory is bounded by about three times the limit.
 *
 * @param options `lineBytesMax`: longest event, from its first field to its last line's end. A comment between events
 * counts alone.
 */
export function createSseReader(options: { readonly lineBytesMax?: number } = {}): SseReader {
  return new Reader(options.lineBytesMax ?? SSE_LINE_BYTES_MAX);
}

class Reader implements SseReader {
  private readonly bytesMax: number;
  /** The unfinished event, and room to grow: `heldBytes` are in use. Offsets count from its start. */
  private held = NOTHING;
  private heldBytes = 0;
  private lineStart = 0;
  private scanFrom = 0;
  /** A field of the unfinished event has been read. */
  private open = false;
  private type = 'message';
  private data: string | undefined = undefined;
  private id: string | undefined = undefined;
  /** The last byte was a CR: a LF that follows belongs to it, and to an event where that CR ended one. */
  private lastCr: 'none' | 'line' | 'event' = 'none';
  private atStart = true;
  private overflow = false;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  push(chunk: Uint8Array): SseBatch {
    if (this.overflow || chunk.length === 0) return this.nothing();
    const fresh = this.heldBytes === 0;
    const bytes = fresh ? asBuffer(chunk) : this.hold(chunk);
    let start = 0;
    if (fresh) this.lineStart = this.scanFrom = 0;
    if (this.atStart) {
      const mark = markBytes(bytes);
      if (mark === undefined) {
        this.keep(bytes, 0);
        this.scanFrom = 0;
        return this.nothing();
      }
      this.atStart = false;
      start = this.lineStart = this.scanFrom = mark;
    }
    let leadingLf = false;
    if (this.lastCr !== 'none') {
      if (bytes[this.lineStart] === LF) {
        leadingLf = this.lastCr === 'event';
        this.lineStart += 1;
        this.scanFrom = this.lineStart;
        if (!this.open) start = this.lineStart;
      }
      this.lastCr = 'none';
    }
    const events: SseEvent[] = [];
    start = this.readLines(bytes, start, events);
    this.keep(bytes, start);
    return { bytes, events, leadingLf, overflow: this.overflow };
  }

  end(): SseBatch {
    const bytes = this.held.subarray(0, this.heldBytes);
    const events: SseEvent[] = [];
    if (!this.overflow) {
      if (this.heldBytes > this.lineStart) this.readField(bytes, this.lineStart, this.heldBytes);
      this.dispatch(0, this.heldBytes, events);
    }
    this.held = NOTHING;
    this.heldBytes = 0;
    return { bytes, events, leadingLf: false, overflow: this.overflow };
  }

  private nothing(): SseBatch {
    return { bytes: NOTHING, events: [], leadingLf: false, overflow: this.overflow };
  }

  /** Reads the complete lines; returns where the unfinished event begins. */
  private readLines(bytes: Buffer, from: number, events: SseEvent[]): number {
    let start = from;
    let nextLf = bytes.indexOf(LF, this.scanFrom);
    let nextCr = bytes.indexOf(CR, this.scanFrom);
    while (nextLf >= 0 || nextCr >= 0) {
      const byCr = nextCr >= 0 && (nextLf < 0 || nextCr < nextLf);
      const lineEnd = byCr ? nextCr : nextLf;
      if (lineEnd > this.lineStart && lineEnd - start > this.bytesMax) {
        this.overflow = true;
        return start;
      }
      const next = lineEnd + (byCr && bytes[lineEnd + 1] === LF ? 2 : 1);
      let dispatched = false;
      if (lineEnd === this.lineStart) dispatched = this.dispatch(start, next, events);
      else this.readField(bytes, this.lineStart, lineEnd);
      // Comments and unknown fields between events belong to none: let go at once, they may come for ever.
      if (!this.open) start = next;
      this.lineStart = next;
      // Each end is searched for once, so that lines of one kind cost nothing for the other.
      if (nextLf >= 0 && nextLf < next) nextLf = bytes.indexOf(LF, next);
      if (byCr) {
        if (next === bytes.length && bytes[next - 1] === CR) this.lastCr = dispatched ? 'event' : 'line';
        nextCr = bytes.indexOf(CR, next);
      }
    }
    if (bytes.length > this.lineStart && bytes.length - start > this.bytesMax) this.overflow = true;
    return start;
  }

  private readField(bytes: Buffer, from: number, to: number): void {
    let colon = from;
    while (colon < to && bytes[colon] !== COLON) colon += 1;
    let value = colon + 1;
    if (value < to && bytes[value] === SPACE) value += 1;
    if (named(bytes, from, colon, DATA)) {
      const line = valueText(bytes, value, to);
      this.data = this.data === undefined ? line : `${this.data}\n${line}`;
    } else if (named(bytes, from, colon, EVENT)) {
      this.type = valueText(bytes, value, to) || 'message';
    } else if (named(bytes, from, colon, ID)) {
      const id = valueText(bytes, value, to);
      if (!id.includes('\0')) this.id = id;
    } else if (!named(bytes, from, colon, RETRY)) {
      return;
    }
    this.open = true;
  }

  private dispatch(start: number, end: number, events: SseEvent[]): boolean {
    if (!this.open) return false;
    const { type, data, id } = this;
    this.open = false;
    this.type = 'message';
    this.data = undefined;
    this.id = undefined;
    if (data === undefined) return false;
    events.push({ type, data, id, start, end });
    return true;
  }

  /** Appends to what is held; doubling keeps the work linear where one event comes in many chunks. */
  private hold(chunk: Uint8Array): Buffer {
    const needed = this.heldBytes + chunk.length;
    if (needed > this.held.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.held.length * 2));
      this.held.copy(larger, 0, 0, this.heldBytes);
      this.held = larger;
    }
    this.held.set(chunk, this.heldBytes);
    this.heldBytes = needed;
    return this.held.subarray(0, needed);
  }

  /** Keeps what follows `from`. Bytes that were handed out are never written to: they may still be on their way. */
  private keep(bytes: Buffer, from: number): void {
    const rest = bytes.length - from;
    this.lineStart -= from;
    this.scanFrom = rest;
    if (rest === 0) {
      this.held = NOTHING;
    } else if (from > 0 || this.heldBytes === 0) {
      this.held = Buffer.allocUnsafeSlow(Math.max(HELD_BYTES_MIN, rest * 2));
      bytes.copy(this.held, 0, from);
    }
    this.heldBytes = rest;
  }
}

function valueText(bytes: Buffer, from: number, to: number): string {
  return from < to ? bytes.toString('utf8', from, to) : '';
}

function named(bytes: Buffer, from: number, to: number, name: Buffer): boolean {
  if (to - from !== name.length) return false;
  for (let at = 0; at < name.length; at += 1) if (bytes[from + at] !== name[at]) return false;
  return true;
}

/** Bytes of the byte order mark at the start, 3 or 0; undefined while too few have come to tell. */
function markBytes(bytes: Buffer): number | undefined {
  for (let at = 0; at < BOM.length; at += 1) {
    if (at === bytes.length) return undefined;
    if (bytes[at] !== BOM[at]) return 0;
  }
  return BOM.length;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
