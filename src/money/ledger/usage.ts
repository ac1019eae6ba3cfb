import type { Nano } from '@millrace/contract';
import { sql } from 'kysely';
import { Fault } from '../../ground/std/index.ts';
import { CARRY, type Store } from '../../ground/store/index.ts';

export interface UsageQuery {
  readonly organizationId: string;
  readonly projectId?: string | undefined;
  readonly keyId?: string | undefined;
  readonly model?: string | undefined;
  /** Settled at or after this; and before `toMs`. */
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
  readonly limit: number;
  /** `next` of the page before. */
  readonly cursor?: string | undefined;
}

export interface UsageTotals {
  readonly currency: string;
  readonly requests: number;
  readonly failed: number;
  readonly inputTokens: number;
  readonly cachedInputTokens: number;
  readonly outputTokens: number;
  readonly reasoningTokens: number;
  readonly revenueNano: Nano;
  /** Of the `costedRequests` whose cost is known in this currency. */
  readonly costNano: Nano;
  readonly costedRequests: number;
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
  readonly status: number;
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
  readonly durationMs: number;
}

const HOUR_MS = 3_600_000;

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
  let page = selectRequests(store, query);
  const after = parseCursor(query.cursor);
  if (after)
    page = page
      // Said twice: the first alone can be looked up in the index.
      .where('at_us', '<=', after.atUs)
      .where(({ eb, or }) => or([eb('at_us', '<', after.atUs), eb('seq', '<', after.seq)]));
  const rows = await page
    .select(['seq', 'id', 'at_us', 'project_id', 'key_id', 'model', 'deployment_id', 'operation', 'outcome', 'status'])
    .select(['input_tokens', 'cached_input_tokens', 'output_tokens', 'reasoning_tokens', 'usage_source', 'estimated'])
    .select(['currency', 'amount_nano', 'cost_nano', 'cost_currency', 'duration_ms'])
    .orderBy('at_us', 'desc')
    .orderBy('seq', 'desc')
    .limit(query.limit)
    .execute();
  const last = rows.at(-1);
  return {
    totals: await readTotals(store, query),
    lines: rows.map(row => ({
      requestId: row.id,
      at: new Date(Number(row.at_us / 1000n)).toISOString(),
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
      durationMs: Number(row.duration_ms),
    })),
    next: last && rows.length === query.limit ? `${last.at_us}-${last.seq}` : null,
  };
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

function selectRequests(store: Store, { organizationId, projectId, keyId, model, fromMs, toMs }: UsageQuery) {
  let lines = store.reader
    .selectFrom('requests')
    .innerJoin('series', 'series.number', 'requests.series')
    .where('requests.organization_id', '=', organizationId);
  if (fromMs !== undefined) lines = lines.where('at_us', '>=', BigInt(fromMs) * 1000n);
  if (toMs !== undefined) lines = lines.where('at_us', '<', BigInt(toMs) * 1000n);
  if (projectId !== undefined) lines = lines.where('project_id', '=', projectId);
  if (keyId !== undefined) lines = lines.where('key_id', '=', keyId);
  if (model !== undefined) lines = lines.where('model', '=', model);
  return lines;
}

interface Sums {
  readonly currency: string;
  readonly requests: bigint;
  readonly failed: bigint;
  readonly input: bigint;
  readonly cached: bigint;
  readonly output: bigint;
  readonly reasoning: bigint;
  readonly revenue: bigint;
  readonly revenue_rest: bigint;
  readonly cost: bigint;
  readonly cost_rest: bigint;
  readonly costed: bigint;
}

/** Money is summed up in two parts: SQLite refuses a sum beyond int64 (9.2e9 units), which an organization comes to in its life. */
const PART = 1_000_000_000n;
const rests = (column: string) => sql<bigint>`sum(${sql.ref(column)} % ${sql.lit(PART)})`;
const joined = (whole: bigint, rest: bigint) => BigInt(whole) * PART + BigInt(rest);

/** Where the whole hours of a span begin and end; the rest lies before and after. */
function wholeHours({ fromMs = 0, toMs = Number.MAX_SAFE_INTEGER }: UsageQuery): { fromMs: number; toMs: number } {
  const first = Math.ceil(fromMs / HOUR_MS) * HOUR_MS;
  const last = Math.floor(toMs / HOUR_MS) * HOUR_MS;
  return { fromMs: Math.min(first, toMs), toMs: Math.max(Math.min(first, toMs), last) };
}

async function readTotals(store: Store, query: UsageQuery): Promise<readonly UsageTotals[]> {
  const hours = wholeHours(query);
  const parts = [await sumHours(store, query, hours)];
  if ((query.fromMs ?? 0) < hours.fromMs) parts.push(await sumRequests(store, { ...query, toMs: hours.fromMs }));
  if (query.toMs !== undefined && hours.toMs < query.toMs)
    parts.push(await sumRequests(store, { ...query, fromMs: hours.toMs }));
  const totals = new Map<string, UsageTotals>();
  for (const row of parts.flat()) {
    const before = totals.get(row.currency);
    totals.set(row.currency, {
      currency: row.currency,
      requests: (before?.requests ?? 0) + Number(row.requests),
      failed: (before?.failed ?? 0) + Number(row.failed),
      inputTokens: (before?.inputTokens ?? 0) + Number(row.input),
      cachedInputTokens: (before?.cachedInputTokens ?? 0) + Number(row.cached),
      outputTokens: (before?.outputTokens ?? 0) + Number(row.output),
      reasoningTokens: (before?.reasoningTokens ?? 0) + Number(row.reasoning),
      revenueNano: (before?.revenueNano ?? 0n) + joined(row.revenue, row.revenue_rest),
      costNano: (before?.costNano ?? 0n) + joined(row.cost, row.cost_rest),
      costedRequests: (before?.costedRequests ?? 0) + Number(row.costed),
    });
  }
  return [...totals.values()].toSorted((a, b) => (a.currency < b.currency ? -1 : 1));
}

async function sumHours(
  store: Store,
  { organizationId, projectId, keyId, model }: UsageQuery,
  { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number },
): Promise<readonly Sums[]> {
  let hours = store.reader
    .selectFrom('usage_hourly')
    .innerJoin('series', 'series.number', 'usage_hourly.series')
    .where('organization_id', '=', organizationId)
    .where('hour_us', '>=', BigInt(fromMs) * 1000n)
    .where('hour_us', '<', BigInt(toMs) * 1000n);
  if (projectId !== undefined) hours = hours.where('project_id', '=', projectId);
  if (keyId !== undefined) hours = hours.where('key_id', '=', keyId);
  if (model !== undefined) hours = hours.where('model', '=', model);
  return hours
    .select(({ fn }) => [
      'currency',
      fn.sum<bigint>('requests').as('requests'),
      fn.sum<bigint>('failed').as('failed'),
      fn.sum<bigint>('input_tokens').as('input'),
      fn.sum<bigint>('cached_input_tokens').as('cached'),
      fn.sum<bigint>('output_tokens').as('output'),
      fn.sum<bigint>('reasoning_tokens').as('reasoning'),
      sql<bigint>`sum(revenue_nano / ${sql.lit(PART)} + revenue_carry * ${sql.lit(CARRY / PART)})`.as('revenue'),
      rests('revenue_nano').as('revenue_rest'),
      sql<bigint>`sum(cost_nano / ${sql.lit(PART)} + cost_carry * ${sql.lit(CARRY / PART)})`.as('cost'),
      rests('cost_nano').as('cost_rest'),
      fn.sum<bigint>('costed').as('costed'),
    ])
    .groupBy('currency')
    .execute();
}

async function sumRequests(store: Store, query: UsageQuery): Promise<readonly Sums[]> {
  const costed = sql<bigint>`case when cost_currency = currency then 1 else 0 end`;
  return selectRequests(store, query)
    .select(({ fn }) => [
      'currency',
      fn.countAll<bigint>().as('requests'),
      sql<bigint>`sum(case when outcome = 'failed' then 1 else 0 end)`.as('failed'),
      fn.sum<bigint>('input_tokens').as('input'),
      fn.sum<bigint>('cached_input_tokens').as('cached'),
      fn.sum<bigint>('output_tokens').as('output'),
      fn.sum<bigint>('reasoning_tokens').as('reasoning'),
      sql<bigint>`sum(amount_nano / ${sql.lit(PART)})`.as('revenue'),
      rests('amount_nano').as('revenue_rest'),
      sql<bigint>`sum(case when cost_currency = currency then cost_nano / ${sql.lit(PART)} else 0 end)`.as('cost'),
      sql<bigint>`sum(case when cost_currency = currency then cost_nano % ${sql.lit(PART)} else 0 end)`.as('cost_rest'),
      sql<bigint>`sum(${costed})`.as('costed'),
    ])
    .groupBy('currency')
    .execute();
}
