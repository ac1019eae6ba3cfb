import type { Socket } from 'node:net';
import { Client, type Dispatcher } from 'undici';
import type { EgressTarget } from '../../std/index.ts';

/** One connection, which carries one request at a time. */
export interface Connection {
  /** Sends; the connection must be idle. */
  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void;
  /** The answer is whole: keeps the connection for the next request. */
  release(): void;
  /** Closes it, at whatever it is, connecting included. Nothing more is called on the handler that the handler heeds. */
  discard(): void;
}

/** The connections to one origin on behalf of one provider. */
export interface Connections {
  /** The connection used last, or a new one; undefined at the limit. */
  acquire(): Connection | undefined;
  open(): number;
  inUse(): number;
  close(): void;
}

/** Below the 60 s at which the usual load balancers (AWS ALB, nginx at 75 s) close: the fewer sockets die in our hands. */
const KEEP_ALIVE_MS = 55_000;
const KEEP_ALIVE_MAX_MS = 600_000;
/** After so long a connection is not kept: a vendor that moved its name elsewhere is followed even under steady load. */
const AGE_MAX_MS = 600_000;
const CONNECTIONS_MAX = 16_384;
const HEADER_BYTES_MAX = 32_768;

/**
 * undici's `Pool` looks through all its clients for a free one, at each request: with 5,000 open streams that is more work
 * than the request. Here the free ones are a stack. What undici's `Client` does it still does: parsing, keep-alive and its
 * hints, and looking at an idle socket before it writes to it.
 */
export function createConnections(target: EgressTarget, nowMs: () => number): Connections {
  const all = new Set<ClientConnection>();
  const idle: ClientConnection[] = [];
  const owner: Owner = {
    nowMs,
    target,
    keep(connection) {
      connection.idleAt = idle.push(connection) - 1;
    },
    forget(connection) {
      all.delete(connection);
      if (connection.idleAt < 0) return;
      const last = idle.pop();
      if (last && last !== connection) {
        idle[connection.idleAt] = last;
        last.idleAt = connection.idleAt;
      }
      connection.idleAt = -1;
    },
  };
  return {
    acquire() {
      const kept = idle.pop();
      if (kept) {
        kept.idleAt = -1;
        return kept;
      }
      if (all.size >= CONNECTIONS_MAX) return undefined;
      const connection = new ClientConnection(owner);
      all.add(connection);
      return connection;
    },
    open: () => all.size,
    inUse: () => all.size - idle.length,
    close() {
      for (const connection of [...all]) connection.discard();
    },
  };
}

interface Owner {
  readonly target: EgressTarget;
  readonly nowMs: () => number;
  keep(connection: ClientConnection): void;
  forget(connection: ClientConnection): void;
}

class ClientConnection implements Connection {
  /** Place in the stack of free connections; -1 while in use. */
  idleAt = -1;
  private readonly owner: Owner;
  private readonly client: Client;
  private readonly bornMs: number;
  private socket: Socket | undefined;
  private gone = false;

  constructor(owner: Owner) {
    this.owner = owner;
    this.bornMs = owner.nowMs();
    this.client = new Client(owner.target.origin, {
      pipelining: 1,
      allowH2: false,
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: KEEP_ALIVE_MAX_MS,
      maxHeaderSize: HEADER_BYTES_MAX,
      // All time limits are the caller's, on one wheel.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: (_options, callback) => {
        this.socket = owner.target.connect(callback);
      },
    });
    // A free connection that the other side closed has nothing left to offer. One in use reconnects by itself as long as
    // its request has not been written.
    this.client.on('disconnect', () => {
      if (this.idleAt >= 0) this.discard();
    });
  }

  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
    this.client.dispatch(options, handler);
  }

  release(): void {
    if (this.gone) return;
    if (this.owner.nowMs() - this.bornMs > AGE_MAX_MS) this.discard();
    else this.owner.keep(this);
  }

  discard(): void {
    if (this.gone) return;
    this.gone = true;
    this.owner.forget(this);
    this.client.destroy(null, nothing);
    // A connection still being made is not known to the client yet.
    this.socket?.destroy();
  }
}

function nothing(): void {}
