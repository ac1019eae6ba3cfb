import * as z from 'zod';
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
