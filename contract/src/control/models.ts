import * as z from 'zod';
import { priceSchema } from './config.ts';
import { route } from './route.ts';
import { modelIdText, timeText } from './values.ts';

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
  /** Why it failed last, since the start of the node that was asked; null where it did not. */
  lastFailure: z
    .object({
      at: timeText,
      /** Code of the fault. */
      code: z.string(),
      /** What the upstream answered; 0 where it did not. */
      status: z.number(),
      /** In the upstream's words, without addresses, keys and what they repeat of a request. */
      reason: z.string(),
    })
    .nullable(),
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
  /** Null: no limit of the operator's. */
  maxOutputTokens: z.number().nullable(),
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

export const modelRoutes = {
  list: route({
    method: 'GET',
    path: '/api/v1/models',
    permission: 'models.read',
    tenant: 'open',
    summary: {
      en: 'Models with prices and deployments; `state` is `ready`, `starting`, `failed` (for this `reason`, tried again) or `resting`',
      zh: '模型及其价格与部署；`state` 为 `ready`、`starting`、`failed`（原因见 `reason`，会重试）或 `resting`',
    },
    answer: modelListSchema,
  }),
  add: route({
    method: 'POST',
    path: '/api/v1/models',
    permission: 'models.write',
    tenant: 'platform',
    summary: {
      en: 'Serves a GGUF file of the server, by the file’s name where no id is given; 409 where that id is taken and `replace` is not true',
      zh: '用服务器上的 GGUF 文件提供模型，未给 ID 时取文件名；ID 已存在且 `replace` 不为 true 时返回 409',
    },
    body: modelAddSchema,
    answer: modelAddedSchema,
    status: 201,
    idempotency: 'key',
    audit: 'model.add',
  }),
  inspect: route({
    method: 'POST',
    path: '/api/v1/models/inspect',
    permission: 'models.write',
    tenant: 'platform',
    summary: { en: 'What a GGUF file of the server says of itself', zh: '读取服务器上 GGUF 文件的自述信息' },
    body: modelInspectSchema,
    answer: modelFileSchema,
    idempotency: 'natural',
  }),
  show: route({
    method: 'GET',
    path: '/api/v1/models/:id+',
    permission: 'models.read',
    tenant: 'open',
    summary: { en: 'One model, as in the list', zh: '单个模型，内容同列表' },
    answer: modelViewSchema,
  }),
  remove: route({
    method: 'DELETE',
    path: '/api/v1/models/:id+',
    permission: 'models.write',
    tenant: 'platform',
    summary: { en: 'Takes a model out of service; prices and history stay', zh: '下线模型；价格与历史保留' },
    answer: removedSchema,
    idempotency: 'natural',
    audit: 'model.remove',
  }),
} as const;
