import { basename, dirname, join } from 'node:path';
import { badGguf, type GgufHeader, type GgufValue } from './gguf-header.ts';

/** A file's head and its size. */
export interface GgufPart {
  readonly header: GgufHeader;
  readonly fileBytes: number;
}

/** How llama.cpp names the parts of a model (`llama_split_path`): it finds the others by the name of the first. */
const PART_NAME = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/;
const PARTS_MAX = 1_000;

/**
 * The other parts of a model whose first part is `file`; none where it is whole.
 * @throws Fault `config_invalid` for a part that is not the first, which says which file to give, and for a name by which
 * the others cannot be found
 */
export function otherParts(file: string, { metadata }: GgufHeader): readonly string[] {
  const count = whole(metadata.get('split.count')) ?? 1;
  if (count <= 1) return [];
  const number = (whole(metadata.get('split.no')) ?? 0) + 1;
  const [, stem, , last] = PART_NAME.exec(basename(file)) ?? [];
  const named = (part: number) => `${stem}-${String(part).padStart(5, '0')}-of-${last}.gguf`;
  const hasName = stem !== undefined && Number(last) === count && count <= PARTS_MAX;
  if (number !== 1) {
    const first = hasName ? named(1) : undefined;
    throw badGguf(
      `part ${number} of ${count} of a split model; give its first part${first === undefined ? '' : `, ${first}`}`,
      `这是分卷模型的第 ${number} 卷（共 ${count} 卷），请指定第一卷${first === undefined ? '' : `：${first}`}`,
    );
  }
  if (!hasName || basename(file) !== named(1))
    throw badGguf(
      `the first of ${count} parts of a split model, which must be called NAME-00001-of-${String(count).padStart(5, '0')}.gguf, the others beside it`,
      `这是分卷模型的第一卷（共 ${count} 卷），文件名须为 NAME-00001-of-${String(count).padStart(5, '0')}.gguf，其余各卷放在同一目录`,
    );
  return Array.from({ length: count - 1 }, (_, index) => join(dirname(file), named(index + 2)));
}

/** @throws Fault `config_invalid` where the parts are not of one model */
export function joinParts(first: GgufPart, others: readonly GgufPart[]): GgufPart {
  const tensors = [first, ...others].flatMap(({ header }) => header.tensors);
  const expected = whole(first.header.metadata.get('split.tensors.count'));
  const isWhole = others.every(({ header }, index) => whole(header.metadata.get('split.no')) === index + 1);
  if (others.length > 0 && (!isWhole || (expected !== undefined && expected !== tensors.length)))
    throw badGguf('the parts beside it are not of the same model', '同目录下的其余分卷不属于同一模型');
  return {
    header: { ...first.header, tensors },
    fileBytes: others.reduce((sum, { fileBytes }) => sum + fileBytes, first.fileBytes),
  };
}

function whole(value: GgufValue | undefined): number | undefined {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : undefined;
}
