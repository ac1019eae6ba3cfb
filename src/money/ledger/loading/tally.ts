import type { Nano } from '@millrace/contract';
import { costAccount, payableAccount } from '../accounts.ts';
import { type AccountPair, accountPair, type BalanceChanges, post, type Transfer } from '../booking.ts';
import type { Series } from './series.ts';
import type { Settled } from './settled.ts';

/** What requests of one series that were settled in one hour come to: all projections are moved by these, not by requests. */
export interface Tally {
  readonly series: Series;
  readonly hourMs: number;
  requests: number;
  failed: number;
  inputTokens: number;
  cachedInputTokens: number;
  outputTokens: number;
  reasoningTokens: number;
  revenueNano: Nano;
  /** In the currency of the series' costs, of `costed` requests; of it `callNano` for calls that the requests' own rows tell. */
  costNano: Nano;
  callNano: Nano;
  costed: number;
}

const HOUR_MS = 3_600_000;

export interface Tallies {
  add(settled: Settled, series: Series): void;
  all(): readonly Tally[];
}

export function createTallies(): Tallies {
  // A batch lies within an hour, at its turn within two.
  const bySeries = new Map<Series, Tally[]>();
  const tallyOf = (series: Series, hourMs: number): Tally => {
    let hours = bySeries.get(series);
    if (!hours) {
      hours = [];
      bySeries.set(series, hours);
    }
    for (const tally of hours) if (tally.hourMs === hourMs) return tally;
    const fresh = { series, hourMs, ...NOTHING };
    hours.push(fresh);
    return fresh;
  };
  return {
    add({ settlement, call, cost }, series) {
      const { usage } = settlement;
      const tally = tallyOf(series, Math.floor(settlement.atMs / HOUR_MS) * HOUR_MS);
      tally.requests++;
      if (settlement.outcome === 'failed') tally.failed++;
      tally.inputTokens += usage.inputTokens;
      tally.cachedInputTokens += usage.cachedInputTokens;
      tally.outputTokens += usage.outputTokens;
      tally.reasoningTokens += usage.reasoningTokens;
      tally.revenueNano += settlement.amountNano;
      if (!cost) return;
      tally.costed++;
      tally.costNano += cost.nano;
      if (call) tally.callNano += cost.nano;
    },
    all: () => [...bySeries.values()].flat(),
  };
}

const NOTHING = {
  requests: 0,
  failed: 0,
  inputTokens: 0,
  cachedInputTokens: 0,
  outputTokens: 0,
  reasoningTokens: 0,
  revenueNano: 0n,
  costNano: 0n,
  callNano: 0n,
  costed: 0,
};

/** Moves wallets and revenue by what the requests cost. */
export function postUsage(changes: BalanceChanges, tallies: readonly Tally[]): void {
  for (const { series, revenueNano } of tallies) post(changes, series.accounts, revenueNano);
}

/**
 * What the calls of these requests owe their providers, one transfer for each provider and currency: the calls themselves are the
 * detail, and a transfer for each would cost the loader a tenth of its time. That it is booked once follows from its requests
 * being new.
 */
export function costTransfers(tallies: readonly Tally[], settled: readonly Settled[]): readonly Transfer[] {
  const owed = new Map<string, { readonly accounts: AccountPair; nano: Nano }>();
  const owe = (providerId: string, currency: string, nano: Nano) => {
    const payable = payableAccount(providerId, currency);
    const entry = owed.get(payable);
    if (entry) entry.nano += nano;
    else owed.set(payable, { accounts: accountPair(costAccount(providerId, currency), payable), nano });
  };
  for (const { series, callNano } of tallies)
    if (series.costCurrency !== null) owe(series.providerId, series.costCurrency, callNano);
  for (const { settlement, call } of settled) {
    if (call) continue;
    for (const { providerId, costCurrency, costNano } of settlement.attempts)
      if (costNano !== undefined && costCurrency !== undefined) owe(providerId, costCurrency, costNano);
  }
  const atMs = settled.at(-1)?.settlement.atMs ?? 0;
  return [...owed.values()]
    .flatMap(({ accounts, nano }) => parts(nano).map(amountNano => ({ accounts, amountNano })))
    .map(({ accounts, amountNano }) => ({
      kind: 'cost',
      accounts,
      amountNano,
      atUs: atMs * 1000,
      idemKey: null,
      reversesSeq: null,
      note: null,
    }));
}

/** Of one transfer: well within int64. */
const TRANSFER_NANO_MAX = 4n * 10n ** 18n;

function parts(nano: Nano): readonly Nano[] {
  if (nano <= 0n) return [];
  const whole = Array.from({ length: Number(nano / TRANSFER_NANO_MAX) }, () => TRANSFER_NANO_MAX);
  const rest = nano % TRANSFER_NANO_MAX;
  return rest === 0n ? whole : [...whole, rest];
}
