import { closeSync, existsSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { createUuid7, Fault, systemClock, writeDurably } from '../std/index.ts';
import type { SegmentOrigin } from './segments.ts';

const NODE_FILE = 'node.json';
const HEAD_FILE = 'head';

/** Counts this start of the node and returns who it is. A node keeps its id for life; a lost file is refused where entries exist. */
export function beginEpoch(dir: string, hasSegments: boolean): SegmentOrigin {
  const file = join(dir, NODE_FILE);
  const before = existsSync(file) ? readNode(file) : undefined;
  if (!before && hasSegments)
    throw unreadable(file, 'it is missing beside its segments', '与日志段同目录的此文件已丢失');
  const origin = before
    ? { nodeId: before.nodeId, epoch: before.epoch + 1 }
    : { nodeId: createUuid7(systemClock.nowMs)(), epoch: 1 };
  writeOrigin(dir, origin);
  return origin;
}

export function writeOrigin(dir: string, origin: SegmentOrigin): void {
  writeDurably(join(dir, NODE_FILE), `${JSON.stringify(origin)}\n`);
}

/** Who a journal belongs to, without counting a start; undefined where none was ever begun. */
export function readOrigin(dir: string): SegmentOrigin | undefined {
  const file = join(dir, NODE_FILE);
  return existsSync(file) ? readNode(file) : undefined;
}

/** In the home. */
export const NODE_MARK = 'node';

/** Whose home this is, said outside of the journal's folder: that folder may be taken away as a whole. */
export function readNodeMark(file: string): string | undefined {
  return existsSync(file) ? readFileSync(file, 'utf8').trim() || undefined : undefined;
}

export function writeNodeMark(file: string, nodeId: string): void {
  if (readNodeMark(file) !== nodeId) writeDurably(file, `${nodeId}\n`);
}

function readNode(file: string): SegmentOrigin {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (typeof value === 'object' && value !== null && 'nodeId' in value && 'epoch' in value) {
      const { nodeId, epoch } = value;
      if (typeof nodeId === 'string' && nodeId !== '' && typeof epoch === 'number' && Number.isSafeInteger(epoch))
        return { nodeId, epoch };
    }
  } catch {
    // Told below in words.
  }
  throw unreadable(file, 'it holds no node id and epoch', '其中没有节点编号与启动序号');
}

function unreadable(file: string, why: string, whyZh: string): Fault {
  return new Fault('config_invalid', {
    message: `The journal file ${file} cannot be used (${why}): restore it from a backup`,
    messageZh: `日志文件 ${file} 无法使用（${whyZh}）：请从备份恢复`,
  });
}

/**
 * The newest durable sequence number, written beside the segments after each commit and before anyone is told. SQLite drops
 * the tail of a write-ahead log whose checksums do not fit, without a word, since that is also what a torn write looks like;
 * a head beyond the end of the segments says that answered entries are gone. Not synced, so after a power cut it may lag: it
 * is never ahead of what is on disk, and costs 2 µs a commit in place of a sync.
 */
export interface HeadMark {
  write(seq: number): void;
  close(): void;
}

const HEAD_BYTES = 12;

export function openHead(dir: string): HeadMark {
  const file = join(dir, HEAD_FILE);
  if (!existsSync(file)) writeDurably(file, '');
  const handle = openSync(file, 'r+');
  const bytes = Buffer.alloc(HEAD_BYTES);
  return {
    write(seq) {
      bytes.writeDoubleLE(seq, 0);
      bytes.writeUInt32LE(crc32(bytes.subarray(0, 8)), 8);
      try {
        writeSync(handle, bytes, 0, HEAD_BYTES, 0);
      } catch {
        // It lags then, as after a power cut: a second witness, not worth the refusal of what is durable.
      }
    },
    close: () => closeSync(handle),
  };
}

/** Undefined where there is no head, or none that can be read: the segments alone are believed then. */
export function readHead(dir: string): number | undefined {
  const file = join(dir, HEAD_FILE);
  if (!existsSync(file)) return undefined;
  const handle = openSync(file, 'r');
  try {
    const bytes = Buffer.alloc(HEAD_BYTES);
    if (readSync(handle, bytes, 0, HEAD_BYTES, 0) !== HEAD_BYTES) return undefined;
    return bytes.readUInt32LE(8) === crc32(bytes.subarray(0, 8)) ? bytes.readDoubleLE(0) : undefined;
  } finally {
    closeSync(handle);
  }
}
