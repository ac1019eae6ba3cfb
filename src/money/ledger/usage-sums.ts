import type { Nano } from '@millrace/contract';
import { type RawBuilder, sql } from 'kysely';
import { Fault } from '../../ground/std/index.ts';
import { CARRY, type Store } from '../../ground/store/index.ts';

/** Which requests are meant. */
export interface UsageFilter {
  /** Absent: all of them. */
  readonly organizationId?: string | undefined;
  readonly projectId?: string | undefined;
  readonly keyId?: string | undefined;
  readonly model?: string | undefined;
  /** Settled at or after this; and before `toMs`. */
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
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
  /** Of these: what stands against their cost. Of the other revenue nobody knows what it leaves. */
  readonly costedRevenueNano: Nano;
}

/** What usage is summed by. */
export type UsageBy =
  | 'organization'
  | 'project'
  | 'key'
  | 'model'
  | 'deployment'
  | 'provider'
  | 'hour'
  | 'day'
  | 'month';

const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
const GROUPS_MAX = 10_000;

/** Columns of the series, or times as numbers of hours and days. */
function groupOf(by: UsageBy | 'currency', time: 'hour_us' | 'at_us'): RawBuilder<string | bigint> {
  switch (by) {
    case 'hour':
      return sql<bigint>`${sql.ref(time)} / ${sql.lit(HOUR_MS * 1_000)}`;
    case 'day':
    case 'month':
      return sql<bigint>`${sql.ref(time)} / ${sql.lit(DAY_MS * 1_000)}`;
    case 'currency':
    case 'model':
      return sql.ref<string>(`series.${by}`);
    // Two organizations may have projects of one name.
    case 'project':
      return sql<string>`series.organization_id || '/' || series.project_id`;
    default:
      return sql.ref<string>(`series.${by}_id`);
  }
}

const timeText = (unitMs: number, length: number) => (count: string | bigint) =>
  new Date(Number(count) * unitMs).toISOString().slice(0, length);

/** A group as it is told: `2026-11-28T08Z`, `2026-11-28`, `2026-11`, an id; a project as `organization/project`. */
const NAMES: Readonly<Record<UsageBy, (group: string | bigint) => string>> = {
  organization: String,
  project: String,
  key: String,
  model: String,
  deployment: String,
  provider: String,
  hour: count => `${timeText(HOUR_MS, 13)(count)}Z`,
  day: timeText(DAY_MS, 10),
  month: timeText(DAY_MS, 7),
};

/** Lines that a query takes, with what their series says. */
export function selectRequests(store: Store, { organizationId, projectId, keyId, model, fromMs, toMs }: UsageFilter) {
  let lines = store.reader.selectFrom('requests').innerJoin('series', 'series.number', 'requests.series');
  if (organizationId !== undefined) lines = lines.where('requests.organization_id', '=', organizationId);
  if (fromMs !== undefined) lines = lines.where('at_us', '>=', BigInt(fromMs) * 1000n);
  if (toMs !== undefined) lines = lines.where('at_us', '<', BigInt(toMs) * 1000n);
  if (projectId !== undefined) lines = lines.where('project_id', '=', projectId);
  if (keyId !== undefined) lines = lines.where('key_id', '=', keyId);
  if (model !== undefined) lines = lines.where('model', '=', model);
  return lines;
}

interface Sums {
  /** What they are summed by; the currency where by nothing else. */
  readonly group: string | bigint;
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
  readonly costed_revenue: bigint;
  readonly costed_revenue_rest: bigint;
}

/** Money is summed up in two parts: SQLite refuses a sum beyond int64 (9.2e9 units), which an organization comes to in its life. */
const PART = 1_000_000_000n;
const joined = (whole: bigint, rest: bigint) => BigInt(whole) * PART + BigInt(rest);
const COSTED = sql<boolean>`cost_currency = currency`;
const ANY = sql<boolean>`true`;

/** Of the rows where `when`; `carry` is the column that counts how often the other one was full. */
function sumOf(column: string, { when = ANY, carry }: { readonly when?: typeof ANY; readonly carry?: string } = {}) {
  const full = carry === undefined ? sql`0` : sql`${sql.ref(carry)} * ${sql.lit(CARRY / PART)}`;
  return {
    whole: sql<bigint>`sum(case when ${when} then ${sql.ref(column)} / ${sql.lit(PART)} + ${full} else 0 end)`,
    rest: sql<bigint>`sum(case when ${when} then ${sql.ref(column)} % ${sql.lit(PART)} else 0 end)`,
  };
}

/** Where the whole hours of a span begin and end; the rest lies before and after. */
function wholeHours({ fromMs = 0, toMs = Number.MAX_SAFE_INTEGER }: UsageFilter): { fromMs: number; toMs: number } {
  const first = Math.ceil(fromMs / HOUR_MS) * HOUR_MS;
  const last = Math.floor(toMs / HOUR_MS) * HOUR_MS;
  return { fromMs: Math.min(first, toMs), toMs: Math.max(Math.min(first, toMs), last) };
}

/**
 * Totals by currency, exact to the millisecond. Whole hours come from the rollup, what is cut off at both ends from the lines
 * themselves; both are read in the reader thread.
 */
export async function readTotals(store: Store, query: UsageFilter): Promise<readonly UsageTotals[]> {
  const totals = added(await readSums(store, query, 'currency'), ({ currency }) => currency);
  return [...totals.values()].toSorted(byText(({ currency }) => currency));
}

/**
 * Totals of each model, key, day …, by group and currency, in the order of the groups; days and hours in UTC. Throws Fault
 * `invalid_parameter` where there are too many to be read at once.
 */
export async function readUsageGroups(
  store: Store,
  query: UsageFilter,
  by: UsageBy,
): Promise<readonly (UsageTotals & { readonly group: string })[]> {
  const name = NAMES[by];
  const rows = (await readSums(store, query, by)).map(row => ({ ...row, group: name(row.group) }));
  const totals = added(rows, ({ group, currency }) => `${group}\n${currency}`);
  if (totals.size > GROUPS_MAX)
    throw new Fault('invalid_parameter', {
      message: `by: there are more than ${GROUPS_MAX} groups: ask for a shorter time`,
      messageZh: `by：分组超过 ${GROUPS_MAX} 个：请缩短时间范围`,
      param: 'by',
    });
  return [...totals]
    .map(([key, total]) => ({ ...total, group: key.slice(0, key.indexOf('\n')) }))
    .toSorted(byText(({ group, currency }) => `${group}\n${currency}`));
}

const byText =
  <T>(textOf: (value: T) => string) =>
  (a: T, b: T) => {
    const [one, other] = [textOf(a), textOf(b)];
    return one === other ? 0 : one < other ? -1 : 1;
  };

async function readSums(store: Store, query: UsageFilter, by: UsageBy | 'currency'): Promise<readonly Sums[]> {
  const hours = wholeHours(query);
  const parts = [await sumHours(store, query, { ...hours, by })];
  if ((query.fromMs ?? 0) < hours.fromMs) parts.push(await sumRequests(store, { ...query, toMs: hours.fromMs }, by));
  if (query.toMs !== undefined && hours.toMs < query.toMs)
    parts.push(await sumRequests(store, { ...query, fromMs: hours.toMs }, by));
  return parts.flat();
}

/** Rows of one key, as one. */
function added<T extends Sums>(rows: readonly T[], keyOf: (row: T) => string): Map<string, UsageTotals> {
  const totals = new Map<string, UsageTotals>();
  for (const row of rows) {
    const key = keyOf(row);
    const before = totals.get(key);
    totals.set(key, {
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
      costedRevenueNano: (before?.costedRevenueNano ?? 0n) + joined(row.costed_revenue, row.costed_revenue_rest),
    });
  }
  return totals;
}

async function sumHours(
  store: Store,
  { organizationId, projectId, keyId, model }: UsageFilter,
  { fromMs, toMs, by }: { readonly fromMs: number; readonly toMs: number; readonly by: UsageBy | 'currency' },
): Promise<readonly Sums[]> {
  let hours = store.reader
    .selectFrom('usage_hourly')
    .innerJoin('series', 'series.number', 'usage_hourly.series')
    .where('hour_us', '>=', BigInt(fromMs) * 1000n)
    .where('hour_us', '<', BigInt(toMs) * 1000n);
  if (organizationId !== undefined) hours = hours.where('organization_id', '=', organizationId);
  if (projectId !== undefined) hours = hours.where('project_id', '=', projectId);
  if (keyId !== undefined) hours = hours.where('key_id', '=', keyId);
  if (model !== undefined) hours = hours.where('model', '=', model);
  const group = groupOf(by, 'hour_us');
  const revenue = sumOf('revenue_nano', { carry: 'revenue_carry' });
  const cost = sumOf('cost_nano', { carry: 'cost_carry' });
  const costedRevenue = sumOf('revenue_nano', { when: COSTED, carry: 'revenue_carry' });
  return hours
    .select(({ fn }) => [
      'currency',
      group.as('group'),
      fn.sum<bigint>('requests').as('requests'),
      fn.sum<bigint>('failed').as('failed'),
      fn.sum<bigint>('input_tokens').as('input'),
      fn.sum<bigint>('cached_input_tokens').as('cached'),
      fn.sum<bigint>('output_tokens').as('output'),
      fn.sum<bigint>('reasoning_tokens').as('reasoning'),
      revenue.whole.as('revenue'),
      revenue.rest.as('revenue_rest'),
      cost.whole.as('cost'),
      cost.rest.as('cost_rest'),
      fn.sum<bigint>('costed').as('costed'),
      // All requests of a series have their cost in its currency, or none of them has one.
      costedRevenue.whole.as('costed_revenue'),
      costedRevenue.rest.as('costed_revenue_rest'),
    ])
    .groupBy(['currency', group])
    .execute();
}

async function sumRequests(store: Store, query: UsageFilter, by: UsageBy | 'currency'): Promise<readonly Sums[]> {
  let lines = selectRequests(store, query);
  // Named one by one, each is found by the index of its lines by time; of all together nothing is.
  if (query.organizationId === undefined)
    lines = lines.where('requests.organization_id', 'in', store.reader.selectFrom('organizations').select('id'));
  const group = groupOf(by, 'at_us');
  const revenue = sumOf('amount_nano');
  const cost = sumOf('cost_nano', { when: COSTED });
  const costedRevenue = sumOf('amount_nano', { when: COSTED });
  const costed = sql<bigint>`case when cost_currency = currency then 1 else 0 end`;
  return lines
    .select(({ fn }) => [
      'currency',
      group.as('group'),
      fn.countAll<bigint>().as('requests'),
      sql<bigint>`sum(case when outcome = 'failed' then 1 else 0 end)`.as('failed'),
      fn.sum<bigint>('input_tokens').as('input'),
      fn.sum<bigint>('cached_input_tokens').as('cached'),
      fn.sum<bigint>('output_tokens').as('output'),
      fn.sum<bigint>('reasoning_tokens').as('reasoning'),
      revenue.whole.as('revenue'),
      revenue.rest.as('revenue_rest'),
      cost.whole.as('cost'),
      cost.rest.as('cost_rest'),
      sql<bigint>`sum(${costed})`.as('costed'),
      costedRevenue.whole.as('costed_revenue'),
      costedRevenue.rest.as('costed_revenue_rest'),
    ])
    .groupBy(['currency', group])
    .execute();
}
