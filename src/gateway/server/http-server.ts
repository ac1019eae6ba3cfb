import { createServer } from 'node:net';
import { type Clock, type Log, toFault } from '../../ground/std/index.ts';
import { createRunning } from '../surfaces/running.ts';
import { type ConnectionOwner, type Limits, ServerConnection } from './connection.ts';
import type { HttpExchange } from './http-exchange.ts';

export interface HttpServerOptions {
  readonly clock: Clock;
  readonly limits: Limits;
  readonly log: Log;
  /** Called when a head is there, in the turn in which it came. */
  readonly serve: (exchange: HttpExchange) => void;
}

export interface HttpServer {
  /** The port. Rejects where it cannot be had. */
  listen(options: { readonly host: string; readonly port: number; readonly reusePort: boolean }): Promise<number>;
  /** Takes no more connections, and no more requests than are there; connections end with their last answer. */
  close(): void;
  closeAllConnections(): void;
  /** Ends what is overdue; called by its own timer, and by tests. */
  sweep(): void;
}

/** What waits to be accepted when a load balancer connects again with all it has. */
const BACKLOG = 4_096;
const SWEEP_MS = 1_000;

/** HTTP/1.1 for the data plane. Why it is our own: docs/decisions/data-plane.md. */
export function createHttpServer({ clock, limits, log, serve }: HttpServerOptions): HttpServer {
  const connections = createRunning<ServerConnection>();
  let timer: NodeJS.Timeout | undefined;
  let keeps = '';
  let ends = '';
  const thrown = (error: unknown) => {
    const { message, details } = toFault(error);
    log.error('connection-threw', { internal: details.internal ?? message });
  };
  const owner: ConnectionOwner & { nowMs: number; isDraining: boolean } = {
    limits,
    nowMs: 0,
    isDraining: false,
    tailOf: (closes: boolean) => (closes ? ends : keeps),
    serve,
    thrown,
    forget: connection => connections.delete(connection),
  };
  const tick = () => {
    owner.nowMs = clock.monotonicMs();
    const date = `date: ${new Date(clock.nowMs()).toUTCString()}\r\n`;
    keeps = `${date}connection: keep-alive\r\nkeep-alive: timeout=${Math.floor(limits.keepAliveMs / 1000)}\r\n`;
    ends = `${date}connection: close\r\n`;
  };
  const sweep = () => {
    tick();
    for (const connection of connections.all()) connection.check(owner.nowMs);
  };
  tick();
  // A client that says no more may still read: what it gets then is ours to say.
  const server = createServer({ noDelay: true, allowHalfOpen: true }, socket => {
    try {
      connections.add(new ServerConnection(socket, owner));
    } catch (error) {
      thrown(error);
      socket.destroy();
    }
  });
  return {
    listen: ({ host, port, reusePort }) =>
      new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen({ host, port, reusePort, backlog: BACKLOG }, () => {
          server.off('error', reject);
          // A connection that cannot be accepted (EMFILE) is one that its client tries again; the others go on.
          server.on('error', () => {});
          timer = setInterval(sweep, SWEEP_MS).unref();
          const address = server.address();
          resolve(address !== null && typeof address === 'object' ? address.port : 0);
        });
      }),
    close() {
      server.close();
      owner.isDraining = true;
      for (const connection of connections.all()) connection.closeIfDraining();
    },
    closeAllConnections() {
      clearInterval(timer);
      for (const connection of connections.all()) connection.destroy();
    },
    sweep,
  };
}
