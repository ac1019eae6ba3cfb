import { Fault, type RateVerdict, type Slots } from '../../ground/std/index.ts';
import type { CallerRecord } from '../../people/callers/index.ts';
import { type Need, Shortfall } from './shortfall.ts';

/**
 * Lets a request in before its body is read: it counts against the key's rate of requests, and has one of its places. Throws
 * `rate_limited`, `storage_full` or `unavailable`.
 */
export function enter(caller: CallerRecord, slots: Slots, nowMs: number): Entry {
  refuseWhenClosed(slots);
  const { slot } = caller;
  const { concurrency, requestsPerMinute } = caller.scopes;
  const headers: string[] = [];
  if (concurrency !== undefined && !slots.keys.tryEnter(slot, concurrency))
    throw limited(`${concurrency} requests at once`, `同时 ${concurrency} 个请求`, {
      retryAfterMs: 1_000,
      headers,
      need: { what: 'places' },
    });
  const entry = new Entry(caller, slots, headers);
  if (requestsPerMinute === undefined) return entry;
  const verdict = slots.keys.takeRate(slot, 'requests', { count: 1, perMinute: requestsPerMinute, nowMs });
  headers.push(...rateHeaders('requests', requestsPerMinute, verdict));
  if (verdict.ok) return entry;
  entry.leave();
  throw limited(`${requestsPerMinute} requests per minute`, `每分钟 ${requestsPerMinute} 个请求`, {
    retryAfterMs: verdict.retryAfterMs,
    headers,
    need: { what: 'requests', count: 1 },
  });
}

/** What a request has from its first byte on. Ends exactly once: by one of the three. */
export class Entry {
  readonly caller: CallerRecord;
  /** `x-ratelimit-*` for the answer; empty where the key has no limits. */
  readonly limitHeaders: string[];
  private readonly slots: Slots;
  private isOpen = true;

  constructor(caller: CallerRecord, slots: Slots, limitHeaders: string[]) {
    this.caller = caller;
    this.slots = slots;
    this.limitHeaders = limitHeaders;
  }

  /** It will never be admitted: its place is free again. It has been a request all the same. */
  leave(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    if (this.caller.scopes.concurrency !== undefined) this.slots.keys.leave(this.caller.slot);
  }

  /** It was refused for want of something: as though it had never asked. */
  cancel(): void {
    if (!this.isOpen) return;
    this.leave();
    const { slot, scopes } = this.caller;
    const perMinute = scopes.requestsPerMinute;
    if (perMinute !== undefined) this.slots.keys.returnRate(slot, 'requests', { count: 1, perMinute });
  }

  /** It is admitted: the hold has the place now, and frees it. */
  passOn(): void {
    this.isOpen = false;
  }
}

function refuseWhenClosed(slots: Slots): void {
  if (slots.node.get('storageFull') !== 0) throw new Fault('storage_full', { retryAfterMs: 5_000 });
  if (slots.node.get('draining') !== 0 || slots.node.get('journalBroken') !== 0) {
    throw new Fault('unavailable', {
      message: 'This node is shutting down',
      messageZh: '本节点正在关闭',
      retryAfterMs: 2_000,
    });
  }
}

export function rateHeaders(what: 'requests' | 'tokens', limit: number, verdict: RateVerdict): string[] {
  const [remaining, resetMs] = verdict.ok ? [verdict.remaining, verdict.resetMs] : [0, verdict.retryAfterMs];
  return [
    `x-ratelimit-limit-${what}`,
    String(limit),
    `x-ratelimit-remaining-${what}`,
    String(remaining),
    `x-ratelimit-reset-${what}`,
    `${(resetMs / 1000).toFixed(3)}s`,
  ];
}

export function limited(
  en: string,
  zh: string,
  {
    retryAfterMs,
    headers: pairs,
    need,
  }: { readonly retryAfterMs: number; readonly headers: readonly string[]; readonly need: Need },
): Fault {
  const headers = new Map<string, string>();
  for (let index = 0; index + 1 < pairs.length; index += 2) headers.set(pairs[index] ?? '', pairs[index + 1] ?? '');
  const details = {
    message: `This key is limited to ${en}`,
    messageZh: `此密钥限制为${zh}`,
    retryAfterMs,
    headers: Object.fromEntries(headers),
  };
  return new Shortfall('rate_limited', details, need);
}
