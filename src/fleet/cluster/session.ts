import type { Log, Term } from '../../ground/std/index.ts';
import type { Leases, NodeSession } from '../../money/ledger/index.ts';

/** A lease is renewed, and given up ahead of its end, so many times in its length: what is left is for stalls and slow answers. */
const PARTS = 12;

/** This node at work beside others: renews its time, and begins anew where it was over. */
export interface Session extends AsyncDisposable {
  current(): NodeSession;
  /** Returns when the node may spend what it leased; throws where the database cannot be asked. */
  ensure(): Promise<void>;
  /** It was heard that the time is over: nothing is spent before it begins anew. */
  isOver(): void;
  nodes(): number;
}

export interface SessionOptions {
  readonly leases: Leases;
  readonly nodeId: string;
  readonly term: Term;
  /** How long a node may go on without hearing from the database. */
  readonly leaseMs: number;
  readonly log: Log;
  /** All leases are gone; until this has returned, nothing is spent. */
  readonly onLapsed: () => Promise<void>;
}

export async function beginSession(options: SessionOptions): Promise<Session> {
  const { leases, nodeId, term, leaseMs, log, onLapsed } = options;
  const forMs = leaseMs - Math.ceil(leaseMs / PARTS);
  let from = term.now();
  let session = await leases.begin(nodeId, { ttlMs: leaseMs, left: 'returned' });
  term.extend(from, forMs);
  let nodes = Math.max(1, await leases.liveNodes());

  /** Cells say what the store says: it may fail, and then is tried again. */
  let isReckoned = true;

  const beat = async () => {
    from = term.now();
    if (!(await leases.renew(session, leaseMs))) {
      term.extend(from, 0);
      log.warn('leases-lapsed', { nodeId });
      from = term.now();
      session = await leases.begin(nodeId, { ttlMs: leaseMs, left: 'lapsed' });
      isReckoned = false;
    }
    if (!isReckoned) await onLapsed();
    isReckoned = true;
    term.extend(from, forMs);
    const lapsed = await leases.expire();
    if (lapsed > 0) log.warn('leases-of-others-lapsed', { nodes: lapsed });
    nodes = Math.max(1, await leases.liveNodes());
  };
  let beating: Promise<void> | undefined;
  const beatOnce = () => {
    beating ??= beat().finally(() => {
      beating = undefined;
    });
    return beating;
  };
  const timer = setInterval(
    () => void beatOnce().catch(error => log.warn('lease-renewal-failed', { internal: String(error) })),
    leaseMs / PARTS,
  ).unref();
  return {
    current: () => session,
    async ensure() {
      while (!term.holds()) await beatOnce();
    },
    isOver() {
      term.extend(term.now(), 0);
      void beatOnce().catch(() => {});
    },
    nodes: () => nodes,
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await beating?.catch(() => {});
      // Where the database is away, time ends them.
      await leases.end(session).catch(error => log.warn('leases-not-returned', { internal: String(error) }));
    },
  };
}
