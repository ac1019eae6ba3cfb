import type { Nano } from '@millrace/contract';
import { decodeRecord, ENTRY_KIND, type Intent, type Settlement } from '../journal/index.ts';
import type { Store, StoreTransaction, StoreValue } from '../store/index.ts';
import { type Booking, book, houseAccount, type Posting, walletAccount } from './booking.ts';

const REQUEST_COLUMNS = [
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
  'ttft_ms',
  'duration_ms',
  'at_us',
  'tx_id',
];
const ATTEMPT_COLUMNS = [
  'request_id',
  'number',
  'deployment_id',
  'provider_id',
  'status',
  'outcome',
  'input_tokens',
  'cached_input_tokens',
  'output_tokens',
  'cost_version',
  'cost_currency',
  'cost_nano',
  'upstream_request_id',
  'duration_ms',
];

interface Settled {
  readonly settlement: Settlement;
  readonly intent: Intent;
  readonly txId: string;
}

/** Books settlements that are new: request and attempt rows, one transaction each, holds released, spend and hours counted. */
export async function settleBatch(
  store: Store,
  trx: StoreTransaction,
  {
    settlements,
    intents,
    newId,
  }: { settlements: readonly Settlement[]; intents: ReadonlyMap<string, Intent>; newId: () => string },
): Promise<void> {
  if (settlements.length === 0) return;
  const ids = settlements.map(({ id }) => id);
  const holds = new Map(
    (
      await trx
        .selectFrom('holds')
        .select(['request_id', 'account_id', 'amount_nano', 'intent'])
        .where('request_id', 'in', ids)
        .execute()
    ).map(row => [row.request_id, row]),
  );
  const candidates: Settled[] = [];
  for (const settlement of settlements) {
    const hold = holds.get(settlement.id);
    const stored = hold ? decodeRecord(ENTRY_KIND.intent, hold.intent) : undefined;
    const intent = intents.get(settlement.id) ?? (stored?.kind === ENTRY_KIND.intent ? stored.value : undefined);
    // Without an intent in the batch or a hold in the store it was settled before: a replay.
    if (intent) candidates.push({ settlement, intent, txId: newId() });
  }
  const inserted = await store.insertNew(trx, 'requests', {
    columns: REQUEST_COLUMNS,
    rows: candidates.map(requestRow),
    key: 'id',
  });
  const fresh = candidates.filter((_, index) => inserted[index]);
  await store.insertNew(trx, 'attempts', {
    columns: ATTEMPT_COLUMNS,
    rows: fresh.flatMap(attemptRows),
    key: 'request_id,number',
  });
  await book(store, trx, fresh.map(bookingOf));
  const released = new Map<string, Nano>();
  const closed = fresh.flatMap(({ settlement }) => holds.get(settlement.id) ?? []);
  for (const { account_id, amount_nano } of closed)
    released.set(account_id, (released.get(account_id) ?? 0n) - amount_nano);
  if (closed.length > 0)
    await trx
      .deleteFrom('holds')
      .where(
        'request_id',
        'in',
        closed.map(({ request_id }) => request_id),
      )
      .execute();
  await moveHeld(trx, released);
  await countSpend(store, trx, fresh);
  await countHours(store, trx, fresh);
}

function costOf({ attempts }: Settlement): { nano: Nano; currency: string } | undefined {
  const known = attempts.flatMap(({ costNano, costCurrency }) =>
    costNano === undefined || costCurrency === undefined ? [] : [{ costNano, costCurrency }],
  );
  const currency = known.at(-1)?.costCurrency;
  if (currency === undefined) return undefined;
  return {
    nano: known.filter(cost => cost.costCurrency === currency).reduce((sum, cost) => sum + cost.costNano, 0n),
    currency,
  };
}

function requestRow({ settlement, intent, txId }: Settled): StoreValue[] {
  const { usage } = settlement;
  const cost = costOf(settlement);
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
    settlement.ttftMs === undefined ? null : BigInt(settlement.ttftMs),
    BigInt(settlement.durationMs),
    BigInt(settlement.atMs) * 1000n,
    txId,
  ];
}

function attemptRows({ settlement }: Settled): StoreValue[][] {
  return settlement.attempts.map(attempt => [
    settlement.id,
    BigInt(attempt.number),
    attempt.deploymentId,
    attempt.providerId,
    BigInt(attempt.status),
    attempt.outcome,
    BigInt(attempt.usage.inputTokens),
    BigInt(attempt.usage.cachedInputTokens),
    BigInt(attempt.usage.outputTokens),
    attempt.costVersion ?? null,
    attempt.costCurrency ?? null,
    attempt.costNano ?? null,
    attempt.upstreamRequestId ?? null,
    BigInt(attempt.durationMs),
  ]);
}

/** Revenue from the wallet, and what each attempt owes its provider: one transaction per request, zero per currency. */
function bookingOf({ settlement, intent, txId }: Settled): Booking {
  const postings: Posting[] = [];
  const { amountNano, currency } = settlement;
  if (amountNano > 0n) {
    postings.push(
      { accountId: walletAccount(intent.organizationId, currency), currency, amountNano },
      { accountId: houseAccount('revenue', currency), currency, amountNano: -amountNano },
    );
  }
  for (const { costNano, costCurrency } of settlement.attempts) {
    if (costNano === undefined || costCurrency === undefined || costNano === 0n) continue;
    postings.push(
      { accountId: houseAccount('cogs', costCurrency), currency: costCurrency, amountNano: costNano },
      { accountId: houseAccount('payable', costCurrency), currency: costCurrency, amountNano: -costNano },
    );
  }
  return {
    id: txId,
    kind: 'usage',
    idemKey: `usage:${settlement.id}`,
    requestId: settlement.id,
    atUs: BigInt(settlement.atMs) * 1000n,
    priceVersion: settlement.priceVersion,
    note: '',
    postings,
  };
}

async function countSpend(store: Store, trx: StoreTransaction, settled: readonly Settled[]): Promise<void> {
  const spent = new Map<string, { readonly row: [string, string, string]; nano: Nano }>();
  for (const { settlement, intent } of settled) {
    if (settlement.amountNano === 0n) continue;
    const day = new Date(settlement.atMs).toISOString().slice(0, 10);
    for (const period of ['total', day.slice(0, 7), day]) {
      const key = `${intent.keyId} ${period} ${settlement.currency}`;
      const entry = spent.get(key) ?? { row: [intent.keyId, period, settlement.currency], nano: 0n };
      entry.nano += settlement.amountNano;
      spent.set(key, entry);
    }
  }
  const rows = [...spent.values()];
  await store.insertNew(trx, 'key_spend', {
    columns: ['key_id', 'period', 'currency', 'spent_nano'],
    rows: rows.map(({ row }) => [...row, 0n]),
    key: 'key_id,period,currency',
  });
  for (const {
    row: [key, period, currency],
    nano,
  } of rows) {
    await trx
      .updateTable('key_spend')
      .set(({ eb }) => ({ spent_nano: eb('spent_nano', '+', nano) }))
      .where('key_id', '=', key)
      .where('period', '=', period)
      .where('currency', '=', currency)
      .execute();
  }
}

const HOUR_US = 3_600_000_000n;

async function countHours(store: Store, trx: StoreTransaction, settled: readonly Settled[]): Promise<void> {
  type Sums = { requests: bigint; input: bigint; cached: bigint; output: bigint; revenue: Nano; cost: Nano };
  const hours = new Map<
    string,
    { readonly key: readonly [bigint, string, string, string, string, string]; readonly sums: Sums }
  >();
  for (const { settlement, intent } of settled) {
    const atUs = BigInt(settlement.atMs) * 1000n;
    const key = [
      atUs - (atUs % HOUR_US),
      intent.organizationId,
      intent.projectId,
      intent.keyId,
      intent.model,
      settlement.currency,
    ] as const;
    const entry = hours.get(key.join(' ')) ?? {
      key,
      sums: { requests: 0n, input: 0n, cached: 0n, output: 0n, revenue: 0n, cost: 0n },
    };
    const cost = costOf(settlement);
    entry.sums.requests += 1n;
    entry.sums.input += BigInt(settlement.usage.inputTokens);
    entry.sums.cached += BigInt(settlement.usage.cachedInputTokens);
    entry.sums.output += BigInt(settlement.usage.outputTokens);
    entry.sums.revenue += settlement.amountNano;
    // The rollup's cost is in the currency of the sale; another currency stands in the attempts alone.
    if (cost?.currency === settlement.currency) entry.sums.cost += cost.nano;
    hours.set(key.join(' '), entry);
  }
  const rows = [...hours.values()];
  await store.insertNew(trx, 'usage_hourly', {
    columns: [
      'hour_us',
      'organization_id',
      'project_id',
      'key_id',
      'model',
      'currency',
      'requests',
      'input_tokens',
      'cached_input_tokens',
      'output_tokens',
      'revenue_nano',
      'cost_nano',
    ],
    rows: rows.map(({ key }) => [...key, 0n, 0n, 0n, 0n, 0n, 0n]),
    key: 'organization_id,hour_us,project_id,key_id,model,currency',
  });
  for (const {
    key: [hour, organization, project, keyId, model, currency],
    sums,
  } of rows) {
    await trx
      .updateTable('usage_hourly')
      .set(({ eb }) => ({
        requests: eb('requests', '+', sums.requests),
        input_tokens: eb('input_tokens', '+', sums.input),
        cached_input_tokens: eb('cached_input_tokens', '+', sums.cached),
        output_tokens: eb('output_tokens', '+', sums.output),
        revenue_nano: eb('revenue_nano', '+', sums.revenue),
        cost_nano: eb('cost_nano', '+', sums.cost),
      }))
      .where('hour_us', '=', hour)
      .where('organization_id', '=', organization)
      .where('project_id', '=', project)
      .where('key_id', '=', keyId)
      .where('model', '=', model)
      .where('currency', '=', currency)
      .execute();
  }
}

/** Moves what is held, each account by one statement. */
export async function moveHeld(trx: StoreTransaction, held: ReadonlyMap<string, Nano>): Promise<void> {
  for (const [account, amount] of held) {
    if (amount !== 0n)
      await trx
        .updateTable('balances')
        .set(({ eb }) => ({ held_nano: eb('held_nano', '+', amount) }))
        .where('account_id', '=', account)
        .execute();
  }
}
