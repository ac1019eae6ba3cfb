import type { FileHandle } from 'node:fs/promises';

/** Longest piece that is ever held: nothing in a header that we keep is longer. */
export const PIECE_BYTES_MAX = 1_048_576;
const WINDOW_BYTES = 2 * PIECE_BYTES_MAX;

/** The file ended, or the header grew past its bound; the caller knows the words for it. */
export class GgufEnd extends Error {
  readonly reason: 'truncated' | 'too-large';

  constructor(reason: 'truncated' | 'too-large') {
    super(reason);
    this.reason = reason;
  }
}

/**
 * Reads a header front to back through one window of fixed size, whatever the lengths in the file claim. Callers ask
 * {@link has} first and {@link fill} only where it says no, so that a vocabulary of 200,000 strings costs no promise each.
 */
export class GgufCursor {
  private readonly file: FileHandle;
  private readonly fileBytes: number;
  private readonly bytesMax: number;
  private readonly window = Buffer.alloc(WINDOW_BYTES);
  /** File offset of the window's first byte. */
  private base = 0;
  private at = 0;
  private end = 0;

  /** @param options `bytesMax`: how far into the file reading may go. */
  constructor(file: FileHandle, options: { readonly fileBytes: number; readonly bytesMax: number }) {
    this.file = file;
    this.fileBytes = options.fileBytes;
    this.bytesMax = options.bytesMax;
  }

  /** Offset in the file of the next byte. */
  get position(): number {
    return this.base + this.at;
  }

  has(bytes: number): boolean {
    return this.end - this.at >= bytes;
  }

  /** Makes `bytes` (at most {@link PIECE_BYTES_MAX}) readable without waiting. @throws GgufEnd */
  async fill(bytes: number): Promise<void> {
    this.window.copy(this.window, 0, this.at, this.end);
    this.base += this.at;
    this.end -= this.at;
    this.at = 0;
    if (this.base + bytes > this.bytesMax) throw new GgufEnd('too-large');
    while (this.end < bytes) {
      const { bytesRead } = await this.file.read(this.window, this.end, WINDOW_BYTES - this.end, this.base + this.end);
      if (bytesRead === 0) throw new GgufEnd('truncated');
      this.end += bytesRead;
    }
  }

  /** Goes past `bytes`, reading none of them. @throws GgufEnd */
  skip(bytes: number): void {
    if (this.position + bytes > this.fileBytes) throw new GgufEnd('truncated');
    if (this.position + bytes > this.bytesMax) throw new GgufEnd('too-large');
    if (this.has(bytes)) {
      this.at += bytes;
      return;
    }
    this.base = this.position + bytes;
    this.at = 0;
    this.end = 0;
  }

  u8(): number {
    return this.window.readUInt8(this.advance(1));
  }

  i8(): number {
    return this.window.readInt8(this.advance(1));
  }

  u16(): number {
    return this.window.readUInt16LE(this.advance(2));
  }

  i16(): number {
    return this.window.readInt16LE(this.advance(2));
  }

  u32(): number {
    return this.window.readUInt32LE(this.advance(4));
  }

  i32(): number {
    return this.window.readInt32LE(this.advance(4));
  }

  f32(): number {
    return this.window.readFloatLE(this.advance(4));
  }

  f64(): number {
    return this.window.readDoubleLE(this.advance(8));
  }

  /** As a number; Infinity where it is beyond 2^53, so that every bound refuses it. */
  u64(): number {
    const value = this.window.readBigUInt64LE(this.advance(8));
    return value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.POSITIVE_INFINITY : Number(value);
  }

  i64(): number {
    return Number(this.window.readBigInt64LE(this.advance(8)));
  }

  text(bytes: number): string {
    const from = this.advance(bytes);
    return this.window.toString('utf8', from, from + bytes);
  }

  private advance(bytes: number): number {
    const from = this.at;
    if (this.end - from < bytes) throw new RangeError('read past what was filled');
    this.at += bytes;
    return from;
  }
}
