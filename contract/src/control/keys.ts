import * as z from 'zod';
import { ROLE_NAMES } from './permissions.ts';
import { route } from './route.ts';
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
const { models, ipRanges, requestsPerMinute, tokensPerMinute, concurrency, budget } = keyScopesSchema.shape;
/** What is named is set, or taken away by null; all else stays. */
export const keyUpdateSchema = z.strictObject({
  name: nameText.exactOptional(),
  expiresAt: dateText.nullable().exactOptional(),
  scopes: z
    .strictObject({
      models: models.nullable(),
      ipRanges: ipRanges.nullable(),
      requestsPerMinute: requestsPerMinute.nullable(),
      tokensPerMinute: tokensPerMinute.nullable(),
      concurrency: concurrency.nullable(),
      budget: budget.nullable(),
    })
    .partial()
    .default({}),
});
export const adminKeyCreateSchema = z.strictObject({
  name: nameText,
  role: z.enum(ROLE_NAMES).exclude(['owner']).exactOptional(),
  /** Bound to this organization; absent: the whole node. */
  organization: slugText.exactOptional(),
});
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
  /** Of a key that administers. */
  role: z.enum(ROLE_NAMES).nullable(),
  createdAt: timeText,
  expiresAt: timeText.nullable(),
  revokedAt: timeText.nullable(),
  /** Its organization is: so long it is refused. */
  suspended: z.boolean(),
});
export const keyListSchema = z.object({ keys: z.array(keyViewSchema) });

export type KeyView = z.output<typeof keyViewSchema>;
export type KeyScopesSpec = z.output<typeof keyScopesSchema>;

export const keyRoutes = {
  list: route({
    method: 'GET',
    path: '/api/v1/keys',
    permission: 'keys.read',
    tenant: { query: 'organization' },
    summary: { en: 'Keys, never their text', zh: '密钥列表（不含密钥本身）' },
    query: keyListQuerySchema,
    answer: keyListSchema,
  }),
  create: route({
    method: 'POST',
    path: '/api/v1/keys',
    permission: 'keys.write',
    tenant: 'object',
    summary: { en: 'Makes an API key; its text is shown this once', zh: '创建 API 密钥；密钥只显示这一次' },
    body: keyCreateSchema,
    answer: keyCreatedSchema,
    status: 201,
    audit: 'key.create',
  }),
  createAdmin: route({
    method: 'POST',
    path: '/api/v1/admin-keys',
    permission: 'admins.write',
    tenant: 'platform',
    summary: {
      en: 'Makes a key that administers, with a role and, where wanted, bound to one organization',
      zh: '创建管理密钥，可指定角色并限定于某个组织',
    },
    body: adminKeyCreateSchema,
    answer: keyCreatedSchema,
    status: 201,
    audit: 'admin-key.create',
  }),
  change: route({
    method: 'PATCH',
    path: '/api/v1/keys/:id',
    permission: 'keys.write',
    tenant: 'object',
    summary: {
      en: 'Changes name, end and limits of a key; what is left out stays',
      zh: '修改密钥的名称、有效期与限额；未给出的保持不变',
    },
    body: keyUpdateSchema,
    answer: keyViewSchema,
    idempotency: 'natural',
    audit: 'key.change',
  }),
  revoke: route({
    method: 'DELETE',
    path: '/api/v1/keys/:id',
    permission: 'keys.write',
    tenant: 'object',
    summary: {
      en: 'Revokes a key: refused on every thread when this returns',
      zh: '吊销密钥：返回时所有线程均已拒绝该密钥',
    },
    answer: revokedSchema,
    idempotency: 'natural',
    audit: 'key.revoke',
  }),
} as const;
