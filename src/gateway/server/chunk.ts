/** What ends a body in chunks (RFC 9112 §7.1). */
export const LAST_CHUNK = '0\r\n\r\n';

/** One chunk of a body, with what is to stand before and behind it, in one piece: each piece more is a fifth of what a streamed token costs. */
export function chunkOf(before: string, content: Uint8Array, behind: string): Buffer {
  const head = `${before}${content.length.toString(16)}\r\n`;
  const start = head.length;
  const end = start + content.length;
  const chunk = Buffer.allocUnsafe(end + 2 + behind.length);
  chunk.write(head, 0, 'latin1');
  chunk.set(content, start);
  chunk[end] = 13;
  chunk[end + 1] = 10;
  if (behind !== '') chunk.write(behind, end + 2, 'latin1');
  return chunk;
}
