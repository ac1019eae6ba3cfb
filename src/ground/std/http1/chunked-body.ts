import { HttpSyntaxError } from './http-syntax-error.ts';

/** Bytes of chunk extensions in a row, and of trailers: both are thrown away. */
const SKIPPED_BYTES_MAX = 8_192;
/** Seven hexadecimal digits: a chunk of 256 MiB. */
const CHUNK_DIGITS_MAX = 7;

const CR = 13;
const LF = 10;
const SEMICOLON = 59;

type State =
  | 'over'
  | 'size'
  | 'extension'
  | 'size-lf'
  | 'chunk'
  | 'chunk-cr'
  | 'chunk-lf'
  | 'trailer-start'
  | 'trailer'
  | 'trailer-lf'
  | 'last-lf';

/** Reads a body in chunks (RFC 9112 §7.1) where it lies, strict: extensions and trailers are bounded and dropped, no line feed stands alone. */
export class ChunkedBody {
  private readonly take: (content: Buffer) => void;
  private state: State = 'over';
  /** Bytes that are left of the chunk. */
  private left = 0;
  private digits = 0;
  private skipped = 0;

  /** `take` gets each piece of the content. */
  constructor(take: (content: Buffer) => void) {
    this.take = take;
  }

  /** Of the next body. */
  begin(): void {
    this.state = 'size';
    this.left = 0;
    this.digits = 0;
    this.skipped = 0;
  }

  isOver(): boolean {
    return this.state === 'over';
  }

  /** Reads from there on; where it stopped, behind the body's last byte where it is over. Throws {@link HttpSyntaxError}. */
  push(bytes: Buffer, from: number): number {
    let at = from;
    while (at < bytes.length && this.state !== 'over') {
      if (this.state === 'chunk') at = this.readContent(bytes, at);
      else {
        this.readFraming(bytes[at] ?? 0);
        at += 1;
      }
    }
    return at;
  }

  private readContent(bytes: Buffer, at: number): number {
    const end = Math.min(bytes.length, at + this.left);
    this.left -= end - at;
    if (this.left === 0) this.state = 'chunk-cr';
    this.take(at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end));
    return end;
  }

  private readFraming(byte: number): void {
    switch (this.state) {
      case 'size':
        this.readSize(byte);
        break;
      case 'extension':
        if (byte === CR) this.state = 'size-lf';
        else if (byte === LF) throw new HttpSyntaxError('rules', 'a line feed in a chunk extension');
        this.skip();
        break;
      case 'size-lf':
        this.expect(byte, LF, this.left > 0 ? 'chunk' : 'trailer-start');
        break;
      case 'chunk-cr':
        this.expect(byte, CR, 'chunk-lf');
        break;
      case 'chunk-lf':
        this.expect(byte, LF, 'size');
        this.digits = 0;
        this.skipped = 0;
        break;
      case 'trailer-start':
        this.state = byte === CR ? 'last-lf' : 'trailer';
        this.skip();
        break;
      case 'trailer':
        if (byte === CR) this.state = 'trailer-lf';
        else if (byte === LF) throw new HttpSyntaxError('rules', 'a bare line feed in the trailers');
        this.skip();
        break;
      case 'trailer-lf':
        this.expect(byte, LF, 'trailer-start');
        break;
      default:
        this.expect(byte, LF, 'over');
    }
  }

  private readSize(byte: number): void {
    const digit = hexDigit(byte);
    if (digit >= 0) {
      this.digits += 1;
      if (this.digits > CHUNK_DIGITS_MAX) throw new HttpSyntaxError('rules', 'a chunk size of too many digits');
      this.left = this.left * 16 + digit;
    } else if (this.digits === 0) throw new HttpSyntaxError('rules', 'a chunk without a size');
    else if (byte === CR) this.state = 'size-lf';
    else if (byte === SEMICOLON || byte === 32 || byte === 9) this.state = 'extension';
    else throw new HttpSyntaxError('rules', 'a chunk size that is no number');
  }

  private expect(byte: number, wanted: number, next: State): void {
    if (byte !== wanted) throw new HttpSyntaxError('rules', 'chunks are not parted as they must be');
    this.state = next;
  }

  private skip(): void {
    this.skipped += 1;
    if (this.skipped > SKIPPED_BYTES_MAX)
      throw new HttpSyntaxError('too-large', 'chunk extensions or trailers without end');
  }
}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  if (byte >= 97 && byte <= 102) return byte - 87;
  return byte >= 65 && byte <= 70 ? byte - 55 : -1;
}
