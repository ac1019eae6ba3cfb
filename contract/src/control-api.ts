import * as z from 'zod';
import { providerSchema } from './control-config.ts';
import {
  countText,
  currencyText,
  cursorText,
  dateText,
  modelPatternText,
  nameText,
  noteText,
  parseDate,
  positiveAmountText,
  signedAmountText,
  slugText,
} from './control-values.ts';

// Shapes of the control API, one block per resource. Amounts are decimal strings in units of their currency; times are
// ISO 8601 in UTC. What a client sends is strict: an unknown field is refused.

const timeText = z.iso.datetime();

export const organizationCreateSchema = z.strictObject({ id: slugText, name: nameText.exactOptional() });
export const organizationViewSchema = z.object({ id: z.string(), name: z.string() });
export const suspendedSchema = z.object({ id: z.string(), suspended: z.boolean() });
export const organizationListSchema = z.object({ organizations: z.array(organizationViewSchema) });

export const projectCreateSchema = z.strictObject({ id: slugText, name: nameText.exactOptional() });
export const projectViewSchema = z.object({ organizationId: z.string(), id: z.string(), name: z.string() });
export const projectListSchema = z.object({ projects: z.array(projectViewSchema) });

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

export const walletViewSchema = z.object({
  currency: z.string(),
  balance: z.string(),
  /** Set aside for requests that run. */
  held: z.string(),
  available: z.string(),
});
export const walletListSchema = z.object({ wallets: z.array(walletViewSchema) });
export const creditSchema = z.strictObject({
  currency: currencyText,
  /** Above zero: a top-up; below: a correction. */
  amount: signedAmountText,
  note: noteText.exactOptional(),
  /** Sent twice, it is credited once. */
  idempotencyKey: noteText.min(1).exactOptional(),
});
/** `booked` is false where the same idempotency key was booked before. */
export const creditedSchema = walletViewSchema.extend({ booked: z.boolean() });

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
  state: z.enum(['ready', 'starting', 'resting']),
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
export const removedSchema = z.object({ id: z.string(), removed: z.boolean() });
export const modelInspectSchema = z.strictObject({ file: z.string().min(1).max(4_096) });
export const modelFileSchema = z.object({ name: z.string(), contextTokens: z.number() });

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

export const verifySchema = z.object({
  ok: z.boolean(),
  invariants: z.array(
    z.object({ id: z.string(), title: z.string(), ok: z.boolean(), checked: z.number(), detail: z.string() }),
  ),
});

export const journalSchema = z.object({
  nodeId: z.string(),
  lastSeq: z.number(),
  /** Entries that are not in the ledger yet. */
  lag: z.number(),
  storageFull: z.boolean(),
  /** How many requests have an intent and no settlement; the oldest hundred of them. */
  openIntents: z.number(),
  open: z.array(
    z.object({
      requestId: z.string(),
      at: timeText,
      organizationId: z.string(),
      model: z.string(),
      currency: z.string(),
      held: z.string(),
      outputTokens: z.number(),
    }),
  ),
});

/** What the journal has of one request, in its order: the fields of each kind by their names. */
export const journalRequestSchema = z.object({
  requestId: z.string(),
  entries: z.array(z.looseObject({ seq: z.number(), kind: z.enum(['intent', 'progress', 'settlement']) })),
});

export const backupSchema = z.strictObject({ folder: z.string().min(1).max(4_096) });

export const statusSchema = z.object({
  version: z.string(),
  access: z.enum(['owner', 'public']),
  nodeId: z.string(),
  startedAt: timeText,
  ready: z.boolean(),
  reasons: z.array(z.string()),
  models: z.array(z.object({ id: z.string(), ready: z.boolean() })),
});

export const errorSchema = z.object({
  error: z.object({
    code: z.string(),
    message: z.string(),
    param: z.string().nullable(),
    issues: z.array(z.object({ path: z.array(z.union([z.string(), z.number()])), message: z.string() })).optional(),
  }),
});

export type KeyView = z.output<typeof keyViewSchema>;
export type KeyScopesSpec = z.output<typeof keyScopesSchema>;
export type WalletView = z.output<typeof walletViewSchema>;
export type ModelView = z.output<typeof modelViewSchema>;
export type ProviderView = z.output<typeof providerViewSchema>;
export type UsageQuery = z.output<typeof usageQuerySchema>;
export type UsageView = z.output<typeof usageSchema>;
export type UsageLine = z.output<typeof usageLineSchema>;
export type VerifyView = z.output<typeof verifySchema>;
export type JournalView = z.output<typeof journalSchema>;
export type StatusView = z.output<typeof statusSchema>;
