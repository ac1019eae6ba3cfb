import * as z from 'zod';
import { providerSchema } from './config.ts';
import { removedSchema } from './models.ts';
import { route } from './route.ts';

export const providerViewSchema = providerSchema
  .omit({ apiKey: true })
  .extend({ dialect: z.string(), quirks: z.array(z.string()), hasKey: z.boolean() });
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

export const providerRoutes = {
  list: route({
    method: 'GET',
    path: '/api/v1/providers',
    permission: 'providers.read',
    tenant: 'platform',
    summary: { en: 'Whose APIs are called; keys as `hasKey`', zh: '已添加的供应商；密钥仅以 `hasKey` 表示' },
    answer: providerListSchema,
  }),
  known: route({
    method: 'GET',
    path: '/api/v1/providers/known',
    permission: 'providers.read',
    tenant: 'platform',
    summary: { en: 'Vendors whose addresses are known', zh: '内置地址的供应商' },
    answer: knownProviderListSchema,
  }),
  add: route({
    method: 'POST',
    path: '/api/v1/providers',
    permission: 'providers.write',
    tenant: 'platform',
    summary: {
      en: 'Adds a provider; 409 where that id is taken and `replace` is not true',
      zh: '添加供应商；ID 已存在且 `replace` 不为 true 时返回 409',
    },
    body: providerAddSchema,
    answer: providerAddedSchema,
    status: 201,
    audit: 'provider.add',
  }),
  remove: route({
    method: 'DELETE',
    path: '/api/v1/providers/:id',
    permission: 'providers.write',
    tenant: 'platform',
    summary: { en: 'Removes a provider that no deployment needs', zh: '移除没有部署在用的供应商' },
    answer: removedSchema,
    idempotency: 'natural',
    audit: 'provider.remove',
  }),
} as const;
