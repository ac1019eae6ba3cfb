import * as z from 'zod';
import {
  currencyText,
  dateText,
  modelPatternText,
  nameText,
  positiveAmountText,
  slugText,
  timeText,
} from './values.ts';

export const budgetSchema = z.strictObject({
  currency: currencyText,
  amount: positiveAmountText,
  period: z.enum(['total', 'day', 'month']).default('total'),
});
const perMinute = z.int().min(1).max(1_000_000_000);
export const keyScopesSchema = z.strictObject({
  models: z.array(modelPatternText).min(1).max(1_000).exactOptional(),
  ipRanges: z.array(z.string().max(64)).min(1).max(1_000).exactOptional(),
  requestsPerMinute: perMinute.exactOptional(),
  tokensPerMinute: perMinute.exactOptional(),
  concurrency: z.int().min(1).max(1_000_000).exactOptional(),
  budget: budgetSchema.exactOptional(),
});
export const keyCreateSchema = z.strictObject({
  organizationId: slugText,
  projectId: slugText,
  name: nameText.exactOptional(),
  scopes: keyScopesSchema.default({}),
  expiresAt: dateText.exactOptional(),
});
export const adminKeyCreateSchema = z.strictObject({ name: nameText });
export const keyListQuerySchema = z.strictObject({ organization: slugText.exactOptional() });
export const keyCreatedSchema = z.object({ id: z.string(), key: z.string() });
export const revokedSchema = z.object({ id: z.string(), revoked: z.boolean() });
export const keyViewSchema = z.object({
  id: z.string(),
  kind: z.enum(['live', 'admin']),
  organizationId: z.string().nullable(),
  projectId: z.string().nullable(),
  name: z.string(),
  /** Beginning and end of the key: enough to recognise it, not to use it. */
  hint: z.string(),
  scopes: keyScopesSchema,
  createdAt: timeText,
  expiresAt: timeText.nullable(),
  revokedAt: timeText.nullable(),
});
export const keyListSchema = z.object({ keys: z.array(keyViewSchema) });

export type KeyView = z.output<typeof keyViewSchema>;
export type KeyScopesSpec = z.output<typeof keyScopesSchema>;
