import * as z from 'zod';
import { priceSchema, providerSchema } from './config.ts';
import { modelIdText, timeText } from './values.ts';

export const providerViewSchema = providerSchema.omit({ apiKey: true }).extend({ hasKey: z.boolean() });
export const providerListSchema = z.object({ providers: z.array(providerViewSchema) });

export const priceViewSchema = z.object({
  version: z.string(),
  currency: z.string(),
  /** Null: rules say it. */
  inputPerM: z.string().nullable(),
  cachedInputPerM: z.string().nullable(),
  outputPerM: z.string().nullable(),
  /** Null: in force from the beginning. */
  effectiveFrom: timeText.nullable(),
});
export const deploymentViewSchema = z.object({
  id: z.string(),
  /** `engine` for an engine of this node. */
  provider: z.string(),
  upstreamModel: z.string(),
  /** `starting`: an engine loads. `failed`: it could not, and is tried again. `resting`: it failed and is left alone for a while. */
  state: z.enum(['ready', 'starting', 'failed', 'resting']),
  /** Why it is `failed`. */
  reason: z.string().nullable(),
  inFlight: z.number(),
  concurrency: z.number().nullable(),
  priority: z.number(),
  weight: z.number(),
  costs: z.array(priceViewSchema),
});
export const modelViewSchema = z.object({
  id: z.string(),
  operations: z.array(z.string()),
  contextTokens: z.number().nullable(),
  maxOutputTokens: z.number(),
  createdAt: timeText,
  /** Whether a request for it would find a deployment now. */
  ready: z.boolean(),
  prices: z.array(priceViewSchema),
  deployments: z.array(deploymentViewSchema),
});
export const modelListSchema = z.object({ models: z.array(modelViewSchema) });
/** A file of weights as a model of its own. Weights that cost nothing have prices of zero: none at all would be a slip. */
export const modelAddSchema = z.strictObject({
  file: z.string().min(1).max(4_096),
  /** Absent: the file's name. */
  id: modelIdText.exactOptional(),
  prices: z.array(priceSchema).min(1).max(1_000),
  /** Sets a model of that id anew; otherwise one that is there is a conflict. */
  replace: z.boolean().default(false),
});
export const modelAddedSchema = modelViewSchema.extend({ file: z.string(), replaced: z.boolean() });
export const removedSchema = z.object({ id: z.string(), removed: z.boolean() });
export const modelInspectSchema = z.strictObject({ file: z.string().min(1).max(4_096) });
export const modelFileSchema = z.object({ name: z.string(), contextTokens: z.number() });

export type PriceView = z.output<typeof priceViewSchema>;
export type ModelAdd = z.output<typeof modelAddSchema>;
export type ModelAdded = z.output<typeof modelAddedSchema>;
export type ModelView = z.output<typeof modelViewSchema>;
export type ProviderView = z.output<typeof providerViewSchema>;
