import * as z from 'zod';
import { route } from './route.ts';
import { countText, slugText, timeText } from './values.ts';

export const auditQuerySchema = z.strictObject({
  organization: slugText.exactOptional(),
  actor: z.string().max(128).exactOptional(),
  action: z.string().max(128).exactOptional(),
  limit: countText.transform(Number).pipe(z.int().min(1).max(200)).default(50),
  /** `next` of the page before. */
  cursor: countText.exactOptional(),
});
export const auditEntrySchema = z.object({
  seq: z.number(),
  at: timeText,
  /** `owner`, or the id of a key or a person. */
  actor: z.string(),
  role: z.string(),
  action: z.string(),
  organizationId: z.string().nullable(),
  object: z.string(),
  /** `ok`, or the code of the fault. */
  outcome: z.string(),
  /** JSON: what was asked, without secrets. */
  detail: z.string(),
  address: z.string(),
});
export const auditListSchema = z.object({ entries: z.array(auditEntrySchema), next: z.string().nullable() });
export const auditVerifySchema = z.object({
  ok: z.boolean(),
  checked: z.number(),
  /** The first entry that is not what was written. */
  brokenAt: z.number().nullable(),
});

export type AuditEntryView = z.output<typeof auditEntrySchema>;

export const auditRoutes = {
  list: route({
    method: 'GET',
    path: '/api/v1/audit',
    permission: 'audit.read',
    tenant: { query: 'organization' },
    summary: { en: 'Who did what, newest first', zh: '操作审计，最新的在前' },
    query: auditQuerySchema,
    answer: auditListSchema,
    paging: 'cursor',
  }),
  verify: route({
    method: 'POST',
    path: '/api/v1/audit/verify',
    permission: 'audit.read',
    tenant: 'platform',
    summary: { en: 'Walks the chain of the audit log', zh: '校验审计日志的哈希链' },
    answer: auditVerifySchema,
    idempotency: 'natural',
  }),
} as const;
