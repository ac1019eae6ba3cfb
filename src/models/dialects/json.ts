import { isUtf8 } from 'node:buffer';
import { Fault } from '../../ground/std/index.ts';
import type { JsonObject, JsonValue } from './codec.ts';

/** Deepest nesting of a request. Schemas of tools reach about ten; `JSON.stringify` recurses, and fails at some thousands. */
export const DEPTH_MAX = 128;
/** Most keys in one request: a million distinct keys hold the parser for 0.7 s, a hundred thousand for 20 ms (Node 26). */
export const KEYS_MAX = 100_000;
/** Most values in one request; token arrays for embeddings are the long ones. */
export const VALUES_MAX = 2_000_000;

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
  const exact = scan(body);
  const text = (Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.length)).toString('utf8');
  const value = exact ? parseJson(text) : parseExactly(text);
  if (value === undefined) throw malformed('The request body is not valid JSON', '请求体不是有效的 JSON');
  if (!isObject(value)) throw malformed('The request body must be a JSON object', '请求体必须是 JSON 对象');
  return value;
}

function malformed(message: string, messageZh: string): Fault {
  return new Fault('malformed_request', { message, messageZh });
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** Doubles hold every integer of 15 digits; longer runs are looked at one by one. */
const DIGITS_EXACT = 15;

/**
 * Counts depth, keys and values in one pass over the bytes, without building anything.
 * @returns whether no number outside strings can lose digits by becoming a double.
 */
function scan(bytes: Uint8Array): boolean {
  let depth = 0;
  let keys = 0;
  let values = 0;
  let digits = 0;
  let exact = true;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte >= 0x30 && byte <= 0x39) {
      digits += 1;
      if (digits > DIGITS_EXACT) exact = false;
      continue;
    }
    // An exponent, not the `e` of `true` or `false`.
    if (digits > 0 && (byte === 0x65 || byte === 0x45)) exact = false;
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
  if (keys > KEYS_MAX || values > VALUES_MAX) {
    throw malformed('The request body holds too many keys or values', '请求体中的键或值过多');
  }
  return exact;
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
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
  ): unknown;
  rawJSON(text: string): unknown;
}

function parseExactly(text: string): JsonValue | undefined {
  // ES2025 (JSON.parse source text access); the compiler's library does not know it yet.
  const json = JSON as unknown as ExactJson;
  try {
    return json.parse(text, (_key, value, context) =>
      typeof value === 'number' && context.source !== undefined && loses(value, context.source)
        ? json.rawJSON(context.source)
        : value,
    ) as JsonValue;
  } catch {
    return undefined;
  }
}

/** Fractions are left as doubles, which is what every reader makes of them. */
function loses(value: number, source: string): boolean {
  if (!Number.isFinite(value)) return true;
  return !Number.isSafeInteger(value) && /^-?\d+$/.test(source);
}
