import type { EgressTarget } from '../../../ground/std/index.ts';
import { Connection, type ConnectionOwner, type Exchange } from './connection.ts';

/** The connections to one origin on behalf of one provider. */
export interface Connections {
  /** Sends over the connection used last, or a new one; false at the limit. Nothing is called on the exchange before it returned. */
  send(exchange: Exchange & { isOver(): boolean }): boolean;
  open(): number;
  inUse(): number;
  /** What runs fails with this. */
  close(error: unknown): void;
}

const CONNECTIONS_MAX = 16_384;
const SWEEP_MS = 5_000;

/** The free ones are a stack, so that few are kept busy and the rest age away. */
export function createConnections(target: EgressTarget, nowMs: () => number): Connections {
  const all = new Set<Connection>();
  const idle: Connection[] = [];
  /** Requests that go out over connections that are free when this turn of the event loop ends. */
  let starting: (Exchange & { isOver(): boolean })[] = [];
  let sweeper: NodeJS.Timeout | undefined;

  const sweep = () => {
    const now = nowMs();
    for (const connection of idle.filter(({ idleUntilMs }) => idleUntilMs <= now)) connection.discard();
    if (idle.length > 0) return;
    clearInterval(sweeper);
    sweeper = undefined;
  };
  const owner: ConnectionOwner = {
    nowMs,
    target,
    keep(connection) {
      connection.idleAt = idle.push(connection) - 1;
      sweeper ??= setInterval(sweep, SWEEP_MS).unref();
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
  const take = (): Connection | undefined => {
    const now = nowMs();
    for (let kept = idle.pop(); kept; kept = idle.pop()) {
      kept.idleAt = -1;
      if (kept.idleUntilMs > now) return kept;
      kept.discard();
    }
    return undefined;
  };
  const begin = (exchange: Exchange) => void all.add(new Connection(owner, exchange));
  const start = () => {
    const exchanges = starting;
    starting = [];
    for (const exchange of exchanges) {
      if (exchange.isOver()) continue;
      const kept = take();
      if (kept) kept.send(exchange);
      else begin(exchange);
    }
  };
  return {
    send(exchange) {
      if (idle.length > starting.length) {
        // What lies unread in a free socket, an end or bytes nobody asked for, is read first, in this turn's poll: a request
        // written over a closed connection fails, and one written behind stray bytes gets them as its answer.
        if (starting.push(exchange) === 1) setImmediate(start);
        return true;
      }
      if (all.size >= CONNECTIONS_MAX) return false;
      begin(exchange);
      return true;
    },
    open: () => all.size,
    inUse: () => all.size - idle.length,
    close(error) {
      clearInterval(sweeper);
      for (const connection of [...all]) connection.fail(error);
    },
  };
}
