import { isUtf8 } from 'node:buffer';
import { closeSync, openSync, readSync } from 'node:fs';
import { Fault } from '../ground/std/index.ts';

/** Larger is no configuration that a person wrote, and the server takes no larger body. */
const BYTES_MAX = 8 * 1_048_576;
const CHUNK_BYTES = 65_536;

/** A text file whole, or standard input for `-`; never more of it than may be taken. Throws Fault `config_invalid`. */
export function readText(file: string): string {
  const bytes = readBounded(file);
  // A text in another encoding would be taken for one with odd characters in it, and names and keys would be stored so.
  if (!isUtf8(bytes)) throw notUtf8(file, bytes);
  return new TextDecoder().decode(bytes);
}

function readBounded(file: string): Buffer {
  const chunks: Buffer[] = [];
  let bytes = 0;
  let handle: number | undefined;
  try {
    handle = file === '-' ? 0 : openSync(file, 'r');
    for (;;) {
      const chunk = Buffer.alloc(CHUNK_BYTES);
      const count = readSync(handle, chunk);
      if (count === 0) break;
      chunks.push(chunk.subarray(0, count));
      bytes += count;
      if (bytes > BYTES_MAX) throw invalid(file, 'is larger than 8 MiB', '超过 8 MiB');
    }
  } catch (cause) {
    if (cause instanceof Fault) throw cause;
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    if (code === 'ENOENT') throw invalid(file, 'there is no such file', '文件不存在');
    throw invalid(file, `cannot be read (${code})`, `无法读取（${code}）`);
  } finally {
    if (handle !== undefined && handle !== 0) closeSync(handle);
  }
  return Buffer.concat(chunks, bytes);
}

function notUtf8(file: string, bytes: Buffer): Fault {
  const lines = new TextDecoder().decode(bytes).split('\n');
  const line = lines.findIndex(text => text.includes('\ufffd'));
  return invalid(`${file}:${line + 1}:${(lines[line] ?? '').indexOf('\ufffd') + 1}`, 'is not UTF-8', '不是 UTF-8 编码');
}

function invalid(place: string, en: string, zh: string): Fault {
  return new Fault('config_invalid', { message: `${place}: ${en}`, messageZh: `${place}：${zh}` });
}
