import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** A client on a bare socket that reads all there is, one character a byte. */
export interface Wire {
  readonly socket: Socket;
  send(text: string): void;
  /** All that was read, when it matches. Rejects where the server closes before. */
  until(pattern: RegExp): Promise<string>;
  /** All that was read, when the server has closed its side. */
  readonly closed: Promise<string>;
}

export async function openWire(port: number, { allowHalfOpen = false } = {}): Promise<Wire> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen });
  await once(socket, 'connect');
  let text = '';
  let isClosed = false;
  let look: () => void = () => {};
  socket.on('error', () => {});
  socket.on('data', chunk => {
    text += chunk.toString('latin1');
    look();
  });
  const closed = new Promise<string>(resolve => {
    const close = () => {
      isClosed = true;
      look();
      resolve(text);
    };
    socket.on('end', close);
    socket.on('close', close);
  });
  return {
    socket,
    closed,
    send: sent => void socket.write(sent, 'latin1'),
    until: pattern =>
      new Promise((resolve, reject) => {
        look = () => {
          if (pattern.test(text)) resolve(text);
          else if (isClosed) reject(new Error(`closed before ${pattern}: ${text}`));
        };
        look();
      }),
  };
}
