import { isUtf8 } from 'node:buffer';
import { randomUUID } from 'node:crypto';
import { Fault } from '../../ground/std/index.ts';
import type { JsonObject, JsonValue } from './codec.ts';

/** Deepest nesting of a request. Schemas of tools reach about ten; `JSON.stringify` recurses, and fails at some thousands. */
export const DEPTH_MAX = 128;
/** Most keys in one request: a million distinct keys hold the parser for 0.7 s, a hundred thousand for 20 ms (Node 26). */
export const KEYS_MAX = 100_000;
/** Most values in one request; token arrays for embeddings are the long ones. */
export const VALUES_MAX = 2_000_000;
/** Most numbers in one request that may be beyond a double: each costs a string, and some a microsecond. */
export const LONG_NUMBERS_MAX = 100_000;

/** A number kept as it was written ({@link parseRequestObject}) is none: it alone has no prototype. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.getPrototypeOf(value) !== null;
}

export function isArray(value: JsonValue | undefined): value is readonly JsonValue[] {
  return Array.isArray(value);
}

/** JSON text of an upstream; undefined where it is none. */
export function parseJson(text: string): JsonValue | undefined {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return undefined;
  }
}

/**
 * Parses a request body, bounded before the parser runs. Keys such as `__proto__` become plain own properties. Of a key
 * that stands twice the last value counts, for us and for the upstream alike, since the body is written anew. Integers
 * that a double can not hold, and numbers beyond its range, go through as they were written (`JSON.rawJSON`).
 *
 * @throws Fault `malformed_request` where the bytes are no UTF-8, no JSON, no object, or beyond the limits above.
 */
export function parseRequestObject(body: Uint8Array): JsonObject {
  if (body.length === 0) throw malformed('The request body is empty', '请求体为空');
  if (!isUtf8(body)) throw malformed('The request body is not valid UTF-8', '请求体不是有效的 UTF-8');
  const long = scan(body);
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.length);
  const value = long.length === 0 ? parseJson(bytes.toString('utf8')) : parseExactly(bytes, long);
  if (value === undefined) throw malformed('The request body is not valid JSON', '请求体不是有效的 JSON');
  if (!isObject(value)) throw malformed('The request body must be a JSON object', '请求体必须是 JSON 对象');
  return value;
}

function malformed(message: string, messageZh: string): Fault {
  return new Fault('malformed_request', { message, messageZh });
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** Doubles hold every integer of 15 digits; longer ones are looked at one by one. */
const DIGITS_EXACT = 15;
/** A number of so many digits before its point, with its exponent, may be beyond the largest double (1.8e308). */
const DIGITS_FINITE = 308;

/**
 * Counts depth, keys and values in one pass over the bytes, without building anything.
 * @returns where numbers stand that may lose digits, or everything, by becoming a double: start and end in turn.
 */
function scan(bytes: Uint8Array): readonly number[] {
  let depth = 0;
  let keys = 0;
  let values = 0;
  let digits = 0;
  const long: number[] = [];
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte >= 0x30 && byte <= 0x39) {
      digits += 1;
      if (digits <= DIGITS_EXACT) continue;
    }
    // Many digits, or an exponent, which is not the `e` of `true` or `false`: the whole number is looked at.
    if (digits > DIGITS_EXACT || (digits > 0 && (byte === 0x65 || byte === 0x45))) {
      const start = numberStart(bytes, at);
      const end = numberEnd(bytes, start);
      if (end < 0) long.push(start, -end);
      at = Math.abs(end) - 1;
      digits = 0;
      continue;
    }
    digits = 0;
    if (byte === QUOTE) at = stringEnd(bytes, at + 1);
    else if (byte === 0x7b || byte === 0x5b) {
      depth += 1;
      if (depth > DEPTH_MAX) {
        throw malformed(`The request body is nested deeper than ${DEPTH_MAX} levels`, `请求体嵌套超过 ${DEPTH_MAX} 层`);
      }
    } else if (byte === 0x7d || byte === 0x5d) depth -= 1;
    else if (byte === 0x3a) keys += 1;
    else if (byte === 0x2c) values += 1;
  }
  if (keys > KEYS_MAX || values > VALUES_MAX || long.length > 2 * LONG_NUMBERS_MAX) {
    throw malformed('The request body holds too many keys or values', '请求体中的键或值过多');
  }
  return long;
}

const MINUS = 0x2d;
const PLUS = 0x2b;
const POINT = 0x2e;

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function numberStart(bytes: Uint8Array, from: number): number {
  let at = from;
  while (at > 0 && isOfNumber(bytes[at - 1] ?? 0)) at -= 1;
  return at;
}

function isOfNumber(byte: number): boolean {
  return isDigit(byte) || byte === POINT || byte === MINUS || byte === PLUS;
}

/** Where the number that begins there ends; below zero where a double may not hold it. What is no number the parser will say. */
function numberEnd(bytes: Uint8Array, from: number): number {
  let whole = 0;
  let exponent = 0;
  let part: 'whole' | 'fraction' | 'exponent' = 'whole';
  let isSmall = false;
  let at = from;
  for (; at < bytes.length; at += 1) {
    const byte = bytes[at] ?? 0;
    if (isDigit(byte)) {
      if (part === 'whole') whole += 1;
      else if (part === 'exponent' && exponent <= DIGITS_FINITE) exponent = exponent * 10 + byte - 0x30;
    } else if (byte === POINT) part = 'fraction';
    else if (byte === 0x65 || byte === 0x45) part = 'exponent';
    else if (byte === MINUS) isSmall = part === 'exponent';
    else if (byte !== PLUS) break;
  }
  const isLong = part === 'whole' ? whole > DIGITS_EXACT : whole + (isSmall ? 0 : exponent) > DIGITS_FINITE;
  return isLong ? -at : at;
}

/** Where the string that begins at `from` ends: at its closing quote, or at the last byte where it has none. */
function stringEnd(bytes: Uint8Array, from: number): number {
  let at = from;
  for (;;) {
    // Short strings byte by byte; long ones by jumps, which cost a call each but run at memory speed.
    const near = Math.min(at + 48, bytes.length);
    for (; at < near; at += 1) {
      const byte = bytes[at];
      if (byte === BACKSLASH) at += 1;
      else if (byte === QUOTE) return at;
    }
    if (at >= bytes.length) return bytes.length;
    const quote = bytes.indexOf(QUOTE, at);
    if (quote < 0) return bytes.length;
    let escapes = quote;
    while (escapes > at && bytes[escapes - 1] === BACKSLASH) escapes -= 1;
    if ((quote - escapes) % 2 === 0) return quote;
    at = quote + 1;
  }
}

interface ExactJson {
  rawJSON(text: string): unknown;
}

/**
 * In place of each number that a double does not hold stands a string that nobody can know, until all is parsed. `JSON.parse` could
 * tell the source of each value to a function, which takes a microsecond for each value that there is, of whatever kind.
 */
function parseExactly(bytes: Buffer, long: readonly number[]): JsonValue | undefined {
  const mark = randomUUID();
  const kept = new Map<string, unknown>();
  let text = '';
  let from = 0;
  for (let index = 0; index + 1 < long.length; index += 2) {
    const [start = 0, end = 0] = [long[index], long[index + 1]];
    const source = bytes.toString('latin1', start, end);
    if (!NUMBER.test(source) || !loses(Number(source), source)) continue;
    const name = `${mark}${index}`;
    // ES2025 (JSON.parse source text access); the compiler's library does not know it yet.
    kept.set(name, (JSON as unknown as ExactJson).rawJSON(source));
    text += `${bytes.toString('utf8', from, start)}"${name}"`;
    from = end;
  }
  const value = parseJson(text + bytes.toString('utf8', from));
  return value !== undefined && putBack(value, kept) ? value : undefined;
}

const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/** False where a number stood for a key. Depth is bounded by then. */
function putBack(value: unknown, kept: ReadonlyMap<string, unknown>): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (Array.isArray(value)) {
    // Not by its keys: an array of two million numbers has two million of them.
    for (let at = 0; at < value.length; at += 1) {
      const raw = typeof value[at] === 'string' ? kept.get(value[at]) : undefined;
      if (raw !== undefined) value[at] = raw;
      else if (!putBack(value[at], kept)) return false;
    }
    return true;
  }
  for (const [key, part] of Object.entries(value)) {
    if (kept.has(key)) return false;
    const raw = typeof part === 'string' ? kept.get(part) : undefined;
    // Defined, not set: a key may be `__proto__`.
    if (raw !== undefined)
      Object.defineProperty(value, key, { value: raw, enumerable: true, writable: true, configurable: true });
    else if (!putBack(part, kept)) return false;
  }
  return true;
}

/** Fractions are left as doubles, which is what every reader makes of them. */
function loses(value: number, source: string): boolean {
  if (!Number.isFinite(value)) return true;
  return !Number.isSafeInteger(value) && /^-?\d+$/.test(source);
}
