import type { JsonObject, JsonValue } from '../codec.ts';
import { isArray, isObject } from '../json.ts';
import { invalid } from './fields.ts';

// Why bytes: a byte-level tokenizer makes at least one byte of text of every token, so a text never has more tokens than
// UTF-8 bytes, and the JSON that carries it never has fewer bytes than the text. What templates add is bounded apart.

/** What a chat template writes of its own: a default system prompt, the date, end marks. The longest seen has 420 bytes. */
export const TEMPLATE_TOKENS = 512;
/** Role marks and line ends around one message; the longest seen (harmony's) has 44 bytes, and the JSON has 26 itself. */
export const MESSAGE_TOKENS = 32;
/** What a template writes around tools: how to call them, in words. The longest seen has 1,400 bytes. */
export const TOOLS_TOKENS = 2_048;
/**
 * The dearest image there is: OpenAI's mini models charge 2,833 + 5,667 for each of at most eight tiles, 48,169 tokens.
 * `detail: low` is no bound, since most vendors do not know it.
 */
export const IMAGE_TOKENS = 49_152;
/** Sound, video, documents and parts not known here: their size says nothing, but none exceeds the longest context sold. */
export const MEDIA_TOKENS = 1_048_576;
/** What an image costs more often than not; for limits and estimates only. */
const IMAGE_TOKENS_GUESS = 1_000;
/** UTF-8 bytes per token: about 4 in English, and 4 in Chinese as well (three bytes a character, 0.7 tokens). */
const BYTES_PER_TOKEN_GUESS = 4;

const TEXT_PARTS: ReadonlySet<JsonValue | undefined> = new Set([
  'text',
  'refusal',
  'thinking',
  'reasoning',
  'input_text',
  'output_text',
  'summary_text',
]);

/** Sums what the input can cost. */
export interface InputBound {
  tokensMax: number;
  /** Bytes that are text, as far as is known cheaply. */
  textBytes: number;
  images: number;
}

export function guess({ textBytes, images }: InputBound): number {
  return Math.max(1, Math.ceil(textBytes / BYTES_PER_TOKEN_GUESS) + images * IMAGE_TOKENS_GUESS);
}

/** Adds what the parts of a message's content cost beyond their text. Throws Fault `invalid_parameter`. */
export function addParts(parts: readonly JsonValue[], param: string, bound: InputBound): void {
  for (const [index, part] of parts.entries()) {
    if (typeof part === 'string') continue;
    if (!isObject(part)) {
      const at = `${param}[${index}]`;
      throw invalid(at, `${at} must be an object with a type`, `${at} 必须是带有 type 的对象`);
    }
    if (!TEXT_PARTS.has(part['type'])) addMedia(part, `${param}[${index}]`, bound);
  }
}

function addMedia(part: JsonObject, param: string, bound: InputBound): void {
  const { type, image_url: image, file } = part;
  if (part['file_id'] !== undefined || (isObject(file) && file['file_id'] !== undefined)) throw keptElsewhere(param);
  const isImage = type === 'image_url' || type === 'input_image';
  const url = isImage ? (isObject(image) ? image['url'] : image) : isObject(file) ? file['file_data'] : undefined;
  if (isImage && typeof url === 'string' && !/^(?:data:|https?:\/\/)/i.test(url)) throw keptElsewhere(param);
  bound.tokensMax += isImage ? IMAGE_TOKENS : MEDIA_TOKENS;
  bound.images += 1;
  // Embedded data is no text: a picture of a megabyte would else hold money for a million tokens.
  if (typeof url === 'string' && url.startsWith('data:')) {
    bound.tokensMax -= url.length;
    bound.textBytes -= url.length;
  }
}

/** A file of a vendor's file store: its cost can not be bounded, and the store is shared by everyone who uses this gateway. */
function keptElsewhere(param: string) {
  return invalid(
    param,
    `${param} points at a file kept at a vendor, which is not supported: send the data, or an http(s) address`,
    `${param} 指向存放在供应商的文件，暂不支持：请直接发送数据，或使用 http(s) 地址`,
  );
}

/**
 * Adds what templates make of schemas: some write them indented by four (Llama 3.1), some with everything but ASCII as
 * `\uXXXX`, which is six bytes for each UTF-16 unit.
 */
export function addSchemas(schemas: readonly (JsonValue | undefined)[], bound: InputBound): void {
  let bytes = 0;
  for (const schema of schemas) {
    if (schema === undefined || schema === null) continue;
    const written = JSON.stringify(schema, null, 4);
    // A unit beyond ASCII has at least one byte more than units: the difference bounds how many there are.
    bytes += written.length + 5 * (Buffer.byteLength(written) - written.length);
  }
  if (bytes > 0) bound.tokensMax += bytes + TOOLS_TOKENS;
}

/** How many inputs a prompt or an embeddings request holds: a text, texts, tokens, or lists of tokens. Throws Fault. */
export function countInputs(value: JsonValue | undefined, param: string, most: number): number {
  if (typeof value === 'string') return 1;
  if (!isArray(value) || value.length === 0) throw noInput(param);
  if (typeof value[0] === 'number') {
    if (isTokens(value)) return 1;
    throw noInput(param);
  }
  if (value.length > most) {
    throw invalid(
      param,
      `${param} holds ${value.length} items; at most ${most} are taken`,
      `${param} 有 ${value.length} 项，最多 ${most} 项`,
    );
  }
  const texts = typeof value[0] === 'string';
  for (const item of value) {
    if (texts ? typeof item !== 'string' : !isArray(item) || item.length === 0 || !isTokens(item)) throw noInput(param);
  }
  return value.length;
}

const TOKEN_ID_MAX = 2 ** 31 - 1;

function isTokens(items: readonly JsonValue[]): boolean {
  return items.every(item => typeof item === 'number' && Number.isInteger(item) && item >= 0 && item <= TOKEN_ID_MAX);
}

function noInput(param: string) {
  return invalid(
    param,
    `${param} must be a string, an array of strings, an array of token ids, or an array of such arrays; none empty`,
    `${param} 必须是字符串、字符串数组、词元编号数组，或词元编号数组的数组，且不能为空`,
  );
}
