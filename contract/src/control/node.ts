import * as z from 'zod';
import { route } from './route.ts';
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

export const nodeRoutes = {
  status: route({
    method: 'GET',
    path: '/api/v1/status',
    permission: 'node.read',
    tenant: 'platform',
    summary: { en: 'How the node fares, and which models are ready', zh: '节点状态及就绪的模型' },
    answer: statusSchema,
  }),
  backup: route({
    method: 'POST',
    path: '/api/v1/backup',
    permission: 'node.backup',
    tenant: 'platform',
    summary: {
      en: 'Copies the whole home into a new folder of the server, while it runs; for its owner alone',
      zh: '在运行中将整个主目录备份到服务器上的新目录；仅限所有者',
    },
    body: backupSchema,
    answer: backupSchema,
    audit: 'node.backup',
  }),
} as const;
