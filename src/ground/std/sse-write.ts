import { SSE_LINE_BYTES_MAX } from './sse.ts';

const LINE_END = /\r\n|\r|\n/;

/**
 * One event as SSE text. Data of several lines becomes several `data:` lines, which a reader joins again by LF.
 * @throws RangeError where a line is longer than `lineBytesMax`, or a one-line field holds a line end.
 */
export function formatSseEvent(
  event: { readonly data: string; readonly type?: string; readonly id?: string },
  options: { readonly lineBytesMax?: number } = {},
): string {
  const bytesMax = options.lineBytesMax ?? SSE_LINE_BYTES_MAX;
  let text = '';
  if (event.type !== undefined) text += `event: ${oneLine(event.type, bytesMax)}\n`;
  if (event.id !== undefined) text += `id: ${oneLine(event.id, bytesMax)}\n`;
  for (const line of event.data.split(LINE_END)) text += `data: ${oneLine(line, bytesMax)}\n`;
  return `${text}\n`;
}

/** A comment, which readers skip: keeps a connection open, or tells a waiting person where they stand. */
export function formatSseComment(comment: string): string {
  let text = '';
  for (const line of comment.split(LINE_END)) text += `: ${line}\n`;
  return `${text}\n`;
}

function oneLine(line: string, bytesMax: number): string {
  if (LINE_END.test(line)) throw new RangeError('A field of an SSE event must be one line');
  // A UTF-16 unit is at most three bytes: only lines near the limit are measured.
  if (line.length * 3 > bytesMax && Buffer.byteLength(line) > bytesMax) {
    throw new RangeError(`A line of an SSE event is longer than ${bytesMax} bytes`);
  }
  return line;
}
