import * as z from 'zod';
import { parseDate } from '../dates.ts';
import { route } from './route.ts';
import { cursorText, dateText, limitText, slugText, timeText } from './values.ts';

export const usageQuerySchema = z
  .strictObject({
    /** Absent: all organizations. */
    organization: slugText.exactOptional(),
    project: slugText.exactOptional(),
    key: z.string().max(64).exactOptional(),
    model: z.string().max(128).exactOptional(),
    /** Settled from this time on, and before that one. */
    from: dateText.exactOptional(),
    to: dateText.exactOptional(),
    limit: limitText,
    /** `next` of the page before. */
    cursor: cursorText.exactOptional(),
    /** Sums of each, in place of the lines; times in UTC. */
    by: z
      .enum(['organization', 'project', 'key', 'model', 'deployment', 'provider', 'hour', 'day', 'month'])
      .exactOptional(),
  })
  .superRefine(({ organization, project }, context) => {
    if (project === undefined || organization !== undefined) return;
    const message = 'needs organization: each has projects of its own';
    const params = { zh: '需要同时给出 organization：各组织的项目相互独立' };
    context.addIssue({ code: 'custom', path: ['project'], message, params });
  })
  .superRefine(({ from, to }, context) => {
    if (from === undefined || to === undefined || (parseDate(from) ?? 0) < (parseDate(to) ?? 0)) return;
    const message = `${JSON.stringify(from)} is not before ${JSON.stringify(to)}`;
    context.addIssue({ code: 'custom', path: ['from'], message, params: { zh: `“${from}”不早于“${to}”` } });
  });
const usageCounts = {
  inputTokens: z.number(),
  /** Part of the input. */
  cachedInputTokens: z.number(),
  outputTokens: z.number(),
  /** Part of the output. */
  reasoningTokens: z.number(),
};
export const usageTotalSchema = z.object({
  currency: z.string(),
  requests: z.number(),
  failed: z.number(),
  ...usageCounts,
  revenue: z.string(),
  /** Of the `costedRequests`, whose cost is known and in the same currency. */
  cost: z.string().nullable(),
  costedRequests: z.number(),
  /** Revenue of these; null as the cost. */
  costedRevenue: z.string().nullable(),
  /** Of these: what revenue whose cost is not known leaves is not known either. Null, as the cost, for whom it is nothing: a key that is bound to an organization. */
  margin: z.string().nullable(),
});
export const usageGroupSchema = usageTotalSchema.extend({
  /** An id, a project as `organization/project`, or a time: `2026-11-28T08Z`, `2026-11-28`, `2026-11`. */
  group: z.string(),
});
export const usageLineSchema = z.object({
  requestId: z.string(),
  at: timeText,
  organizationId: z.string(),
  projectId: z.string(),
  keyId: z.string(),
  model: z.string(),
  deploymentId: z.string(),
  operation: z.string(),
  outcome: z.string(),
  /** HTTP status told to the client; 0 where none was sent. */
  status: z.number(),
  ...usageCounts,
  usageSource: z.string(),
  estimated: z.boolean(),
  currency: z.string(),
  amount: z.string(),
  /** Null where the cost is not known, or not all in this currency. */
  cost: z.string().nullable(),
  /** What is known of it, by currency: several where attempts were paid in several. */
  costs: z.array(z.object({ currency: z.string(), amount: z.string() })),
  margin: z.string().nullable(),
  /** What its upstreams claim beyond the cost; null: nothing, or in another currency. */
  disputed: z.string().nullable(),
  durationMs: z.number(),
});
export const usageSchema = z.object({
  /** Over all that the filter takes, not this page alone; one per currency. */
  totals: z.array(usageTotalSchema),
  /** With `by`, in the order of the groups; one per currency of each. */
  groups: z.array(usageGroupSchema),
  /** Newest first; none with `by`. */
  lines: z.array(usageLineSchema),
  next: z.string().nullable(),
});

export type UsageQuery = z.output<typeof usageQuerySchema>;
export type UsageView = z.output<typeof usageSchema>;
export type UsageTotal = z.output<typeof usageTotalSchema>;
export type UsageGroup = z.output<typeof usageGroupSchema>;
export type UsageLine = z.output<typeof usageLineSchema>;

export const usageRoutes = {
  read: route({
    method: 'GET',
    path: '/api/v1/usage',
    permission: 'usage.read',
    tenant: { query: 'organization' },
    summary: {
      en: 'What was used and paid, what it cost, and the margin: line by line, or summed `by` organization, project, key, model or time',
      zh: '用量、收入、成本与毛利：逐条列出，或用 `by` 按组织、项目、密钥、模型、时间汇总',
    },
    query: usageQuerySchema,
    answer: usageSchema,
    paging: 'cursor',
  }),
} as const;
