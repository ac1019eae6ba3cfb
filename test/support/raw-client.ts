import { connect, type Socket } from 'node:net';

/** A client on a bare socket, which takes exactly as many bytes as it is told and leaves as it is told. */
export interface RawClient {
  send(bytes: string | Uint8Array): void;
  /** The answer's first `total` bytes; not one more is taken from the socket. Rejects where the server closes before. */
  read(total: number): Promise<Buffer>;
  /** `fin`: says that it will send no more, and waits for the server to close; `rst`: the connection is gone at once. */
  leave(how: 'fin' | 'rst'): Promise<void>;
}

export async function connectRaw(port: number): Promise<RawClient> {
  let received = Buffer.alloc(0);
  let wanted = 0;
  let drain = false;
  let arrived: () => void = () => {};
  const room = () => Buffer.allocUnsafe(drain ? 65_536 : Math.max(1, wanted - received.length));
  const socket = connect({
    port,
    host: '127.0.0.1',
    noDelay: true,
    onread: {
      buffer: room,
      callback(count, buffer) {
        received = Buffer.concat([received, buffer.subarray(0, count)]);
        if (drain || received.length < wanted) return true;
        arrived();
        return false;
      },
    },
  });
  // Before it is connected: not a byte is read before it is asked for.
  socket.pause();
  const closed = new Promise<void>(resolve => socket.once('close', () => resolve()));
  await connected(socket);
  socket.on('error', () => {});
  return {
    send: bytes => void socket.write(bytes),
    read(total) {
      if (received.length >= total) return Promise.resolve(received);
      wanted = total;
      return new Promise((resolve, reject) => {
        const ended = () => reject(new Error(`the server closed after ${received.length} of ${total} bytes`));
        socket.once('close', ended);
        arrived = () => {
          socket.off('close', ended);
          resolve(received);
        };
        socket.resume();
      });
    },
    async leave(how) {
      if (how === 'rst') socket.resetAndDestroy();
      else {
        drain = true;
        socket.end();
        socket.resume();
      }
      await closed;
    },
  };
}

async function connected(socket: Socket): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
}
