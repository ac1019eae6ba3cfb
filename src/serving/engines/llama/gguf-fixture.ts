import { readFileSync, writeFileSync } from 'node:fs';

/** Pieces of GGUF files for tests: whole ones, and ones that lie. Little-endian, version 3. */
export const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};

export const u64 = (value: bigint | number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
};

export const text = (value: string): Buffer => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)]);

export const entry = {
  u32: (key: string, value: number): Buffer => Buffer.concat([text(key), u32(4), u32(value)]),
  bool: (key: string, value: boolean): Buffer => Buffer.concat([text(key), u32(7), Buffer.from([value ? 1 : 0])]),
  f32(key: string, value: number): Buffer {
    const bytes = Buffer.alloc(4);
    bytes.writeFloatLE(value);
    return Buffer.concat([text(key), u32(6), bytes]);
  },
  string: (key: string, value: string): Buffer => Buffer.concat([text(key), u32(8), text(value)]),
  u32s: (key: string, values: readonly number[]): Buffer =>
    Buffer.concat([text(key), u32(9), u32(4), u64(values.length), ...values.map(u32)]),
};

export const tensor = (name: string, sizes: readonly number[], type = 0, offset = 0): Buffer =>
  Buffer.concat([text(name), u32(sizes.length), ...sizes.map(u64), u32(type), u64(offset)]);

export function gguf(
  entries: readonly Buffer[],
  tensors: readonly Buffer[],
  dataBytes: number,
  head: {
    readonly magic?: string;
    readonly version?: number;
    readonly entries?: bigint;
    readonly tensors?: bigint;
  } = {},
): Buffer {
  const top = Buffer.concat([
    Buffer.from(head.magic ?? 'GGUF'),
    u32(head.version ?? 3),
    u64(head.tensors ?? tensors.length),
    u64(head.entries ?? entries.length),
    ...entries,
    ...tensors,
  ]);
  return Buffer.concat([top, Buffer.alloc(-top.length & 31), Buffer.alloc(dataBytes)]);
}

/** A small llama with 2 layers, of no use but to be looked at. */
export const LLAMA_ENTRIES: readonly Buffer[] = [
  entry.string('general.architecture', 'llama'),
  entry.string('general.name', 'Tiny'),
  entry.u32('llama.context_length', 4096),
  entry.u32('llama.embedding_length', 64),
  entry.u32('llama.block_count', 2),
  entry.u32('llama.attention.head_count', 4),
  entry.u32('llama.attention.head_count_kv', 2),
];

export const TEMPLATE_KEY = 'tokenizer.chat_template';

/** Writes the model at `from` with other entries in place of its chat template, which must be its last, as in millrace-nano. */
export function withEntries(from: string, to: string, entries: readonly Buffer[]): void {
  const bytes = readFileSync(from);
  const key = text(TEMPLATE_KEY);
  const at = bytes.indexOf(key);
  const lengthAt = at + key.length + 4;
  const end = lengthAt + 8 + Number(bytes.readBigUInt64LE(lengthAt));
  const tensorsEnd = dataStart(bytes, end);
  const head = Buffer.concat([bytes.subarray(0, at), ...entries, bytes.subarray(end, tensorsEnd)]);
  head.writeBigUInt64LE(head.readBigUInt64LE(16) - 1n + BigInt(entries.length), 16);
  writeFileSync(to, Buffer.concat([head, Buffer.alloc(-head.length & 31), bytes.subarray((tensorsEnd + 31) & ~31)]));
}

const u16Entry = (key: string, value: number): Buffer => Buffer.concat([text(key), u32(2), Buffer.from([value, 0])]);
const i32Entry = (key: string, value: number): Buffer => Buffer.concat([text(key), u32(5), u32(value)]);

/** Writes the model at `from` as llama-gguf-split would, in two parts; the second has nothing but tensors. */
export function inTwoParts(from: string, paths: readonly [first: string, second: string]): void {
  const bytes = readFileSync(from);
  const key = text(TEMPLATE_KEY);
  const lengthAt = bytes.indexOf(key) + key.length + 4;
  const end = lengthAt + 8 + Number(bytes.readBigUInt64LE(lengthAt));
  const dataAt = (dataStart(bytes, end) + 31) & ~31;
  const tensors: { readonly head: Buffer; readonly offset: number }[] = [];
  for (let at = end; tensors.length < Number(bytes.readBigUInt64LE(8)); ) {
    const start = at;
    at += 8 + Number(bytes.readBigUInt64LE(at));
    at += 4 + bytes.readUInt32LE(at) * 8 + 12;
    tensors.push({ head: bytes.subarray(start, at - 8), offset: Number(bytes.readBigUInt64LE(at - 8)) });
  }
  const half = tensors.length >> 1;
  for (const [index, path] of paths.entries()) {
    const part = index === 0 ? tensors.slice(0, half) : tensors.slice(half);
    const base = part[0]?.offset ?? 0;
    const split = [
      u16Entry('split.no', index),
      u16Entry('split.count', 2),
      i32Entry('split.tensors.count', tensors.length),
    ];
    const count = split.length + (index === 0 ? Number(bytes.readBigUInt64LE(16)) : 0);
    const head = Buffer.concat([
      bytes.subarray(0, 8),
      u64(part.length),
      u64(count),
      ...(index === 0 ? [bytes.subarray(24, end)] : []),
      ...split,
      ...part.flatMap(({ head: table, offset }) => [table, u64(offset - base)]),
    ]);
    const dataEnd = index === 0 ? dataAt + (tensors[half]?.offset ?? 0) : bytes.length;
    writeFileSync(path, Buffer.concat([head, Buffer.alloc(-head.length & 31), bytes.subarray(dataAt + base, dataEnd)]));
  }
}

/** End of the tensor table that begins at `from`. */
function dataStart(bytes: Buffer, from: number): number {
  let at = from;
  for (let left = Number(bytes.readBigUInt64LE(8)); left > 0; left -= 1) {
    at += 8 + Number(bytes.readBigUInt64LE(at));
    at += 4 + bytes.readUInt32LE(at) * 8 + 12;
  }
  return at;
}
