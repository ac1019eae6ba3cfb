import * as z from 'zod';
import { route } from './route.ts';
import { suspenseRoutes } from './suspense.ts';
import { timeText } from './values.ts';

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

export type VerifyView = z.output<typeof verifySchema>;
export type JournalEntryView = z.output<typeof journalRequestSchema>['entries'][number];
export type JournalView = z.output<typeof journalSchema>;

export const ledgerRoutes = {
  ...suspenseRoutes,
  verify: route({
    method: 'POST',
    path: '/api/v1/ledger/verify',
    permission: 'ledger.read',
    tenant: 'platform',
    summary: { en: 'Proves the books', zh: '验证账簿' },
    answer: verifySchema,
    idempotency: 'natural',
  }),
  journal: route({
    method: 'GET',
    path: '/api/v1/journal',
    permission: 'ledger.read',
    tenant: 'platform',
    summary: {
      en: 'The log that feeds the books, and the requests that are open',
      zh: '账簿所依据的日志，以及未结束的请求',
    },
    answer: journalSchema,
  }),
  trace: route({
    method: 'GET',
    path: '/api/v1/journal/requests/:id',
    permission: 'ledger.read',
    tenant: 'platform',
    summary: {
      en: 'All that was written about a request, by the names of its fields',
      zh: '关于一个请求写下的全部内容，按字段名列出',
    },
    answer: journalRequestSchema,
  }),
} as const;
