import type { Nano } from '@millrace/contract';
import type { JournalEntry, JournalReader, JournalRecord, Usage } from '../../src/ground/journal/index.ts';
import { type Clock, createSlots, openSlots, silentLog, type WalletSlots } from '../../src/ground/std/index.ts';
import type { Store } from '../../src/ground/store/index.ts';
import {
  createLedger,
  createLoader,
  type Ledger,
  type Loader,
  type LoaderOptions,
} from '../../src/money/ledger/index.ts';
import type { PriceVersion } from '../../src/money/pricing/index.ts';
import { rate } from '../../src/money/pricing/index.ts';
import { plantPrice } from './prices.ts';
import { attempt, intent, settlement } from './records.ts';

/** A journal as a list: what the loader's own tests read from, where files and threads are not the point. */
export interface ListJournal {
  readonly nodeId: string;
  readonly epoch: number;
  readonly reader: JournalReader;
  readonly entries: readonly JournalEntry[];
  append(...records: readonly JournalRecord[]): void;
}

export function listJournal(records: readonly JournalRecord[] = [], nodeId = 'node', epoch = 1): ListJournal {
  const entries: JournalEntry[] = [];
  const append = (...more: readonly JournalRecord[]) => {
    for (const record of more) entries.push({ seq: entries.length + 1, record });
  };
  append(...records);
  return {
    nodeId,
    epoch,
    entries,
    append,
    reader: {
      read: (after, limit) => entries.slice(after, after + limit),
      lastSeq: () => entries.length,
      firstSeq: () => 1,
      archive: () => {},
      close: () => {},
    },
  };
}

/** Time that a test moves. */
export interface TestClock extends Clock {
  advance(ms: number): void;
}

export function testClock(startMs = 1_700_000_000_000): TestClock {
  let passedMs = 0;
  return {
    nowMs: () => startMs + passedMs,
    monotonicMs: () => passedMs,
    advance(ms) {
      passedMs += ms;
    },
  };
}

/** A ledger over a store, with prices and the records that go with them. */
export interface TestMoney {
  readonly ledger: Ledger;
  readonly wallets: WalletSlots;
  readonly clock: TestClock;
  readonly price: PriceVersion;
  readonly cost: PriceVersion;
  createLoader(journal: ListJournal, more?: Partial<LoaderOptions>): Promise<Loader>;
  credit(organizationId: string, amountNano: Nano, idempotencyKey?: string): Promise<boolean>;
  /** A settlement by the prices above; `holdNano`, what was held at its end, is that of {@link TestMoney.admit} where none is given. */
  settle(
    id: string,
    usage?: Partial<Usage>,
    more?: { readonly atMs?: number; readonly holdNano?: Nano },
  ): JournalRecord;
  /** An intent by the prices above. */
  admit(id: string, holdNano?: Nano, organizationId?: string): JournalRecord;
}

const HOLD_NANO = 1_000_000n;

export async function openMoney(store: Store, clock = testClock()): Promise<TestMoney> {
  const wallets = openSlots(createSlots()).wallets;
  const ledger = await createLedger({ store, clock, slots: wallets });
  const price = await plantPrice(store, {
    of: 'mock-1',
    input: 4_000_000_000n,
    cachedInput: 1_000_000_000n,
    output: 16_000_000_001n,
  });
  const cost = await plantPrice(store, {
    of: 'mock-1-a',
    input: 2_000_000_000n,
    output: 8_000_000_001n,
    rounding: 'half-even',
  });
  let count = 0;
  return {
    ledger,
    wallets,
    clock,
    price,
    cost,
    createLoader: (journal, more = {}) =>
      createLoader({
        store,
        journal,
        clock,
        log: silentLog,
        busyness: () => 0,
        onError: error => {
          throw error;
        },
        ...more,
      }),
    async credit(organizationId, amountNano, idempotencyKey = `credit-${++count}`) {
      const booked = await store.transaction(trx =>
        ledger.credit(trx, { organizationId, currency: 'CNY', amountNano, idempotencyKey }),
      );
      await ledger.refresh();
      return booked;
    },
    settle(id, more = {}, { atMs = clock.nowMs(), holdNano = HOLD_NANO } = {}) {
      const { inputTokens = 23, outputTokens = 7 } = more;
      // A part never exceeds its whole.
      const parts = { cachedInputTokens: Math.min(3, inputTokens), reasoningTokens: Math.min(1, outputTokens) };
      const usage = { inputTokens, outputTokens, ...parts, ...more };
      const costNano = rate(usage, cost).amountNano;
      return settlement(id, {
        atMs,
        usage,
        amountNano: rate(usage, price).amountNano,
        priceVersion: price.version,
        attempts: [attempt({ usage, costVersion: cost.version, costNano })],
        holdNano,
      });
    },
    admit: (id, holdNano = HOLD_NANO, organizationId = 'acme') =>
      intent(id, holdNano, {
        atMs: clock.nowMs(),
        organizationId,
        priceVersion: price.version,
        costVersion: cost.version,
        expiresAtMs: clock.nowMs() + 600_000,
      }),
  };
}
