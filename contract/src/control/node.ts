import * as z from 'zod';
import { timeText } from './values.ts';

export const backupSchema = z.strictObject({ folder: z.string().min(1).max(4_096) });

export const statusSchema = z.object({
  version: z.string(),
  access: z.enum(['owner', 'public']),
  nodeId: z.string(),
  startedAt: timeText,
  ready: z.boolean(),
  reasons: z.array(z.string()),
  /** What a person must look at, though the node serves. */
  alarms: z.array(z.string()),
  models: z.array(z.object({ id: z.string(), ready: z.boolean() })),
});

export type StatusView = z.output<typeof statusSchema>;
