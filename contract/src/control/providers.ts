import * as z from 'zod';
import { providerSchema } from './config.ts';

export const providerViewSchema = providerSchema.omit({ apiKey: true }).extend({ hasKey: z.boolean() });
export const providerListSchema = z.object({ providers: z.array(providerViewSchema) });
/** A vendor whose address is known: `{ id, apiKey }` is enough to call it. */
export const knownProviderSchema = z.object({
  id: z.string(),
  name: z.string(),
  baseUrl: z.string(),
  quirks: z.array(z.string()),
  /** Whether it is among the providers of this node. */
  added: z.boolean(),
});
export const knownProviderListSchema = z.object({ providers: z.array(knownProviderSchema) });
/** As in a configuration; `replace` sets one anew that is there. */
export const providerAddSchema = z.strictObject({ provider: z.unknown(), replace: z.boolean().default(false) });
export const providerAddedSchema = providerViewSchema.extend({ replaced: z.boolean() });

export type ProviderView = z.output<typeof providerViewSchema>;
