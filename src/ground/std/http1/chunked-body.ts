import { HttpSyntaxError } from './http-syntax-error.ts';

/** Bytes of chunk extensions in a row, and of trailers: both are thrown away. */
const SKIPPED_BYTES_MAX = 8_192;
/** Seven hexadecimal digits: a chunk of 256 MiB. */
const CHUNK_DIGITS_MAX = 7;

const CR = 13;
const LF = 10;
const SEMICOLON = 59;
const EQUALS = 61;
const COLON = 58;
const QUOTE = 34;
const BACKSLASH = 92;

/** The grammar of RFC 9112 §7.1, a state for each place in it where another byte may come. */
type State =
  | 'over'
  | 'size'
  | 'extension-start'
  | 'extension-name-start'
  | 'extension-name'
  | 'extension-name-end'
  | 'extension-value-start'
  | 'extension-value'
  | 'extension-quoted'
  | 'extension-escaped'
  | 'extension-end'
  | 'size-lf'
  | 'chunk'
  | 'chunk-cr'
  | 'chunk-lf'
  | 'trailer-start'
  | 'trailer-name'
  | 'trailer-value'
  | 'trailer-lf'
  | 'last-lf';

/**
 * Reads a body in chunks where it lies, by its grammar and nothing beside it: where two readers could disagree about the end of a
 * body, it is refused. Extensions and trailers are bounded and dropped.
 */
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
      case 'trailer-name':
      case 'trailer-value':
        this.skip();
        this.readTrailer(byte, this.state);
        break;
      case 'trailer-lf':
        this.expect(byte, LF, 'trailer-start');
        break;
      case 'last-lf':
        this.expect(byte, LF, 'over');
        break;
      default:
        this.skip();
        this.readExtension(byte);
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
    else if (byte === SEMICOLON) this.state = 'extension-name-start';
    else if (isBlank(byte)) this.state = 'extension-start';
    else throw new HttpSyntaxError('rules', 'a chunk size that is no number');
  }

  /** `*( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )` (RFC 9112 §7.1.1). */
  private readExtension(byte: number): void {
    switch (this.state) {
      case 'extension-start':
        if (byte === SEMICOLON) this.state = 'extension-name-start';
        else if (!isBlank(byte)) throw noExtension();
        break;
      case 'extension-name-start':
        if (isToken(byte)) this.state = 'extension-name';
        else if (!isBlank(byte)) throw noExtension();
        break;
      case 'extension-name':
        if (!isToken(byte)) this.endOfName(byte);
        break;
      case 'extension-name-end':
        if (byte === EQUALS) this.state = 'extension-value-start';
        else if (byte === SEMICOLON) this.state = 'extension-name-start';
        else if (!isBlank(byte)) throw noExtension();
        break;
      case 'extension-value-start':
        if (isToken(byte)) this.state = 'extension-value';
        else if (byte === QUOTE) this.state = 'extension-quoted';
        else if (!isBlank(byte)) throw noExtension();
        break;
      case 'extension-value':
        if (!isToken(byte)) this.endOfExtension(byte);
        break;
      case 'extension-end':
        this.endOfExtension(byte);
        break;
      case 'extension-quoted':
        if (byte === QUOTE) this.state = 'extension-end';
        else if (byte === BACKSLASH) this.state = 'extension-escaped';
        else if (!isText(byte)) throw noExtension();
        break;
      default:
        if (!isText(byte)) throw noExtension();
        this.state = 'extension-quoted';
    }
  }

  private endOfName(byte: number): void {
    if (byte === EQUALS) this.state = 'extension-value-start';
    else if (isBlank(byte)) this.state = 'extension-name-end';
    else this.endOfExtension(byte);
  }

  private endOfExtension(byte: number): void {
    if (byte === CR) this.state = 'size-lf';
    else if (byte === SEMICOLON) this.state = 'extension-name-start';
    else if (isBlank(byte)) this.state = 'extension-start';
    else throw noExtension();
  }

  private readTrailer(byte: number, state: 'trailer-start' | 'trailer-name' | 'trailer-value'): void {
    if (state === 'trailer-start' && byte === CR) this.state = 'last-lf';
    else if (state === 'trailer-value') {
      if (byte === CR) this.state = 'trailer-lf';
      else if (!isText(byte)) throw new HttpSyntaxError('rules', 'a trailer that is no text');
    } else if (isToken(byte)) this.state = 'trailer-name';
    else if (byte === COLON && state === 'trailer-name') this.state = 'trailer-value';
    else throw new HttpSyntaxError('rules', 'a trailer without a name');
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

function noExtension(): HttpSyntaxError {
  return new HttpSyntaxError('rules', 'behind the size of a chunk stands what is no extension');
}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  if (byte >= 97 && byte <= 102) return byte - 87;
  return byte >= 65 && byte <= 70 ? byte - 55 : -1;
}

function isBlank(byte: number): boolean {
  return byte === 32 || byte === 9;
}

/** Of a field's or a quoted text: what is visible, and blanks. */
function isText(byte: number): boolean {
  return byte === 9 || (byte >= 32 && byte !== 127);
}

const SPECIAL: ReadonlySet<number> = new Set([...'"(),/:;<=>?@[\\]{}'].map(char => char.charCodeAt(0)));

/** Of a token (RFC 9110 §5.6.2). */
function isToken(byte: number): boolean {
  return byte > 32 && byte < 127 && !SPECIAL.has(byte);
}
