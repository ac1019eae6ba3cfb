import type { Currency, Nano } from '@millrace/contract';
import type { Attempt, Intent, Settlement } from '../journal/index.ts';
import type { StoreValue } from '../store/index.ts';
import { costAccount, payableAccount, revenueAccount, walletAccount } from './accounts.ts';
import type { Booking, Posting } from './booking.ts';

/** A settlement with the intent it ends. */
export interface Settled {
  readonly settlement: Settlement;
  readonly intent: Intent;
}

export const REQUEST_COLUMNS: readonly string[] = [
  'id',
  'organization_id',
  'project_id',
  'key_id',
  'operation',
  'model',
  'deployment_id',
  'outcome',
  'status',
  'fault_code',
  'input_tokens',
  'cached_input_tokens',
  'output_tokens',
  'reasoning_tokens',
  'usage_source',
  'estimated',
  'amount_nano',
  'currency',
  'price_version',
  'cost_nano',
  'cost_currency',
  'held_nano',
  'input_tokens_max',
  'output_tokens_max',
  'ttft_ms',
  'duration_ms',
  'at_us',
  'tx_seq',
];

export function requestRow({ settlement, intent }: Settled, txSeq: bigint): StoreValue[] {
  const { usage } = settlement;
  const cost = costOf(settlement.attempts);
  return [
    settlement.id,
    intent.organizationId,
    intent.projectId,
    intent.keyId,
    intent.operation,
    intent.model,
    settlement.attempts.at(-1)?.deploymentId ?? intent.deploymentId,
    settlement.outcome,
    BigInt(settlement.status),
    settlement.faultCode ?? null,
    BigInt(usage.inputTokens),
    BigInt(usage.cachedInputTokens),
    BigInt(usage.outputTokens),
    BigInt(usage.reasoningTokens),
    settlement.usageSource,
    settlement.estimated ? 1n : 0n,
    settlement.amountNano,
    settlement.currency,
    settlement.priceVersion,
    cost?.nano ?? null,
    cost?.currency ?? null,
    settlement.holdNano,
    BigInt(intent.inputTokensMax),
    BigInt(intent.outputTokensMax),
    settlement.ttftMs === undefined ? null : BigInt(settlement.ttftMs),
    BigInt(settlement.durationMs),
    BigInt(settlement.atMs) * 1000n,
    txSeq,
  ];
}

export const ATTEMPT_COLUMNS: readonly string[] = [
  'request_id',
  'number',
  'deployment_id',
  'provider_id',
  'status',
  'outcome',
  'input_tokens',
  'cached_input_tokens',
  'output_tokens',
  'reasoning_tokens',
  'cost_version',
  'cost_currency',
  'cost_nano',
  'upstream_request_id',
  'duration_ms',
];

export function attemptRow(requestId: string, attempt: Attempt): StoreValue[] {
  const { usage } = attempt;
  return [
    requestId,
    BigInt(attempt.number),
    attempt.deploymentId,
    attempt.providerId,
    BigInt(attempt.status),
    attempt.outcome,
    BigInt(usage.inputTokens),
    BigInt(usage.cachedInputTokens),
    BigInt(usage.outputTokens),
    BigInt(usage.reasoningTokens),
    attempt.costVersion ?? null,
    attempt.costCurrency ?? null,
    attempt.costNano ?? null,
    attempt.upstreamRequestId ?? null,
    BigInt(attempt.durationMs),
  ];
}

/** What all attempts of a request cost; undefined where that is not known of any, or they cost in several currencies. */
export function costOf(attempts: readonly Attempt[]): { readonly nano: Nano; readonly currency: Currency } | undefined {
  let nano = 0n;
  let currency: Currency | undefined;
  for (const { costNano, costCurrency } of attempts) {
    if (costNano === undefined || costCurrency === undefined) continue;
    if (currency !== undefined && currency !== costCurrency) return undefined;
    currency = costCurrency;
    nano += costNano;
  }
  return currency === undefined ? undefined : { nano, currency };
}

/** From wallet to revenue: one transaction per request, also where nothing is charged. */
export function usageBooking({ settlement, intent }: Settled): Booking {
  const { amountNano, currency } = settlement;
  return {
    kind: 'usage',
    // Its key is the request, whose row is there once and names this transaction.
    idemKey: null,
    requestId: settlement.id,
    atUs: BigInt(settlement.atMs) * 1000n,
    note: '',
    postings:
      amountNano === 0n
        ? []
        : [
            { accountId: walletAccount(intent.organizationId, currency), currency, amountNano },
            { accountId: revenueAccount(intent.organizationId, currency), currency, amountNano: -amountNano },
          ],
  };
}

/**
 * What the attempts of these requests owe their providers, as one transaction: the attempts themselves are the detail, and two
 * more postings a request would cost the loader a seventh of its time. Undefined where nothing is owed. That
 * it is booked once follows from its requests being new.
 */
export function costBooking(settled: readonly Settled[]): Booking | undefined {
  const owed = new Map<string, { readonly providerId: string; readonly currency: Currency; nano: Nano }>();
  for (const { settlement } of settled) {
    for (const { providerId, costCurrency, costNano } of settlement.attempts) {
      if (costNano === undefined || costCurrency === undefined || costNano === 0n) continue;
      const key = `${providerId} ${costCurrency}`;
      const entry = owed.get(key);
      if (entry) entry.nano += costNano;
      else owed.set(key, { providerId, currency: costCurrency, nano: costNano });
    }
  }
  const last = settled.at(-1);
  if (owed.size === 0 || !last) return undefined;
  const postings = [...owed.values()].flatMap(({ providerId, currency, nano }): readonly Posting[] => [
    { accountId: costAccount(providerId, currency), currency, amountNano: nano },
    { accountId: payableAccount(providerId, currency), currency, amountNano: -nano },
  ]);
  return {
    kind: 'cost',
    idemKey: null,
    requestId: null,
    atUs: BigInt(last.settlement.atMs) * 1000n,
    // Which usage transactions it belongs to: those just before it.
    note: `${settled.length}`,
    postings,
  };
}
