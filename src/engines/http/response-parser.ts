/** Why an answer is no HTTP/1.1 that we take. */
export class HttpSyntaxError extends Error {
  readonly kind: 'rules' | 'too-large' | 'too-many';
  constructor(kind: HttpSyntaxError['kind'], message: string) {
    super(message);
    this.kind = kind;
  }
}

/** Called synchronously as bytes arrive. */
export interface ResponseEvents {
  /** Header names in lower case, each once: what came several times is joined (RFC 9110 §5.3). Not called for 1xx. */
  head(status: number, headers: Record<string, string | undefined>): void;
  /** Content, without its framing; all of one network chunk at once. */
  body(content: Buffer): void;
  /** The answer is whole. `reusable`: by all that was seen, the connection can carry another request. */
  end(reusable: boolean): void;
}

export interface ResponseParser {
  /** Of the next answer; the last one must be over. */
  begin(): void;
  /** Throws {@link HttpSyntaxError}; after that, and after `stop`, nothing is to be pushed. */
  push(chunk: Buffer): void;
  /** The other side closed: ends an answer that has no length of its own; false where there is more to come. */
  close(): boolean;
  /** Nothing is called any more. */
  stop(): void;
  /** ms that the other side says it keeps an idle connection; undefined where it says nothing. */
  keepAliveMs(): number | undefined;
}

const HEAD_BYTES_MAX = 32_768;
const HEADERS_MAX = 256;
const HINTS_MAX = 16;
/** Bytes of chunk extensions in a row, and of trailers: both are thrown away. */
const SKIPPED_BYTES_MAX = 8_192;
/** Seven hexadecimal digits: a chunk of 256 MiB. */
const CHUNK_DIGITS_MAX = 7;

const HEAD_END = Buffer.from('\r\n\r\n');
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/;
/** A token, and visible text (RFC 9110 §5.5): no control characters, so no line folded or split within. */
const HEADER_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[\t ]*([\t\x20-\x7e\x80-\xff]*)$/;
const CR = 13;
const LF = 10;
const SEMICOLON = 59;

type State =
  /** No answer is awaited. */
  | 'over'
  | 'head'
  | 'length'
  | 'until-close'
  | 'chunk-size'
  | 'chunk-extension'
  | 'chunk-size-lf'
  | 'chunk'
  | 'chunk-cr'
  | 'chunk-lf'
  | 'trailer-start'
  | 'trailer'
  | 'trailer-lf'
  | 'last-lf';

/**
 * Answers to POST over one HTTP/1.1 connection (RFC 9112), strict: where two readers could disagree about where an answer
 * ends, it is refused. Reads the bytes where they lie, and copies only what one network chunk holds in several pieces. Why it
 * is our own: docs/decisions/data-plane.md.
 */
export function createResponseParser(events: ResponseEvents): ResponseParser {
  let state: State = 'over';
  let stopped = false;
  let held: Buffer | undefined;
  let hints = 0;
  /** Bytes that are left of the content, or of the chunk. */
  let left = 0;
  let digits = 0;
  let skipped = 0;
  let keepAlive = false;
  let keepAliveMs: number | undefined;
  let content: Buffer | undefined;
  let more: Buffer[] | undefined;

  const hold = (part: Buffer) => {
    if (!content) content = part;
    else if (more) more.push(part);
    else more = [content, part];
  };
  const release = () => {
    if (!content) return;
    const whole = more ? Buffer.concat(more) : content;
    content = undefined;
    more = undefined;
    events.body(whole);
  };
  const finish = (reusable: boolean) => {
    state = 'over';
    release();
    // The last content may have been what stopped us.
    if (!stopped) events.end(reusable);
  };
  const skip = () => {
    skipped += 1;
    if (skipped > SKIPPED_BYTES_MAX) throw new HttpSyntaxError('too-large', 'chunk extensions or trailers without end');
  };

  /** Where reading goes on in the chunk. A head that is held began in an earlier one, so `from` is 0 then. */
  const readHead = (chunk: Buffer, from: number): number => {
    const before = held?.length ?? 0;
    const bytes = held ? Buffer.concat([held, chunk]) : chunk;
    const end = bytes.indexOf(HEAD_END, Math.max(from, before - HEAD_END.length + 1));
    if ((end < 0 ? bytes.length : end) - from > HEAD_BYTES_MAX)
      throw new HttpSyntaxError('too-large', `a head of more than ${HEAD_BYTES_MAX} bytes`);
    held = end < 0 ? bytes.subarray(from) : undefined;
    if (end < 0) return chunk.length;
    const next = end + HEAD_END.length - before;
    takeHead(bytes.toString('latin1', from, end));
    if (state === 'length' && left === 0) finish(keepAlive && next === chunk.length);
    return next;
  };

  const takeHead = (text: string) => {
    const { status, minor, headers } = parseHead(text);
    if (status < 200) {
      hints += 1;
      if (status === 101 || hints > HINTS_MAX) throw new HttpSyntaxError('rules', `status ${status} was not asked for`);
      return;
    }
    const { connection, 'keep-alive': kept } = headers;
    keepAlive = minor === '1' && !(connection !== undefined && /(?:^|,)\s*close\s*(?:,|$)/i.test(connection));
    if (kept !== undefined) keepAliveMs = Number(/(?:^|[,;\s])timeout=(\d{1,6})/i.exec(kept)?.[1] ?? Number.NaN) * 1000;
    const length = frame(status, minor, headers);
    if (length === 'chunks') {
      state = 'chunk-size';
      digits = 0;
      left = 0;
      skipped = 0;
    } else if (length === 'until-close') {
      state = 'until-close';
      keepAlive = false;
    } else {
      state = 'length';
      left = length;
    }
    events.head(status, headers);
  };

  const readContent = (chunk: Buffer, at: number): number => {
    const end = Math.min(chunk.length, at + left);
    left -= end - at;
    hold(at === 0 && end === chunk.length ? chunk : chunk.subarray(at, end));
    return end;
  };

  const readSize = (byte: number) => {
    const digit = hexDigit(byte);
    if (digit >= 0) {
      digits += 1;
      if (digits > CHUNK_DIGITS_MAX) throw new HttpSyntaxError('rules', 'a chunk size of too many digits');
      left = left * 16 + digit;
    } else if (digits === 0) throw new HttpSyntaxError('rules', 'a chunk without a size');
    else if (byte === CR) state = 'chunk-size-lf';
    else if (byte === SEMICOLON || byte === 32 || byte === 9) state = 'chunk-extension';
    else throw new HttpSyntaxError('rules', 'a chunk size that is no number');
  };

  const expect = (byte: number, wanted: number, next: State) => {
    if (byte !== wanted) throw new HttpSyntaxError('rules', 'chunks are not parted as they must be');
    state = next;
  };

  /** One byte of the framing of chunks. */
  const readFraming = (byte: number, isLast: boolean) => {
    switch (state) {
      case 'chunk-size':
        return readSize(byte);
      case 'chunk-extension':
        if (byte === CR) state = 'chunk-size-lf';
        else if (byte === LF) throw new HttpSyntaxError('rules', 'a line feed in a chunk extension');
        return skip();
      case 'chunk-size-lf':
        return expect(byte, LF, left > 0 ? 'chunk' : 'trailer-start');
      case 'chunk-cr':
        return expect(byte, CR, 'chunk-lf');
      case 'chunk-lf':
        expect(byte, LF, 'chunk-size');
        digits = 0;
        skipped = 0;
        return;
      case 'trailer-start':
        state = byte === CR ? 'last-lf' : 'trailer';
        return skip();
      case 'trailer':
        if (byte === CR) state = 'trailer-lf';
        else if (byte === LF) throw new HttpSyntaxError('rules', 'a bare line feed in the trailers');
        return skip();
      case 'trailer-lf':
        return expect(byte, LF, 'trailer-start');
      default:
        expect(byte, LF, 'over');
        // More behind the end was not asked for: whatever it is, nobody may take it for the next answer.
        return finish(keepAlive && isLast);
    }
  };

  return {
    begin() {
      state = 'head';
      stopped = false;
      held = undefined;
      hints = 0;
      keepAliveMs = undefined;
    },
    push(chunk) {
      let at = 0;
      while (at < chunk.length && state !== 'over') {
        if (state === 'head') at = readHead(chunk, at);
        else if (state === 'length') {
          at = readContent(chunk, at);
          if (left === 0) finish(keepAlive && at === chunk.length);
        } else if (state === 'chunk') {
          at = readContent(chunk, at);
          if (left === 0) state = 'chunk-cr';
        } else if (state === 'until-close') {
          hold(at === 0 ? chunk : chunk.subarray(at));
          at = chunk.length;
        } else {
          readFraming(chunk[at] ?? 0, at === chunk.length - 1);
          at += 1;
        }
      }
      if (state !== 'over') release();
    },
    close() {
      if (state !== 'until-close') return false;
      finish(false);
      return true;
    },
    stop() {
      state = 'over';
      stopped = true;
      content = undefined;
      more = undefined;
    },
    keepAliveMs: () => keepAliveMs,
  };
}

function parseHead(text: string): {
  readonly status: number;
  readonly minor: string;
  readonly headers: Record<string, string | undefined>;
} {
  let end = text.indexOf('\r\n');
  const [, minor = '', status] = STATUS_LINE.exec(end < 0 ? text : text.slice(0, end)) ?? [];
  if (status === undefined) throw new HttpSyntaxError('rules', 'a first line that is no status line');
  const headers: Record<string, string | undefined> = {};
  let count = 0;
  while (end >= 0) {
    const start = end + 2;
    end = text.indexOf('\r\n', start);
    const [, token, value = ''] = HEADER_LINE.exec(end < 0 ? text.slice(start) : text.slice(start, end)) ?? [];
    if (token === undefined) throw new HttpSyntaxError('rules', 'a line that is no header');
    count += 1;
    if (count > HEADERS_MAX) throw new HttpSyntaxError('too-many', `more than ${HEADERS_MAX} headers`);
    const name = token.toLowerCase();
    // The one name that would not become a property.
    if (name === '__proto__') continue;
    const before = headers[name];
    const said = value.trimEnd();
    headers[name] = before === undefined ? said : `${before}, ${said}`;
  }
  return { status: Number(status), minor, headers };
}

/** How the end of the content is known (RFC 9112 §6.3). */
function frame(
  status: number,
  minor: string,
  { 'transfer-encoding': encoding, 'content-length': length }: Readonly<Record<string, string | undefined>>,
): number | 'chunks' | 'until-close' {
  if (encoding !== undefined) {
    if (length !== undefined) throw new HttpSyntaxError('rules', 'a length beside a transfer-encoding');
    if (minor !== '1' || encoding.toLowerCase() !== 'chunked')
      throw new HttpSyntaxError('rules', 'a transfer-encoding other than chunked');
    if (status !== 204 && status !== 304) return 'chunks';
  }
  // Twice the same length is joined by a comma, and refused as llhttp does.
  if (length !== undefined && !/^\d{1,15}$/.test(length))
    throw new HttpSyntaxError('rules', 'a length that is no number');
  if (status === 204 || status === 304) return 0;
  return length === undefined ? 'until-close' : Number(length);
}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  if (byte >= 97 && byte <= 102) return byte - 87;
  return byte >= 65 && byte <= 70 ? byte - 55 : -1;
}
