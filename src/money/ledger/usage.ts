import type { Nano } from '@millrace/contract';
import { Fault } from '../../ground/std/index.ts';
import type { Store } from '../../ground/store/index.ts';
import { readTotals, selectRequests, type UsageFilter, type UsageTotals } from './usage-sums.ts';

export interface UsageQuery extends UsageFilter {
  readonly limit: number;
  /** `next` of the page before. */
  readonly cursor?: string | undefined;
}

export interface UsageLine {
  readonly requestId: string;
  readonly at: string;
  readonly organizationId: string;
  readonly projectId: string;
  readonly keyId: string;
  readonly model: string;
  readonly deploymentId: string;
  readonly operation: string;
  readonly outcome: string;
  readonly status: number;
  readonly inputTokens: number;
  readonly cachedInputTokens: number;
  readonly outputTokens: number;
  readonly reasoningTokens: number;
  readonly usageSource: string;
  readonly estimated: boolean;
  readonly currency: string;
  readonly amountNano: Nano;
  /** Null where the cost is not known, or not all in this currency. */
  readonly costNano: Nano | null;
  /** What is known of the cost, by currency: several where its attempts were paid in several. */
  readonly costs: readonly { readonly currency: string; readonly nano: Nano }[];
  /** What its upstreams claim beyond it; null: nothing, or in another currency. */
  readonly disputedNano: Nano | null;
  readonly durationMs: number;
}

/**
 * Totals by currency, exact to the millisecond, and a page of lines, newest first. Whole hours come from the rollup, what is cut
 * off at both ends from the lines themselves; both are read in the reader thread.
 */
export async function readUsage(
  store: Store,
  query: UsageQuery,
): Promise<{
  readonly totals: readonly UsageTotals[];
  readonly lines: readonly UsageLine[];
  readonly next: string | null;
}> {
  const page = pageAfter(selectRequests(store, query), query);
  const rows = await page
    .select([
      'seq',
      'id',
      'at_us',
      'requests.organization_id as organization_id',
      'project_id',
      'key_id',
      'model',
      'deployment_id',
      'operation',
      'outcome',
      'status',
    ])
    .select(['input_tokens', 'cached_input_tokens', 'output_tokens', 'reasoning_tokens', 'usage_source', 'estimated'])
    .select(['currency', 'amount_nano', 'cost_nano', 'cost_currency', 'duration_ms'])
    .limit(query.limit)
    .execute();
  const last = rows.at(-1);
  const ofAttempts = await readAttemptCosts(
    store,
    rows.filter(row => row.cost_nano === null).map(row => row.seq),
  );
  const disputed = await readDisputes(store, rows);
  return {
    totals: await readTotals(store, query),
    lines: rows.map(row => ({
      requestId: row.id,
      at: new Date(Number(row.at_us / 1000n)).toISOString(),
      organizationId: row.organization_id,
      projectId: row.project_id,
      keyId: row.key_id,
      model: row.model,
      deploymentId: row.deployment_id,
      operation: row.operation,
      outcome: row.outcome,
      status: Number(row.status),
      inputTokens: Number(row.input_tokens),
      cachedInputTokens: Number(row.cached_input_tokens),
      outputTokens: Number(row.output_tokens),
      reasoningTokens: Number(row.reasoning_tokens),
      usageSource: row.usage_source,
      estimated: row.estimated === 1n,
      currency: row.currency,
      amountNano: row.amount_nano,
      costNano: row.cost_currency === row.currency ? row.cost_nano : null,
      costs:
        row.cost_nano === null || row.cost_currency === null
          ? (ofAttempts.get(row.seq) ?? [])
          : [{ currency: row.cost_currency, nano: row.cost_nano }],
      disputedNano: disputed.get(row.seq) ?? null,
      durationMs: Number(row.duration_ms),
    })),
    next: last && rows.length === query.limit ? `${last.at_us}-${last.seq}` : null,
  };
}

/**
 * The page after a cursor, newest first: of an organization by time, which has an index; of all by the order in which they were
 * booked, which is nearly the same and needs none, since an index by time would be written with every request.
 */
function pageAfter(page: ReturnType<typeof selectRequests>, { organizationId, cursor }: UsageQuery) {
  const after = parseCursor(cursor);
  if (organizationId === undefined) return (after ? page.where('seq', '<', after.seq) : page).orderBy('seq', 'desc');
  const rest = after
    ? page
        // Said twice: the first alone can be looked up in the index.
        .where('at_us', '<=', after.atUs)
        .where(({ eb, or }) => or([eb('at_us', '<', after.atUs), eb('seq', '<', after.seq)]))
    : page;
  return rest.orderBy('at_us', 'desc').orderBy('seq', 'desc');
}

/** Costs of requests whose own rows do not tell one, by currency. */
async function readAttemptCosts(store: Store, seqs: readonly bigint[]) {
  const bySeq = new Map<bigint, { readonly currency: string; readonly nano: Nano }[]>();
  if (seqs.length === 0) return bySeq;
  const rows = await store.reader
    .selectFrom('attempts')
    .select(({ fn }) => ['seq', 'cost_currency', fn.sum<bigint>('cost_nano').as('nano')])
    .where('seq', 'in', seqs)
    .where('cost_nano', '>', 0n)
    .groupBy(['seq', 'cost_currency'])
    .orderBy('cost_currency')
    .execute();
  for (const { seq, cost_currency: currency, nano } of rows) {
    if (currency === null) continue;
    const costs = bySeq.get(seq) ?? [];
    costs.push({ currency, nano: BigInt(nano) });
    bySeq.set(seq, costs);
  }
  return bySeq;
}

/** Where a page ended: newest first, by time, then by number. Throws Fault `invalid_parameter`. */
function parseCursor(cursor: string | undefined): { readonly atUs: bigint; readonly seq: bigint } | undefined {
  if (cursor === undefined) return undefined;
  const [, atUs, seq] = /^(\d{1,18})-(\d{1,18})$/.exec(cursor) ?? [];
  if (atUs !== undefined && seq !== undefined) return { atUs: BigInt(atUs), seq: BigInt(seq) };
  throw new Fault('invalid_parameter', {
    message: 'The cursor is not the `next` of a page',
    messageZh: '游标不是上一页返回的 `next`',
    param: 'cursor',
  });
}

/** Of the requests of a page, by their numbers. */
async function readDisputes(
  store: Store,
  rows: readonly { readonly seq: bigint; readonly currency: string }[],
): Promise<ReadonlyMap<bigint, Nano>> {
  const sums = new Map<bigint, Nano>();
  if (rows.length === 0) return sums;
  const currencies = new Map(rows.map(({ seq, currency }) => [seq, currency]));
  const found = await store.reader
    .selectFrom('attempts')
    .select(['seq', 'cost_currency', 'disputed_nano'])
    .where('disputed_nano', 'is not', null)
    .where('seq', 'in', [...currencies.keys()])
    .execute();
  for (const { seq, cost_currency, disputed_nano } of found)
    if (cost_currency === currencies.get(seq)) sums.set(seq, (sums.get(seq) ?? 0n) + (disputed_nano ?? 0n));
  return sums;
}
