import type { ServerResponse } from 'node:http';

/** The answer to a streaming request: events, in chunks of HTTP/1.1. */
export interface EventStream {
  /** False when the client reads too slowly: `drain` of the response says when to go on. */
  write(events: Uint8Array | string): boolean;
  /** The last events, and the end. */
  end(events: string): void;
}

const LAST_CHUNK = '0\r\n\r\n';

/**
 * Puts the events into chunks itself, each in one buffer. Node's own chunking hands the socket four pieces for each write, and
 * gathers them again: at one token a write that is a fifth of what a stream costs. Headers, keep-alive and the order of
 * pipelined answers stay Node's, which believes that the body frames itself, as it does here.
 */
export function createEventStream(res: ServerResponse, headers: readonly string[]): EventStream {
  const begin = () => {
    if (res.headersSent) return;
    res.writeHead(200, [
      ...headers,
      'content-type',
      'text/event-stream; charset=utf-8',
      'cache-control',
      'no-cache',
      'x-accel-buffering',
      'no',
    ]);
    // With the headers it is decided whether there are chunks: an HTTP/1.0 client gets none.
    framed = res.chunkedEncoding;
    res.chunkedEncoding = false;
  };
  let framed = false;
  return {
    write(events) {
      begin();
      return res.write(framed ? chunkOf(events) : events);
    },
    end(events) {
      begin();
      res.end(framed ? Buffer.concat([chunkOf(events), Buffer.from(LAST_CHUNK)]) : events);
    },
  };
}

/** Size in hexadecimal, the events, line ends (RFC 9112 §7.1). */
function chunkOf(events: Uint8Array | string): Buffer {
  const bytes = typeof events === 'string' ? Buffer.byteLength(events) : events.length;
  const size = `${bytes.toString(16)}\r\n`;
  const start = size.length;
  const chunk = Buffer.allocUnsafe(start + bytes + 2);
  chunk.write(size, 0, 'latin1');
  if (typeof events === 'string') chunk.write(events, start, 'utf8');
  else chunk.set(events, start);
  chunk[start + bytes] = 13;
  chunk[start + bytes + 1] = 10;
  return chunk;
}
