import type { Nano } from '@millrace/contract';
import type { Store } from '../store/index.ts';

export interface UsageQuery {
  readonly organizationId: string;
  readonly projectId?: string | undefined;
  readonly model?: string | undefined;
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
  readonly limit: number;
  /** Id of the last line of the page before. */
  readonly cursor?: string | undefined;
}

export interface UsageTotals {
  readonly currency: string;
  readonly requests: number;
  readonly inputTokens: number;
  readonly cachedInputTokens: number;
  readonly outputTokens: number;
  readonly revenueNano: Nano;
  readonly costNano: Nano;
}

export interface UsageLine {
  readonly requestId: string;
  readonly at: string;
  readonly projectId: string;
  readonly keyId: string;
  readonly model: string;
  readonly deploymentId: string;
  readonly operation: string;
  readonly outcome: string;
  readonly inputTokens: number;
  readonly cachedInputTokens: number;
  readonly outputTokens: number;
  readonly reasoningTokens: number;
  readonly usageSource: string;
  readonly estimated: boolean;
  readonly currency: string;
  readonly amountNano: Nano;
  /** Null where the cost is not known or in another currency. */
  readonly costNano: Nano | null;
}

/** Totals by currency from the hourly rollup (whole hours), and a page of lines, newest first. */
export async function readUsage(
  store: Store,
  query: UsageQuery,
): Promise<{
  readonly totals: readonly UsageTotals[];
  readonly lines: readonly UsageLine[];
  readonly next: string | null;
}> {
  const fromUs = BigInt(query.fromMs ?? 0) * 1000n;
  const toUs = query.toMs === undefined ? undefined : BigInt(query.toMs) * 1000n;
  let sums = store.db
    .selectFrom('usage_hourly')
    .where('organization_id', '=', query.organizationId)
    .where('hour_us', '>=', fromUs - (fromUs % 3_600_000_000n));
  if (toUs !== undefined) sums = sums.where('hour_us', '<', toUs);
  if (query.projectId !== undefined) sums = sums.where('project_id', '=', query.projectId);
  if (query.model !== undefined) sums = sums.where('model', '=', query.model);
  const totals = await sums
    .select(({ fn }) => [
      'currency',
      fn.sum<bigint>('requests').as('requests'),
      fn.sum<bigint>('input_tokens').as('input'),
      fn.sum<bigint>('cached_input_tokens').as('cached'),
      fn.sum<bigint>('output_tokens').as('output'),
      fn.sum<bigint>('revenue_nano').as('revenue'),
      fn.sum<bigint>('cost_nano').as('cost'),
    ])
    .groupBy('currency')
    .orderBy('currency')
    .execute();
  let lines = store.db
    .selectFrom('requests')
    .selectAll()
    .where('organization_id', '=', query.organizationId)
    .where('at_us', '>=', fromUs);
  if (toUs !== undefined) lines = lines.where('at_us', '<', toUs);
  if (query.projectId !== undefined) lines = lines.where('project_id', '=', query.projectId);
  if (query.model !== undefined) lines = lines.where('model', '=', query.model);
  if (query.cursor !== undefined) lines = lines.where('id', '<', query.cursor);
  const rows = await lines.orderBy('id', 'desc').limit(query.limit).execute();
  return {
    totals: totals.map(row => ({
      currency: row.currency,
      requests: Number(row.requests),
      inputTokens: Number(row.input),
      cachedInputTokens: Number(row.cached),
      outputTokens: Number(row.output),
      revenueNano: BigInt(row.revenue),
      costNano: BigInt(row.cost),
    })),
    lines: rows.map(row => ({
      requestId: row.id,
      at: new Date(Number(row.at_us / 1000n)).toISOString(),
      projectId: row.project_id,
      keyId: row.key_id,
      model: row.model,
      deploymentId: row.deployment_id,
      operation: row.operation,
      outcome: row.outcome,
      inputTokens: Number(row.input_tokens),
      cachedInputTokens: Number(row.cached_input_tokens),
      outputTokens: Number(row.output_tokens),
      reasoningTokens: Number(row.reasoning_tokens),
      usageSource: row.usage_source,
      estimated: row.estimated === 1n,
      currency: row.currency,
      amountNano: row.amount_nano,
      costNano: row.cost_currency === row.currency ? row.cost_nano : null,
    })),
    next: rows.length === query.limit ? (rows.at(-1)?.id ?? null) : null,
  };
}
