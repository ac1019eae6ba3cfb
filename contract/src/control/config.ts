import * as z from 'zod';
import { route } from './route.ts';
import {
  amountText,
  currencyText,
  dateText,
  modelIdText,
  nameText,
  noteText,
  priceText,
  secretText,
  slugText,
  upstreamUrlText,
} from './values.ts';

/** Lists in one document: far above what a person writes, far below what would stall the control plane. */
const LIST_MAX = 10_000;

export const priceSchema = z.strictObject({
  currency: currencyText,
  /** Units of the currency per 1,000,000 tokens. */
  inputPerM: priceText,
  /** Absent: cached tokens are charged as input. */
  cachedInputPerM: priceText.exactOptional(),
  outputPerM: priceText,
  /** Absent: in force from the beginning. */
  effectiveFrom: dateText.exactOptional(),
});

export const engineSchema = z.strictObject({
  /** A GGUF file on the server's disk. */
  file: z.string().min(1).max(4_096),
  /** Tokens of context for each sequence; absent: what the model was trained for, as far as memory allows. */
  contextTokens: z.int().min(128).max(16_777_216).exactOptional(),
  /** Sequences that are computed together; absent: the engine chooses. */
  sequences: z.int().min(1).max(256).exactOptional(),
});

const timeoutMs = z.int().min(1).max(86_400_000).exactOptional();
/** How long an upstream may take. What is absent is as the model says, and else the default. */
export const timeoutsSchema = z.strictObject({
  connectMs: timeoutMs,
  /** To the first byte of a stream. */
  firstByteMs: timeoutMs,
  /** To the first byte of an answer that comes whole. */
  answerMs: timeoutMs,
  /** Without a byte, once it speaks. */
  idleMs: timeoutMs,
  /** Of all attempts of a request. */
  totalMs: timeoutMs,
  /** Tries another deployment after a timeout, though the first may still be at work, and bill. */
  retry: z.boolean().exactOptional(),
});

export const deploymentSchema = z
  .strictObject({
    id: slugText,
    provider: slugText.exactOptional(),
    engine: engineSchema.exactOptional(),
    /** The provider's name of the model; absent: our id of it. */
    upstreamModel: noteText.min(1).exactOptional(),
    /** Requests at once; absent: unlimited. */
    concurrency: z.int().min(1).max(1_000_000).exactOptional(),
    /** Lower goes first. */
    priority: z.int().min(0).max(1_000).default(0),
    weight: z.int().min(1).max(1_000).default(1),
    timeouts: timeoutsSchema.exactOptional(),
    costs: z.array(priceSchema).max(1_000).default([]),
  })
  .superRefine((deployment, context) => {
    if ((deployment.provider === undefined) === (deployment.engine === undefined))
      context.addIssue({
        code: 'custom',
        message: 'needs either provider or engine',
        params: { zh: '需要 provider 或 engine 其中之一' },
      });
  });

export const providerSchema = z.strictObject({
  id: slugText,
  dialect: z.literal('openai-chat').default('openai-chat'),
  baseUrl: upstreamUrlText,
  apiKey: secretText.exactOptional(),
  /** Addresses of private networks are refused unless the operator says so. */
  allowPrivateNetwork: z.boolean().default(false),
  quirks: z
    .array(z.enum(['drain-on-disconnect', 'no-stream-options', 'max-completion-tokens', 'thinking-in-total']))
    .max(16)
    .default([]),
});

export const modelSchema = z.strictObject({
  id: modelIdText,
  operations: z
    .array(z.enum(['chat', 'completions', 'embeddings']))
    .min(1)
    .max(3)
    .default(['chat', 'completions']),
  contextTokens: z.int().min(1).max(100_000_000).exactOptional(),
  /** Longest answer; absent: as long as the client asks or the vendor gives. */
  maxOutputTokens: z.int().min(1).max(100_000_000).exactOptional(),
  /** Of all its deployments that do not say otherwise. */
  timeouts: timeoutsSchema.exactOptional(),
  prices: z.array(priceSchema).min(1).max(1_000),
  deployments: z.array(deploymentSchema).min(1).max(1_000),
});

export const walletSchema = z.strictObject({
  currency: currencyText,
  /** Total credited through configuration: what is missing to it is credited, once. */
  credit: amountText.exactOptional(),
});

export const projectSchema = z.strictObject({ id: slugText, name: nameText.exactOptional() });

export const organizationSchema = z
  .strictObject({
    id: slugText,
    name: nameText.exactOptional(),
    wallet: walletSchema.exactOptional(),
    wallets: z.array(walletSchema).min(1).max(100).exactOptional(),
    projects: z.array(projectSchema).max(LIST_MAX).default([]),
  })
  .superRefine((organization, context) => {
    if (organization.wallet && organization.wallets)
      context.addIssue({
        code: 'custom',
        path: ['wallets'],
        message: 'stands beside wallet: name one wallet with wallet, several with wallets',
        params: { zh: '不能与 wallet 同时出现：单个钱包用 wallet，多个用 wallets' },
      });
  });

/** A configuration document, as in `millrace.yaml`. What a named object leaves out has its default. */
export const configSchema = z.strictObject({
  providers: z.array(providerSchema).max(LIST_MAX).default([]),
  models: z.array(modelSchema).max(LIST_MAX).default([]),
  organizations: z.array(organizationSchema).max(LIST_MAX).default([]),
});

export const applyRequestSchema = z.strictObject({ config: z.unknown(), dryRun: z.boolean().default(false) });

export const changeSchema = z.strictObject({
  kind: z.enum(['provider', 'model', 'deployment', 'organization', 'project', 'wallet']),
  /** For projects and wallets `organization/id`. */
  id: z.string(),
  action: z.enum(['created', 'changed', 'removed', 'unchanged']),
  /** What differs, as text; secrets as `***`. Null: not there. */
  fields: z.array(z.strictObject({ field: z.string(), from: z.string().nullable(), to: z.string().nullable() })),
});

/** One thing that is wrong with a document, and where: the path of keys and indexes. */
export const configIssueSchema = z.strictObject({
  path: z.array(z.union([z.string(), z.number()])),
  message: z.string(),
});

export const applyResultSchema = z.strictObject({
  dryRun: z.boolean(),
  /** Whether anything differs (and, without `dryRun`, was changed). */
  changed: z.boolean(),
  changes: z.array(changeSchema),
  /** What may be said and is hardly meant: a price that is below the cost, or not in force yet. */
  warnings: z.array(configIssueSchema),
});

/** `models[0].prices[0].inputPerM` */
export function pathText(path: readonly (string | number)[]): string {
  return path.map((part, index) => (typeof part === 'number' ? `[${part}]` : index === 0 ? part : `.${part}`)).join('');
}

export type ConfigDocument = z.output<typeof configSchema>;
export type ConfigInput = z.input<typeof configSchema>;
export type PriceSpec = z.output<typeof priceSchema>;
export type EngineSpec = z.output<typeof engineSchema>;
export type DeploymentSpec = z.output<typeof deploymentSchema>;
export type ProviderSpec = z.output<typeof providerSchema>;
export type ModelSpec = z.output<typeof modelSchema>;
export type OrganizationSpec = z.output<typeof organizationSchema>;
export type WalletSpec = z.output<typeof walletSchema>;
export type Change = z.output<typeof changeSchema>;
export type ApplyResult = z.output<typeof applyResultSchema>;
export type ConfigIssue = z.output<typeof configIssueSchema>;

export const configRoutes = {
  apply: route({
    method: 'POST',
    path: '/api/v1/config/apply',
    permission: 'config.apply',
    tenant: 'platform',
    summary: {
      en: 'Applies a document, as often as one likes; with `dryRun` only says what would change',
      zh: '应用配置文件，可重复执行；`dryRun` 只显示将发生的变化',
    },
    body: applyRequestSchema,
    answer: applyResultSchema,
    idempotency: 'natural',
    audit: 'config.apply',
  }),
} as const;
