import * as z from 'zod';
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
export type JournalView = z.output<typeof journalSchema>;
