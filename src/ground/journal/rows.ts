import { crc32 } from 'node:zlib';
import { decodeFields } from './decode-record.ts';
import { LINE_END, type Lines } from './lines.ts';
import type { JournalEntry } from './records.ts';

/** A row of a segment: what one commit wrote. Its entries are numbered from `firstSeq` on. */
export interface Row {
  readonly firstSeq: number;
  readonly count: number;
  /** Over all the others. */
  readonly crc: number;
  /** A CRC of each line, 4 bytes little-endian: asked only when the row's own does not fit, which entry it is. */
  readonly lineCrcs: Uint8Array;
  /** The text of {@link Lines}. */
  readonly body: string;
}

/** In this order rows are written, and read as lists: as objects they take longer. */
export const ROW_COLUMNS = 'first_seq, count, crc, line_crcs, body';

/** Throws an error where the lines are not as many as they say: what is written can be read. */
export function rowOf(firstSeq: number, { count, text }: Lines): Row {
  const lineCrcs = Buffer.allocUnsafe(count * 4);
  let at = 0;
  for (let index = 0; index < count; index++) {
    const end = text.indexOf(LINE_END, at);
    if (end < 0 !== (index === count - 1)) throw new Error(`a batch has other than its ${count} lines`);
    lineCrcs.writeUInt32LE(lineCrc(firstSeq + index, end < 0 ? text.slice(at) : text.slice(at, end)), index * 4);
    at = end + 1;
  }
  return { firstSeq, count, crc: rowCrc(firstSeq, lineCrcs, text), lineCrcs, body: text };
}

/** What SQLite gave back as a row. Throws an error where its types are others. */
export function readRow(columns: Readonly<Record<number, unknown>>): Row {
  const { 0: firstSeq, 1: count, 2: crc, 3: lineCrcs, 4: body } = columns;
  if (
    typeof firstSeq === 'number' &&
    typeof count === 'number' &&
    typeof crc === 'number' &&
    lineCrcs instanceof Uint8Array &&
    typeof body === 'string'
  )
    return { firstSeq, count, crc, lineCrcs, body };
  throw new Error('a row is not one of a journal');
}

/**
 * Entries of a row from number `from` on, before number `to`. Throws an error that names the first damaged entry among them; or
 * all of the row, where each is whole and together they are not what was written.
 */
export function entriesOf(row: Row, from: number, to: number): readonly JournalEntry[] {
  const { firstSeq, count } = row;
  const begin = Math.max(0, from - firstSeq);
  const end = Math.min(count, to - firstSeq);
  if (begin >= end) return [];
  const parts = isRowWhole(row) ? partsOf(row) : partsBeside(row, begin, end);
  const entries: JournalEntry[] = [];
  for (let index = begin; index < end; index++)
    entries.push({ seq: firstSeq + index, record: decodeFields(parts[index * 2], parts[index * 2 + 1]) });
  return entries;
}

/** Throws as {@link entriesOf}, on damage anywhere in the row. */
export function lastSeqIn(row: Row): number {
  const { firstSeq, count } = row;
  if (isRowWhole(row)) partsOf(row);
  else partsBeside(row, 0, count);
  return firstSeq + count - 1;
}

/** Kind and fields of each entry, flat. */
type Parts = readonly unknown[];

function isRowWhole({ firstSeq, crc, lineCrcs, body }: Row): boolean {
  return crc === rowCrc(firstSeq, lineCrcs, body);
}

/** One parse for all. */
function partsOf({ firstSeq, count, body }: Row): Parts {
  const parts: Parts = JSON.parse(`[${body}]`);
  if (count >= 1 && parts.length === count * 2) return parts;
  throw new Error(`the row of entry ${firstSeq} holds ${parts.length / 2} in place of ${count}`);
}

/** Of a damaged row the entries from `begin` on, before `end`, if the damage is not in them: one damaged byte costs one entry. */
function partsBeside(row: Row, begin: number, end: number): Parts {
  const { firstSeq, count, body } = row;
  const lines = body.split(LINE_END);
  const damagedIn = (from: number, to: number) => {
    for (let index = from; index < to; index++) if (!isWhole(row, lines[index] ?? '', index)) return index;
    return -1;
  };
  const damaged = damagedIn(begin, end);
  if (damaged >= 0) throw new Error(`entry ${firstSeq + damaged} does not match its checksum`);
  if (damagedIn(0, count) < 0)
    throw new Error(`entries ${firstSeq} to ${firstSeq + count - 1} do not match their checksum`);
  const parts: unknown[] = [];
  for (let index = begin; index < end; index++) {
    const [kind, fields]: Parts = JSON.parse(`[${lines[index]?.replace(/,$/, '')}]`);
    parts[index * 2] = kind;
    parts[index * 2 + 1] = fields;
  }
  return parts;
}

/** Covers the number of the first entry, so that no row can pass for another. */
function rowCrc(firstSeq: number, lineCrcs: Uint8Array, body: string): number {
  return crc32(body, crc32(lineCrcs, firstSeq >>> 0));
}

/** Covers the entry's number, so that no line can pass for another. */
function lineCrc(seq: number, line: string): number {
  return crc32(line, seq >>> 0);
}

function isWhole({ firstSeq, lineCrcs }: Row, line: string, index: number): boolean {
  const { buffer, byteOffset, byteLength } = lineCrcs;
  if (byteLength < (index + 1) * 4) return false;
  return new DataView(buffer, byteOffset).getUint32(index * 4, true) === lineCrc(firstSeq + index, line);
}
