import * as z from 'zod';
import { budgetSchema, keyScopesSchema } from './keys.ts';
import { dateText, timeText } from './values.ts';
import { walletViewSchema } from './wallets.ts';

const spentSchema = z.object({
  currency: z.string(),
  requests: z.number(),
  inputTokens: z.number(),
  outputTokens: z.number(),
  amount: z.string(),
});
export const keyStatusSchema = z.object({
  id: z.string(),
  name: z.string(),
  hint: z.string(),
  organizationId: z.string(),
  projectId: z.string(),
  scopes: keyScopesSchema.omit({ budget: true }),
  expiresAt: timeText.nullable(),
  budget: budgetSchema
    .extend({
      spent: z.string(),
      left: z.string(),
      /** When the period ends; null: never. */
      resetsAt: timeText.nullable(),
    })
    .nullable(),
  /** Of its organization. */
  wallets: z.array(walletViewSchema),
  /** What this key used, one per currency; day and month in UTC. */
  usage: z.object({ day: z.array(spentSchema), month: z.array(spentSchema), total: z.array(spentSchema) }),
  /** As OpenRouter tells it: amounts as numbers, in `currency`. */
  data: z.object({
    label: z.string(),
    currency: z.string(),
    usage: z.number(),
    limit: z.number().nullable(),
    limit_remaining: z.number().nullable(),
    is_free_tier: z.boolean(),
  }),
});

export const billingUsageQuerySchema = z.strictObject({
  start_date: dateText.exactOptional(),
  /** Left out itself. */
  end_date: dateText.exactOptional(),
});
