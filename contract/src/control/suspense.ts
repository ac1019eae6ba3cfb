import * as z from 'zod';
import { route } from './route.ts';
import { timeText } from './values.ts';

/** What could not be booked, and waits for a person. */
export const suspenseSchema = z.object({
  number: z.number(),
  kind: z.enum(['settlement', 'hold', 'recovery', 'journal-loss']),
  nodeId: z.string(),
  /** The entry of the node's journal. */
  seq: z.number(),
  requestId: z.string(),
  at: timeText,
  reason: z.string(),
  /** How it ended; null while it waits. */
  end: z.object({ how: z.string(), at: timeText, note: z.string() }).nullable(),
});

export const suspenseListSchema = z.object({ suspense: z.array(suspenseSchema) });
export const suspenseDetailSchema = suspenseSchema.extend({
  /** The records as the journal has them, by their kind: the fields by their names. */
  records: z.looseObject({}),
});
export const dismissSchema = z.strictObject({ note: z.string().min(1).max(500) });

export type SuspenseView = z.output<typeof suspenseSchema>;

const ONE = '/api/v1/ledger/suspense/:number';

/** Part of the routes of the ledger. */
export const suspenseRoutes = {
  suspense: route({
    method: 'GET',
    path: '/api/v1/ledger/suspense',
    permission: 'ledger.read',
    tenant: 'platform',
    summary: {
      en: 'What could not be booked, newest first, at most 1,000; with `all=true` also what has come to its end',
      zh: '无法入账的挂账，新的在前，最多 1000 条；`all=true` 时包括已处理的',
    },
    query: z.strictObject({ all: z.enum(['true', 'false']).optional() }),
    answer: suspenseListSchema,
  }),
  suspended: route({
    method: 'GET',
    path: ONE,
    permission: 'ledger.read',
    tenant: 'platform',
    summary: { en: 'One of them, with its records as the journal has them', zh: '一笔挂账及日志中的原始记录' },
    answer: suspenseDetailSchema,
  }),
  bookSuspended: route({
    method: 'POST',
    path: `${ONE}/book`,
    permission: 'ledger.write',
    tenant: 'platform',
    summary: { en: 'Books it, where it fits now; 409 where it does not', zh: '条件满足时入账；否则 409' },
    answer: suspenseSchema,
    audit: 'suspense.book',
  }),
  dismissSuspended: route({
    method: 'POST',
    path: `${ONE}/dismiss`,
    permission: 'ledger.write',
    tenant: 'platform',
    summary: { en: 'Writes it off, once', zh: '核销，只能一次' },
    body: dismissSchema,
    answer: suspenseSchema,
    audit: 'suspense.dismiss',
  }),
} as const;
