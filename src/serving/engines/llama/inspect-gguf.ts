import { open, stat } from 'node:fs/promises';
import { Fault, toFault } from '../../../ground/std/index.ts';
import { GgufCursor, GgufEnd } from './gguf-cursor.ts';
import { badGguf, type GgufHeader, type GgufValue, readGgufHeader } from './gguf-header.ts';
import { type GgufPart, joinParts, otherParts } from './gguf-parts.ts';
import { FILE_TYPES, TENSOR_TYPES } from './gguf-types.ts';

/** A vocabulary of 262,144 tokens with its merges takes 15 MiB. */
const HEADER_BYTES_MAX = 268_435_456;
const NAME_LENGTH_MAX = 120;
/** 64 times the largest read (llama 3.1 405B: 258,048). */
const CACHE_NUMBERS_MAX = 16_777_216;

/** What a model file says about itself. Counts are plain numbers, sizes in bytes. */
export interface GgufSummary {
  readonly name: string;
  /** As llama.cpp calls it: `llama`, `qwen3`, … */
  readonly architecture: string;
  /** Longest context that the model was trained for, in tokens. */
  readonly contextTokens: number;
  readonly parameterCount: number;
  /** `F16`, `Q4_K_M`, …; the type that holds most weights where the file does not say. */
  readonly quantization: string;
  readonly hasChatTemplate: boolean;
  readonly chatTemplate?: string;
  readonly operations: readonly ('chat' | 'completions' | 'embeddings')[];
  readonly fileBytes: number;
  readonly vocabularySize: number;
  readonly embeddingLength: number;
  readonly layerCount: number;
  readonly headCount: number;
  /** Keys and values that one token leaves in the cache, over all layers, in numbers (2 bytes each as F16). */
  readonly cacheNumbersPerToken: number;
  /** How the model makes one vector of many, where it says: 0 none, 1 mean, 2 cls, 3 last, 4 rank (llama.h). */
  readonly poolingType?: number;
  /** Sampling that its makers advise (`general.sampling.*`), where the file says. */
  readonly sampling: {
    readonly temperature?: number;
    readonly topK?: number;
    readonly topP?: number;
    readonly minP?: number;
  };
}

/**
 * What the model in `file` is, from its header alone: bounded in time and memory whatever the file claims.
 * @throws Fault `config_invalid` where it is no whole, little-endian GGUF model, or cannot be read
 */
export async function inspectGguf(file: string): Promise<GgufSummary> {
  const first = await readPart(file);
  const others: GgufPart[] = [];
  for (const other of naming(file, () => otherParts(file, first.header))) others.push(await readPart(other));
  return naming(file, () => {
    const { header, fileBytes } = joinParts(first, others);
    return summarize(header, fileBytes);
  });
}

function naming<Result>(file: string, read: () => Result): Result {
  try {
    return read();
  } catch (error) {
    throw named(file, error);
  }
}

/** The head of one file, which must be all there. */
async function readPart(file: string): Promise<GgufPart> {
  // Asked before opening: to open a named pipe would wait for its writer for ever.
  const { fileBytes, handle } = await openRegular(file).catch(error => {
    if (error instanceof Fault) throw error;
    throw badGguf(`${file}: cannot be opened (${codeOf(error)})`, `${file}：无法打开（${codeOf(error)}）`);
  });
  try {
    const header = await readGgufHeader(new GgufCursor(handle, { fileBytes, bytesMax: HEADER_BYTES_MAX }));
    checkExtents(header, fileBytes);
    return { header, fileBytes };
  } catch (error) {
    throw named(file, error);
  } finally {
    await handle.close();
  }
}

async function openRegular(file: string) {
  const found = await stat(file);
  if (!found.isFile()) throw badGguf(`${file}: is not a regular file`, `${file}：不是普通文件`);
  return { fileBytes: found.size, handle: await open(file, 'r') };
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'error';
}

function named(file: string, error: unknown): Error {
  if (error instanceof GgufEnd)
    return error.reason === 'truncated'
      ? badGguf(`${file}: the file is cut off; download it again`, `${file}：文件不完整，请重新下载`)
      : badGguf(`${file}: the header is over 256 MiB`, `${file}：文件头超过 256 MiB`);
  const fault = toFault(error);
  if (fault.code !== 'config_invalid')
    return badGguf(`${file}: cannot be read (${codeOf(error)})`, `${file}：无法读取（${codeOf(error)}）`);
  return badGguf(`${file}: ${fault.messageIn('en')}`, `${file}：${fault.messageIn('zh')}`);
}

function summarize(header: GgufHeader, fileBytes: number): GgufSummary {
  const { metadata } = header;
  const architecture = text(metadata.get('general.architecture'));
  if (architecture === undefined || !/^[a-z0-9._-]{1,64}$/i.test(architecture))
    throw badGguf('general.architecture is missing', '缺少 general.architecture');
  refuseOtherKinds(header, architecture);
  const own = (key: string) => metadata.get(`${architecture}.${key}`);
  const contextTokens = count(own('context_length'), `${architecture}.context_length`);
  const embeddingLength = count(own('embedding_length'), `${architecture}.embedding_length`);
  const layerCount = count(own('block_count'), `${architecture}.block_count`);
  const headCount = Math.max(1, ...numbers(own('attention.head_count')));
  if (header.tensors.length === 0) throw badGguf('the file has no tensors', '文件中没有张量');
  const chatTemplate = text(metadata.get('tokenizer.chat_template'));
  const poolingType = number(own('pooling_type'));
  const tokens = metadata.get('tokenizer.ggml.tokens');
  const encoderOnly = own('attention.causal') === false || (poolingType !== undefined && poolingType !== 0);
  return {
    name: printable(text(metadata.get('general.name')) ?? architecture),
    architecture,
    contextTokens,
    parameterCount: header.tensors.reduce((sum, tensor) => sum + tensor.weights, 0),
    quantization: FILE_TYPES.get(number(metadata.get('general.file_type')) ?? -1) ?? dominantType(header),
    hasChatTemplate: chatTemplate !== undefined,
    ...(chatTemplate === undefined ? {} : { chatTemplate }),
    operations: encoderOnly ? ['embeddings'] : ['chat', 'completions', 'embeddings'],
    fileBytes,
    vocabularySize: typeof tokens === 'object' ? tokens.length : (number(own('vocab_size')) ?? 0),
    embeddingLength,
    layerCount,
    headCount,
    cacheNumbersPerToken: cacheNumbers(own, { layerCount, headCount, embeddingLength }),
    ...(poolingType === undefined ? {} : { poolingType }),
    sampling: advisedSampling(metadata),
  };
}

/** Files that are GGUF, and yet no model that can be served alone. */
function refuseOtherKinds({ metadata }: GgufHeader, architecture: string): void {
  const kind = text(metadata.get('general.type')) ?? 'model';
  if (kind !== 'model' || architecture === 'clip')
    throw badGguf(
      `this is a ${printable(kind === 'model' ? 'projector' : kind)}, not a model`,
      '这不是可单独运行的模型',
    );
}

/** A download that stopped halfway has a whole header, and tensors beyond its end. */
function checkExtents(header: GgufHeader, fileBytes: number): void {
  for (const tensor of header.tensors) {
    const type = TENSOR_TYPES.get(tensor.type);
    const bytes = type === undefined ? 0 : Math.ceil(tensor.weights / type.block) * type.bytes;
    if (header.dataStart + tensor.offset + bytes > fileBytes) throw new GgufEnd('truncated');
  }
}

function cacheNumbers(
  own: (key: string) => GgufValue | undefined,
  shape: { readonly layerCount: number; readonly headCount: number; readonly embeddingLength: number },
): number {
  const headLength = Math.ceil(shape.embeddingLength / shape.headCount);
  const key = number(own('attention.key_length')) ?? headLength;
  const value = number(own('attention.value_length')) ?? headLength;
  const heads = numbers(own('attention.head_count_kv') ?? shape.headCount);
  // One number stands for all layers, an array gives each layer its own; layers without attention have 0.
  const headsOverLayers = heads.length === 1 ? (heads[0] ?? 0) * shape.layerCount : heads.reduce((a, b) => a + b, 0);
  const perToken = headsOverLayers * (key + value);
  if (!(perToken >= 0 && perToken <= CACHE_NUMBERS_MAX))
    throw badGguf('the attention shape is out of range', '注意力结构参数超出范围');
  return perToken;
}

function dominantType(header: GgufHeader): string {
  const weights = new Map<number, number>();
  for (const tensor of header.tensors) weights.set(tensor.type, (weights.get(tensor.type) ?? 0) + tensor.weights);
  const [first] = [...weights].sort((a, b) => b[1] - a[1]);
  return first === undefined ? 'unknown' : (TENSOR_TYPES.get(first[0])?.name ?? `type ${first[0]}`);
}

function advisedSampling(metadata: GgufHeader['metadata']): GgufSummary['sampling'] {
  const found: Record<string, number> = {};
  for (const [name, key] of [
    ['temperature', 'temp'],
    ['topK', 'top_k'],
    ['topP', 'top_p'],
    ['minP', 'min_p'],
  ] as const) {
    const value = number(metadata.get(`general.sampling.${key}`));
    if (value !== undefined && value >= 0) found[name] = value;
  }
  return found;
}

function text(value: GgufValue | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function number(value: GgufValue | undefined): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

function numbers(value: GgufValue | undefined): readonly number[] {
  if (typeof value === 'object') return value.numbers.filter(Number.isFinite);
  return typeof value === 'number' && Number.isFinite(value) ? [value] : [];
}

function count(value: GgufValue | undefined, key: string): number {
  const found = number(value);
  if (found === undefined || !Number.isInteger(found) || found < 1 || found > 1_000_000_000)
    throw badGguf(`${key} is missing or out of range`, `${key} 缺失或超出范围`);
  return found;
}

/** Names end up in terminals and pages: no control characters, no direction marks, bounded. */
function printable(name: string): string {
  return (
    name
      .replace(/[\p{Cc}\p{Cf}]/gu, '')
      .trim()
      .slice(0, NAME_LENGTH_MAX) || 'unnamed'
  );
}
