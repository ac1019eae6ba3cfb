import { Fault } from '../../../ground/std/index.ts';
import { type GgufCursor, PIECE_BYTES_MAX } from './gguf-cursor.ts';

/** Far beyond any real model (the largest read: 1,096 tensors, 60 keys, 262,144 tokens), and small enough to be harmless. */
const TENSORS_MAX = 65_536;
const ENTRIES_MAX = 16_384;
const NAME_BYTES_MAX = 65_535;
const STRING_BYTES_MAX = 67_108_864;
const ARRAY_LENGTH_MAX = 16_777_216;
/** Short numeric arrays are kept: some models give the number of heads per layer. */
const ARRAY_KEPT_MAX = 1_024;
const TEXT_KEPT_BYTES_MAX = 65_536;
const DIMENSIONS_MAX = 4;

export interface GgufArray {
  readonly length: number;
  /** Empty where the array is long, or not of numbers. */
  readonly numbers: readonly number[];
}

export type GgufValue = number | boolean | string | GgufArray;

export interface GgufTensor {
  readonly type: number;
  readonly weights: number;
  /** From the start of the data section. */
  readonly offset: number;
}

export interface GgufHeader {
  readonly version: number;
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: readonly GgufTensor[];
  /** Where the data section begins. */
  readonly dataStart: number;
}

/** A file that is no GGUF of ours. The words go to the person who named the file. */
export function badGguf(message: string, messageZh: string): Fault {
  return new Fault('config_invalid', { message, messageZh, param: 'file' });
}

/**
 * Reads metadata and tensor table of GGUF 2 or 3 (ggml, docs/gguf.md). Every count and length is bounded before it is
 * used, and long values are gone past unread.
 * @throws Fault `config_invalid`; GgufEnd
 */
export async function readGgufHeader(cursor: GgufCursor): Promise<GgufHeader> {
  // By itself: what is shorter than a header and something else is not said to be cut off.
  await cursor.fill(4);
  const magic = cursor.text(4);
  if (magic !== 'GGUF') throw badGguf('not a GGUF file', '不是 GGUF 文件');
  await cursor.fill(4);
  const version = cursor.u32();
  if (version === 0x03000000 || version === 0x02000000)
    throw badGguf('a big-endian GGUF file; convert it to little-endian', '这是大端序的 GGUF 文件，请先转换为小端序');
  if (version !== 2 && version !== 3)
    throw badGguf(`GGUF version ${version} is not supported`, `不支持 GGUF 版本 ${version}`);
  await cursor.fill(16);
  const tensorCount = bounded(cursor.u64(), TENSORS_MAX, 'tensors', '张量数');
  const entryCount = bounded(cursor.u64(), ENTRIES_MAX, 'metadata entries', '元数据项数');
  const metadata = new Map<string, GgufValue>();
  for (let entry = 0; entry < entryCount; entry += 1) {
    const key = await readName(cursor);
    const value = await readValue(cursor, key);
    if (value !== undefined) metadata.set(key, value);
  }
  const tensors: GgufTensor[] = [];
  for (let tensor = 0; tensor < tensorCount; tensor += 1) tensors.push(await readTensor(cursor));
  const alignment = metadata.get('general.alignment') ?? 32;
  if (typeof alignment !== 'number' || alignment < 8 || alignment > 65_536 || alignment % 8 !== 0)
    throw badGguf('general.alignment is out of range', 'general.alignment 超出范围');
  return { version, metadata, tensors, dataStart: Math.ceil(cursor.position / alignment) * alignment };
}

function bounded(value: number, max: number, what: string, whatZh: string): number {
  if (value <= max) return value;
  const shown = Number.isFinite(value) ? String(value) : '2^53+';
  throw badGguf(`${shown} ${what}; at most ${max} are read`, `${whatZh}为 ${shown}，最多读取 ${max}`);
}

async function readName(cursor: GgufCursor): Promise<string> {
  if (!cursor.has(8)) await cursor.fill(8);
  const bytes = bounded(cursor.u64(), NAME_BYTES_MAX, 'bytes in a name', '名称字节数');
  if (!cursor.has(bytes)) await cursor.fill(bytes);
  return cursor.text(bytes);
}

async function readTensor(cursor: GgufCursor): Promise<GgufTensor> {
  await readName(cursor);
  if (!cursor.has(4)) await cursor.fill(4);
  const dimensions = bounded(cursor.u32(), DIMENSIONS_MAX, 'dimensions of a tensor', '张量维数');
  if (!cursor.has(dimensions * 8 + 12)) await cursor.fill(dimensions * 8 + 12);
  let weights = 1;
  for (let dimension = 0; dimension < dimensions; dimension += 1) weights *= cursor.u64();
  if (!Number.isSafeInteger(weights)) throw badGguf('a tensor is larger than 2^53', '有张量大于 2^53');
  const type = cursor.u32();
  return { type, weights, offset: cursor.u64() };
}

const STRING = 8;
const ARRAY = 9;

/** Readers of the scalar types by their number in the file, with their size. */
const SCALARS: ReadonlyMap<number, { readonly bytes: number; readonly read: (from: GgufCursor) => number | boolean }> =
  new Map([
    [0, { bytes: 1, read: from => from.u8() }],
    [1, { bytes: 1, read: from => from.i8() }],
    [2, { bytes: 2, read: from => from.u16() }],
    [3, { bytes: 2, read: from => from.i16() }],
    [4, { bytes: 4, read: from => from.u32() }],
    [5, { bytes: 4, read: from => from.i32() }],
    [6, { bytes: 4, read: from => from.f32() }],
    [7, { bytes: 1, read: from => from.u8() !== 0 }],
    [10, { bytes: 8, read: from => from.u64() }],
    [11, { bytes: 8, read: from => from.i64() }],
    [12, { bytes: 8, read: from => from.f64() }],
  ]);

async function readValue(cursor: GgufCursor, key: string): Promise<GgufValue | undefined> {
  if (!cursor.has(4)) await cursor.fill(4);
  const type = cursor.u32();
  if (type === STRING) return readString(cursor, key);
  if (type === ARRAY) return readArray(cursor);
  const scalar = scalarOf(type);
  if (!cursor.has(scalar.bytes)) await cursor.fill(scalar.bytes);
  return scalar.read(cursor);
}

function scalarOf(type: number) {
  const scalar = SCALARS.get(type);
  if (scalar === undefined) throw badGguf(`unknown metadata type ${type}`, `未知的元数据类型 ${type}`);
  return scalar;
}

/** Undefined, and gone past, where it is longer than anything that is looked at. */
async function readString(cursor: GgufCursor, key: string): Promise<string | undefined> {
  if (!cursor.has(8)) await cursor.fill(8);
  const bytes = bounded(cursor.u64(), STRING_BYTES_MAX, 'bytes in a string', '字符串字节数');
  const keptMax = key === 'tokenizer.chat_template' ? PIECE_BYTES_MAX : TEXT_KEPT_BYTES_MAX;
  if (bytes > keptMax) {
    if (key === 'tokenizer.chat_template') throw badGguf('the chat template is over 1 MiB', '对话模板超过 1 MiB');
    cursor.skip(bytes);
    return undefined;
  }
  if (!cursor.has(bytes)) await cursor.fill(bytes);
  return cursor.text(bytes);
}

async function readArray(cursor: GgufCursor): Promise<GgufArray> {
  if (!cursor.has(12)) await cursor.fill(12);
  const type = cursor.u32();
  const length = bounded(cursor.u64(), ARRAY_LENGTH_MAX, 'elements in an array', '数组元素数');
  if (type === ARRAY) throw badGguf('nested arrays are not supported', '不支持嵌套数组');
  const numbers: number[] = [];
  if (type === STRING) {
    for (let element = 0; element < length; element += 1) {
      if (!cursor.has(8)) await cursor.fill(8);
      cursor.skip(bounded(cursor.u64(), STRING_BYTES_MAX, 'bytes in a string', '字符串字节数'));
    }
    return { length, numbers };
  }
  const scalar = scalarOf(type);
  if (length > ARRAY_KEPT_MAX) {
    cursor.skip(length * scalar.bytes);
    return { length, numbers };
  }
  if (!cursor.has(length * scalar.bytes)) await cursor.fill(length * scalar.bytes);
  for (let element = 0; element < length; element += 1) numbers.push(Number(scalar.read(cursor)));
  return { length, numbers };
}
