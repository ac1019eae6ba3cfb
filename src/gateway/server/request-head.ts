import { FIELD_NAME, FIELD_TEXT, fieldValue, hasConnectionOption } from '../../ground/std/index.ts';

/** Why there is no request in what came: the status that says so. The connection ends with it. */
export class RequestRefused extends Error {
  readonly status: 400 | 408 | 417 | 431 | 501 | 505;
  constructor(status: RequestRefused['status'], message: string) {
    super(message);
    this.status = status;
  }
}

/** A request's first line and what its fields say to us. */
export interface RequestHead {
  readonly method: string;
  /** With its query; what came in absolute form without the scheme and the host, which stands in `host` then (RFC 9112 §3.2.2). */
  readonly target: string;
  /** Undefined in HTTP/1.0 alone. */
  readonly host: string | undefined;
  /** Of HTTP/1. */
  readonly minor: 0 | 1;
  /** All of it, one character a byte, checked against the grammar; without the empty line. */
  readonly text: string;
  /** Bytes of the body; `chunked` where only its end will tell. */
  readonly length: number | 'chunked';
  /** The client would have the connection stay. */
  readonly keepAlive: boolean;
  readonly expectsContinue: boolean;
  readonly authorization: string | undefined;
  readonly acceptLanguage: string | undefined;
  /** Whose page asks, where a browser does. */
  readonly origin: string | undefined;
  readonly contentEncoding: string | undefined;
  /** `x-millrace-timeout-ms`, as it came. */
  readonly timeoutMs: string | undefined;
}

const FIELDS_MAX = 128;
/** As those that there are (RFC 9110 §16.1.1): no other is one that we serve, and a name in lower case is not the same method. */
const METHOD = '[A-Z][A-Z-]{0,23}';
/**
 * All of a head at once: nothing but tokens and visible text, no blank before a colon, no folded line, no lone CR or LF. Parts
 * end at characters that are not in them, so it goes through once, whatever comes.
 */
const HEAD = new RegExp(`^${METHOD} [\\x21-\\x7e\\x80-\\xff]+ HTTP/\\d\\.\\d(?:\\r\\n${FIELD_NAME}:${FIELD_TEXT})*$`);
/** Host and port as a URI has them (RFC 3986 §3.2.2), without a user. */
const HOST = /^[A-Za-z0-9._~!$&'()*+,;=%:[\]-]*$/;
/** A scheme, a host that is not empty and has no user, and what stands behind it. */
const ABSOLUTE = /^https?:\/\/([A-Za-z0-9._~!$&'()*+,;=%:[\]-]+)((?:[/?].*)?)$/i;
const LENGTH = /^\d{1,15}$/;
const VERSION_LENGTH = ' HTTP/1.1'.length;

/** Fields that are looked at, while the head is gone through. */
interface Fields {
  host: string | undefined;
  length: string | undefined;
  encoding: string | undefined;
  connection: string | undefined;
  expect: string | undefined;
  authorization: string | undefined;
  acceptLanguage: string | undefined;
  origin: string | undefined;
  contentEncoding: string | undefined;
  timeoutMs: string | undefined;
}

/** Throws {@link RequestRefused}: where two readers could disagree about a request, there is none. */
export function parseRequestHead(text: string): RequestHead {
  if (!HEAD.test(text)) throw new RequestRefused(400, 'no head of a request');
  const lineEnd = text.indexOf('\r\n');
  const end = lineEnd < 0 ? text.length : lineEnd;
  const version = text.slice(end - 3, end);
  if (version !== '1.1' && version !== '1.0') throw new RequestRefused(505, 'another version of HTTP');
  const methodEnd = text.indexOf(' ');
  const method = text.slice(0, methodEnd);
  const target = text.slice(methodEnd + 1, end - VERSION_LENGTH);
  const absolute = target.charCodeAt(0) === 47 ? null : ABSOLUTE.exec(target);
  if (!absolute && target.charCodeAt(0) !== 47 && !(target === '*' && method === 'OPTIONS'))
    throw new RequestRefused(400, 'a target of a form that is not taken');
  if (method === 'CONNECT') throw new RequestRefused(501, 'a tunnel');
  const minor = version === '1.1' ? 1 : 0;
  const fields = fieldsOf(text, lineEnd);
  if (fields.host === undefined ? minor === 1 : !HOST.test(fields.host))
    throw new RequestRefused(400, 'no host, or none that is one');
  return {
    method,
    target: absolute ? pathOf(absolute[2] ?? '') : target,
    host: absolute ? absolute[1] : fields.host,
    minor,
    text,
    length: lengthOf(fields, minor),
    keepAlive: staysOpen(fields.connection, minor),
    expectsContinue: minor === 1 && expectsContinue(fields.expect),
    authorization: fields.authorization,
    acceptLanguage: fields.acceptLanguage,
    origin: fields.origin,
    contentEncoding: fields.contentEncoding,
    timeoutMs: fields.timeoutMs,
  };
}

/** Of what stands behind a host: a path that is empty is that of the root. */
function pathOf(rest: string): string {
  return rest.startsWith('/') ? rest : `/${rest}`;
}

function fieldsOf(text: string, lineEnd: number): Fields {
  const fields: Fields = {
    host: undefined,
    length: undefined,
    encoding: undefined,
    connection: undefined,
    expect: undefined,
    authorization: undefined,
    acceptLanguage: undefined,
    origin: undefined,
    contentEncoding: undefined,
    timeoutMs: undefined,
  };
  const line = new FieldLine(text, lineEnd);
  for (let count = 1; line.next(); count += 1) {
    if (count > FIELDS_MAX) throw new RequestRefused(431, `more than ${FIELDS_MAX} fields`);
    takeField(fields, line);
  }
  return fields;
}

/** Goes from one field line to the next. */
class FieldLine {
  private readonly text: string;
  private start = 0;
  private colon = 0;
  private end: number;

  constructor(text: string, lineEnd: number) {
    this.text = text;
    this.end = lineEnd < 0 ? text.length : lineEnd;
  }

  next(): boolean {
    if (this.end === this.text.length) return false;
    this.start = this.end + 2;
    this.colon = this.text.indexOf(':', this.start);
    const end = this.text.indexOf('\r\n', this.colon);
    this.end = end < 0 ? this.text.length : end;
    return true;
  }

  nameLength(): number {
    return this.colon - this.start;
  }

  /** Without regard to case: `name` is in lower case, and as long. Bit 0x20 parts letters only: no other token character meets one by it. */
  isNamed(name: string): boolean {
    for (let at = 0; at < name.length; at += 1)
      if ((this.text.charCodeAt(this.start + at) | 0x20) !== name.charCodeAt(at)) return false;
    return true;
  }

  value(): string {
    return fieldValue(this.text, this.colon + 1, this.end);
  }
}

/** Of all fields, most are not ours: their length tells most of them apart. */
function takeField(fields: Fields, line: FieldLine): void {
  switch (line.nameLength()) {
    case 4:
      if (line.isNamed('host')) fields.host = once(fields.host, line.value());
      break;
    case 6:
      if (line.isNamed('expect')) fields.expect = joined(fields.expect, line.value());
      else if (line.isNamed('origin')) fields.origin = joined(fields.origin, line.value());
      break;
    case 10:
      if (line.isNamed('connection')) fields.connection = joined(fields.connection, line.value());
      break;
    case 13:
      if (line.isNamed('authorization')) fields.authorization = once(fields.authorization, line.value());
      break;
    case 14:
      if (line.isNamed('content-length')) fields.length = once(fields.length, line.value());
      break;
    case 15:
      if (line.isNamed('accept-language')) fields.acceptLanguage = joined(fields.acceptLanguage, line.value());
      break;
    case 16:
      if (line.isNamed('content-encoding')) fields.contentEncoding = joined(fields.contentEncoding, line.value());
      break;
    case 17:
      if (line.isNamed('transfer-encoding')) fields.encoding = joined(fields.encoding, line.value());
      break;
    case 21:
      if (line.isNamed('x-millrace-timeout-ms')) fields.timeoutMs = joined(fields.timeoutMs, line.value());
      break;
  }
}

/** Of a field that is there once: who takes the first and who takes the last would see different requests. */
function once(before: string | undefined, value: string): string {
  if (before !== undefined) throw new RequestRefused(400, 'a field twice that is there once');
  return value;
}

function joined(before: string | undefined, value: string): string {
  return before === undefined ? value : `${before}, ${value}`;
}

/** How the end of the body is known (RFC 9112 §6.3). */
function lengthOf({ length, encoding }: Fields, minor: 0 | 1): number | 'chunked' {
  if (encoding !== undefined) {
    if (length !== undefined) throw new RequestRefused(400, 'a length beside a transfer-encoding');
    if (minor === 0) throw new RequestRefused(400, 'a transfer-encoding in HTTP/1.0');
    if (encoding.toLowerCase() !== 'chunked') throw new RequestRefused(501, 'a transfer-encoding other than chunked');
    return 'chunked';
  }
  if (length === undefined) return 0;
  if (!LENGTH.test(length)) throw new RequestRefused(400, 'a length that is no number');
  return Number(length);
}

function staysOpen(connection: string | undefined, minor: 0 | 1): boolean {
  if (connection === undefined) return minor === 1;
  if (hasConnectionOption(connection, 'close')) return false;
  return minor === 1 || hasConnectionOption(connection, 'keep-alive');
}

function expectsContinue(expect: string | undefined): boolean {
  if (expect === undefined) return false;
  if (expect.toLowerCase() !== '100-continue') throw new RequestRefused(417, 'an expectation that is none of ours');
  return true;
}
