import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Fault } from '../../../ground/std/index.ts';
import { NANO } from './engine-fixture.ts';
import { entry, gguf, inTwoParts, LLAMA_ENTRIES, tensor, text, u32, u64 } from './gguf-fixture.ts';
import { inspectGguf } from './inspect-gguf.ts';

const folder = mkdtempSync(join(tmpdir(), 'mr-gguf-'));
after(() => rmSync(folder, { recursive: true }));

let files = 0;
function saved(bytes: Buffer): string {
  files += 1;
  const file = join(folder, `${files}.gguf`);
  writeFileSync(file, bytes);
  return file;
}

const WEIGHTS = tensor('w', [64, 32], 1);
const WEIGHT_BYTES = 64 * 32 * 2;

test('millrace-nano is what its card says', async () => {
  const { chatTemplate, ...summary } = await inspectGguf(NANO);
  assert.match(chatTemplate ?? '', /enable_thinking/);
  assert.deepEqual(summary, {
    name: 'millrace-nano',
    architecture: 'llama',
    contextTokens: 1024,
    parameterCount: 3_025_344,
    quantization: 'F16',
    hasChatTemplate: true,
    operations: ['chat', 'completions', 'embeddings'],
    fileBytes: 6_204_064,
    vocabularySize: 3072,
    embeddingLength: 192,
    layerCount: 6,
    headCount: 6,
    // 6 layers × 3 heads × (32 + 32)
    cacheNumbersPerToken: 1152,
    sampling: {},
  });
});

test('what a file says is read, and what it does not say is derived', async () => {
  const read = async (...more: Buffer[]) =>
    inspectGguf(saved(gguf([...LLAMA_ENTRIES, ...more], [WEIGHTS], WEIGHT_BYTES)));
  const plain = await read();
  assert.equal(plain.quantization, 'F16');
  assert.equal(plain.cacheNumbersPerToken, 2 * 2 * 32);
  assert.equal(plain.hasChatTemplate, false);
  assert.equal((await read(entry.u32('general.file_type', 15))).quantization, 'Q4_K_M');
  assert.deepEqual(
    (await read(entry.f32('general.sampling.temp', 0.5), entry.u32('general.sampling.top_k', 20))).sampling,
    {
      temperature: 0.5,
      topK: 20,
    },
  );
  assert.deepEqual((await read(entry.u32('llama.pooling_type', 1))).operations, ['embeddings']);
  assert.deepEqual((await read(entry.bool('llama.attention.causal', false))).operations, ['embeddings']);
  // A later entry of one name wins, and layers may differ: this one has attention in its first layer only.
  assert.equal((await read(entry.u32s('llama.attention.head_count_kv', [2, 0]))).cacheNumbersPerToken, 2 * 32);
  assert.equal((await read(entry.string('general.name', 'a\u001b[31mb\u202Ec'))).name, 'a[31mbc');
});

const ARRAY_OF_STRINGS = (count: bigint) => Buffer.concat([text('a'), u32(9), u32(8), u64(count)]);

const REFUSED: readonly (readonly [what: string, bytes: Buffer, words: RegExp])[] = [
  ['nothing', Buffer.alloc(0), /cut off/],
  ['a short other file', Buffer.from('hello\n'), /not a GGUF/],
  ['the magic alone', Buffer.from('GGUF'), /cut off/],
  ['another file', Buffer.from('%PDF-1.7 and so on'), /not a GGUF/],
  ['old version', gguf(LLAMA_ENTRIES, [WEIGHTS], WEIGHT_BYTES, { version: 1 }), /version 1/],
  ['big-endian', gguf([], [], 0, { version: 0x03000000 }), /big-endian/],
  ['2^64 tensors', gguf([], [], 0, { tensors: 2n ** 64n - 1n }), /tensors; at most/],
  ['2^40 entries', gguf([], [], 0, { entries: 2n ** 40n }), /entries; at most/],
  ['name of 2^62 bytes', gguf([u64(2n ** 62n)], [], 0), /bytes in a name/],
  ['string of 2^63 bytes', gguf([Buffer.concat([text('k'), u32(8), u64(2n ** 63n)])], [], 0), /bytes in a string/],
  ['string beyond the end', gguf([Buffer.concat([text('k'), u32(8), u64(60_000_000)])], [], 0), /cut off/],
  ['array of 2^60', gguf([ARRAY_OF_STRINGS(2n ** 60n)], [], 0), /elements in an array/],
  ['array of strings beyond the end', gguf([ARRAY_OF_STRINGS(16_000_000n)], [], 0), /cut off/],
  ['nested array', gguf([Buffer.concat([text('a'), u32(9), u32(9), u64(1)])], [], 0), /nested/],
  ['unknown type', gguf([Buffer.concat([text('a'), u32(99)])], [], 64), /metadata type 99/],
  ['9 dimensions', gguf(LLAMA_ENTRIES, [tensor('w', new Array(9).fill(1))], 64), /dimensions/],
  ['tensor of 2^80', gguf(LLAMA_ENTRIES, [tensor('w', [2 ** 40, 2 ** 40])], 64), /larger than/],
  ['tensors beyond the end', gguf(LLAMA_ENTRIES, [WEIGHTS], WEIGHT_BYTES - 1), /cut off/],
  ['no tensors', gguf(LLAMA_ENTRIES, [], 0), /no tensors/],
  ['odd alignment', gguf([...LLAMA_ENTRIES, entry.u32('general.alignment', 7)], [WEIGHTS], WEIGHT_BYTES), /alignment/],
  ['no architecture', gguf([entry.u32('x', 1)], [WEIGHTS], WEIGHT_BYTES), /architecture/],
  ['no context length', gguf(LLAMA_ENTRIES.toSpliced(2, 1), [WEIGHTS], WEIGHT_BYTES), /context_length/],
  [
    'context of 0',
    gguf([...LLAMA_ENTRIES, entry.u32('llama.context_length', 0)], [WEIGHTS], WEIGHT_BYTES),
    /context_length/,
  ],
  ['an adapter', gguf([...LLAMA_ENTRIES, entry.string('general.type', 'adapter')], [WEIGHTS], WEIGHT_BYTES), /adapter/],
  [
    'a first part by another name',
    gguf([...LLAMA_ENTRIES, entry.u32('split.count', 3)], [WEIGHTS], WEIGHT_BYTES),
    /must be called NAME-00001-of-00003/,
  ],
  [
    'a part that is not the first',
    gguf([entry.u32('split.count', 3), entry.u32('split.no', 1)], [WEIGHTS], WEIGHT_BYTES),
    /part 2 of 3 of a split model; give its first part/,
  ],
  [
    'huge heads',
    gguf([...LLAMA_ENTRIES, entry.u32('llama.attention.head_count_kv', 4e9)], [WEIGHTS], WEIGHT_BYTES),
    /attention/,
  ],
];

for (const [what, bytes, words] of REFUSED)
  test(`refused in both languages: ${what}`, async () => {
    const file = saved(bytes);
    await assert.rejects(inspectGguf(file), (error: unknown) => {
      assert.ok(error instanceof Fault);
      assert.equal(error.code, 'config_invalid');
      assert.match(error.message, words);
      assert.ok(error.message.startsWith(file));
      assert.match(error.messageIn('zh'), /[\u4e00-\u9fff]/);
      return true;
    });
  });

test('a split model is its parts together; what is wrong with one of them is said of that one', async () => {
  const [first, second] = [join(folder, 'n-00001-of-00002.gguf'), join(folder, 'n-00002-of-00002.gguf')];
  inTwoParts(NANO, [first, second]);
  const [whole, parts] = [await inspectGguf(NANO), await inspectGguf(first)];
  const { fileBytes, ...rest } = parts;
  const { fileBytes: wholeBytes, ...same } = whole;
  assert.deepEqual(rest, same);
  assert.ok(Math.abs(fileBytes - wholeBytes) < 4_096);
  await assert.rejects(
    inspectGguf(second),
    /n-00002-of-00002\.gguf: part 2 of 2 of a split model; give its first part, n-00001-of-00002\.gguf/,
  );
  const bytes = readFileSync(second);
  writeFileSync(second, bytes.subarray(0, bytes.length - 64));
  await assert.rejects(inspectGguf(first), /^Fault: [^:]*n-00002-of-00002\.gguf: the file is cut off/);
  copyFileSync(NANO, second);
  await assert.rejects(inspectGguf(first), /not of the same model/);
  rmSync(second);
  await assert.rejects(inspectGguf(first), /^Fault: [^:]*n-00002-of-00002\.gguf: cannot be opened/);
});

test('a file cut off anywhere is refused, and never read as whole', async () => {
  const whole = readFileSync(NANO);
  for (const bytes of [3, 4, 23, 24, 100, 5_000, 60_000, 100_000, 1_000_000, whole.length - 64]) {
    await assert.rejects(inspectGguf(saved(whole.subarray(0, bytes))), /cut off/, `${bytes} bytes`);
  }
});

test('what is no file is refused without waiting', async () => {
  await assert.rejects(inspectGguf(join(folder, 'nowhere.gguf')), /cannot be opened \(ENOENT\)/);
  await assert.rejects(inspectGguf(folder), /not a regular file/);
  if (process.platform === 'win32') return;
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  await assert.rejects(inspectGguf(pipe), /not a regular file/);
});
