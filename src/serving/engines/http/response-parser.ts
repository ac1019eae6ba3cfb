import {
  ChunkedBody,
  FIELD_LINE,
  fieldValue,
  HttpSyntaxError,
  hasConnectionOption,
} from '../../../ground/std/index.ts';

/** Called synchronously as bytes arrive. */
export interface ResponseEvents {
  /** Header names in lower case, each once: what came several times is joined (RFC 9110 §5.3). Not called for 1xx. */
  head(status: number, headers: Map<string, string>): void;
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
const HEAD_END = Buffer.from('\r\n\r\n');
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/;

type State =
  /** No answer is awaited. */
  'over' | 'head' | 'length' | 'until-close' | 'chunks';

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
  /** Bytes that are left of content whose length was told. */
  let left = 0;
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
  const chunked = new ChunkedBody(hold);

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
    const kept = headers.get('keep-alive');
    keepAlive = minor === '1' && !hasConnectionOption(headers.get('connection') ?? '', 'close');
    if (kept !== undefined) keepAliveMs = Number(/(?:^|[,;\s])timeout=(\d{1,6})/i.exec(kept)?.[1] ?? Number.NaN) * 1000;
    const length = frame(status, minor, headers);
    if (length === 'chunks') {
      state = 'chunks';
      chunked.begin();
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
        } else if (state === 'chunks') {
          at = chunked.push(chunk, at);
          // More behind the end was not asked for: whatever it is, nobody may take it for the next answer.
          if (chunked.isOver()) finish(keepAlive && at === chunk.length);
        } else {
          hold(at === 0 ? chunk : chunk.subarray(at));
          at = chunk.length;
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
  readonly headers: Map<string, string>;
} {
  let end = text.indexOf('\r\n');
  const [, minor = '', status] = STATUS_LINE.exec(end < 0 ? text : text.slice(0, end)) ?? [];
  if (status === undefined) throw new HttpSyntaxError('rules', 'a first line that is no status line');
  const headers = new Map<string, string>();
  let count = 0;
  while (end >= 0) {
    const start = end + 2;
    end = text.indexOf('\r\n', start);
    const [, token, value = ''] = FIELD_LINE.exec(end < 0 ? text.slice(start) : text.slice(start, end)) ?? [];
    if (token === undefined) throw new HttpSyntaxError('rules', 'a line that is no header');
    count += 1;
    if (count > HEADERS_MAX) throw new HttpSyntaxError('too-many', `more than ${HEADERS_MAX} headers`);
    const name = token.toLowerCase();
    const before = headers.get(name);
    const said = fieldValue(value, 0, value.length);
    headers.set(name, before === undefined ? said : `${before}, ${said}`);
  }
  return { status: Number(status), minor, headers };
}

/** How the end of the content is known (RFC 9112 §6.3). */
function frame(status: number, minor: string, headers: ReadonlyMap<string, string>): number | 'chunks' | 'until-close' {
  const encoding = headers.get('transfer-encoding');
  const length = headers.get('content-length');
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
