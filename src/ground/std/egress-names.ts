import { lookup } from 'node:dns/promises';
import type { Clock } from './clock.ts';

export interface ResolvedAddress {
  readonly address: string;
  readonly family: 4 | 6;
}

/** All addresses of a host, best first; rejects where there is none. */
export type Resolve = (hostname: string) => Promise<readonly ResolvedAddress[]>;

/** getaddrinfo does not tell how long an answer holds; half a minute follows a vendor's move and spares most lookups. */
const FOUND_MS = 30_000;
/** Long enough that a thousand waiting requests ask once. */
const NOT_FOUND_MS = 1_000;
/** While the resolver is down, what worked before goes on working for so long. */
const STALE_MS = 600_000;
const NAMES_MAX = 1_000;

interface Known {
  readonly addresses: readonly ResolvedAddress[];
  readonly error: unknown;
  readonly freshUntilMs: number;
  /** When the addresses were last confirmed. */
  readonly foundMs: number;
}

/**
 * A resolver with memory: one question at a time per name, answers kept for 30 s, failures for 1 s, old answers used while
 * the resolver fails. It only finds addresses; whether one may be used is asked at each use.
 */
export function cachedResolve({ clock, resolve }: { readonly clock: Clock; readonly resolve: Resolve }): Resolve {
  const names = new Map<string, Known>();
  const asking = new Map<string, Promise<readonly ResolvedAddress[]>>();
  const keep = (hostname: string, known: Known) => {
    // Re-inserted at the end, so that the first is the one least recently confirmed.
    names.delete(hostname);
    for (const oldest of names.keys()) {
      if (names.size < NAMES_MAX) break;
      names.delete(oldest);
    }
    names.set(hostname, known);
  };
  const ask = async (hostname: string): Promise<readonly ResolvedAddress[]> => {
    try {
      const addresses = await resolve(hostname);
      if (addresses.length === 0) throw new Error('the name has no address');
      const nowMs = clock.monotonicMs();
      keep(hostname, { addresses, error: undefined, freshUntilMs: nowMs + FOUND_MS, foundMs: nowMs });
      return addresses;
    } catch (error) {
      const nowMs = clock.monotonicMs();
      const before = names.get(hostname);
      const stale = before !== undefined && before.addresses.length > 0 && nowMs - before.foundMs < STALE_MS;
      const addresses = stale ? before.addresses : [];
      keep(hostname, { addresses, error, freshUntilMs: nowMs + NOT_FOUND_MS, foundMs: before?.foundMs ?? nowMs });
      if (stale) return addresses;
      throw error;
    } finally {
      asking.delete(hostname);
    }
  };
  return hostname => {
    const known = names.get(hostname);
    if (known && clock.monotonicMs() < known.freshUntilMs)
      return known.addresses.length > 0 ? Promise.resolve(known.addresses) : Promise.reject(known.error);
    const running = asking.get(hostname);
    if (running) return running;
    const question = ask(hostname);
    asking.set(hostname, question);
    return question;
  };
}

/** The system's resolver: it knows /etc/hosts and the search domains, and sorts by RFC 6724. */
export const systemResolve: Resolve = async hostname => {
  const found = await lookup(hostname, { all: true, order: 'verbatim' });
  return found.map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 }));
};
