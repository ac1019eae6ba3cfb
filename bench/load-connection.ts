import { connect, type Socket } from 'node:net';

export interface ExchangeResult {
  readonly ok: boolean;
  readonly status: number;
  readonly totalMs: number;
  readonly firstByteMs: number;
  /** Server-sent events with data. */
  readonly events: number;
  /** Reads of the socket that it took. */
  readonly reads: number;
  readonly bytes: number;
}

export interface Exchange {
  readonly request: Buffer;
  /** Asked before each request; false ends the connection. */
  mayStart(): boolean;
  ended(result: ExchangeResult): void;
}

const READ_BYTES = 65_536;
const DATA = Buffer.from('data:');
const HEAD_END = Buffer.from('\r\n\r\n');
const CHUNKS_END = Buffer.from('0\r\n\r\n');

/** One buffer for all: it is read to its end before the next socket fills it. */
const shared = Buffer.allocUnsafeSlow(READ_BYTES);

/**
 * One kept connection that sends a request when the answer to the last has come. Reads just enough of HTTP: status,
 * length, and the end of chunks. It costs about 10 µs a request, so that one core can load a gateway to its limit.
 */
export function openConnection(port: number, host: string, exchange: Exchange): { readonly done: Promise<void> } {
  let resolveDone: () => void = () => {};
  const done = new Promise<void>(resolve => {
    resolveDone = resolve;
  });
  let socket: Socket;
  let running = false;
  let sentMs = 0;
  let firstMs = 0;
  let status = 0;
  let inHead = true;
  let chunked = false;
  /** Body bytes still to come, where the length is known. */
  let left = 0;
  let events = 0;
  let reads = 0;
  let bytes = 0;
  let head: Buffer | undefined;
  /** Last bytes of the chunk before, for marks that are split. */
  let tail: Buffer = Buffer.alloc(0);

  const next = () => {
    running = exchange.mayStart();
    if (!running) {
      socket.destroy();
      resolveDone();
      return;
    }
    sentMs = performance.now();
    firstMs = status = events = reads = bytes = left = 0;
    inHead = true;
    chunked = false;
    head = undefined;
    tail = Buffer.alloc(0);
    socket.write(exchange.request);
  };
  const end = (ok: boolean) => {
    running = false;
    const totalMs = performance.now() - sentMs;
    exchange.ended({ ok, status, totalMs, firstByteMs: firstMs - sentMs, events, reads, bytes });
  };
  const readHead = (data: Buffer): Buffer | undefined => {
    const all = head ? Buffer.concat([head, data]) : data;
    const at = all.indexOf(HEAD_END);
    if (at < 0) {
      head = head ? all : Buffer.from(all);
      return undefined;
    }
    const text = all.toString('latin1', 0, at);
    status = Number(text.slice(9, 12));
    const length = /\r\ncontent-length: *(\d+)/i.exec(text)?.[1];
    chunked = length === undefined;
    left = Number(length ?? 0);
    inHead = false;
    return all.subarray(at + 4);
  };
  const read = (data: Buffer): void => {
    if (!running) return;
    bytes += data.length;
    reads += 1;
    const body = inHead ? readHead(data) : data;
    if (!body || inHead) return;
    if (body.length > 0 && firstMs === 0) firstMs = performance.now();
    if (!chunked) {
      left -= body.length;
      if (left > 0) return;
      if (firstMs === 0) firstMs = performance.now();
    } else {
      const seen = tail.length === 0 ? body : Buffer.concat([tail, body]);
      for (let at = seen.indexOf(DATA); at >= 0; at = seen.indexOf(DATA, at + 5)) events += 1;
      if (!seen.subarray(-5).equals(CHUNKS_END)) {
        // Four bytes cannot hold a whole mark, so none is counted twice.
        tail = Buffer.from(seen.subarray(-4));
        return;
      }
    }
    end(true);
    next();
  };
  socket = connect({
    port,
    host,
    noDelay: true,
    onread: {
      buffer: shared,
      callback: (size: number) => {
        read(shared.subarray(0, size));
        return true;
      },
    },
  });
  socket.once('connect', next);
  socket.on('error', () => {});
  socket.once('close', () => {
    if (running) end(false);
    resolveDone();
  });
  return { done };
}
