import * as z from 'zod';
import { countText, cursorText, dateText, parseDate, slugText, timeText } from './values.ts';

export const usageQuerySchema = z
  .strictObject({
    organization: slugText,
    project: slugText.exactOptional(),
    model: z.string().max(128).exactOptional(),
    /** Settled from this time on, and before that one. */
    from: dateText.exactOptional(),
    to: dateText.exactOptional(),
    limit: countText.transform(Number).pipe(z.int().min(1).max(1_000)).default(100),
    /** `next` of the page before. */
    cursor: cursorText.exactOptional(),
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
  cost: z.string(),
  costedRequests: z.number(),
  margin: z.string(),
});
export const usageLineSchema = z.object({
  requestId: z.string(),
  at: timeText,
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
  /** Null where the cost is not known, or in another currency. */
  cost: z.string().nullable(),
  margin: z.string().nullable(),
  durationMs: z.number(),
});
export const usageSchema = z.object({
  /** Over all that the filter takes, not this page alone; one per currency. */
  totals: z.array(usageTotalSchema),
  /** Newest first. */
  lines: z.array(usageLineSchema),
  next: z.string().nullable(),
});

export type UsageQuery = z.output<typeof usageQuerySchema>;
export type UsageView = z.output<typeof usageSchema>;
export type UsageLine = z.output<typeof usageLineSchema>;
