import * as z from 'zod';
import { route } from './route.ts';
import { countText, slugText, timeText } from './values.ts';

const jobState = z.enum(['waiting', 'running', 'done', 'failed', 'cancelled']);
export const jobQuerySchema = z.strictObject({
  kind: z.string().max(64).exactOptional(),
  state: jobState.exactOptional(),
  organization: slugText.exactOptional(),
  limit: countText.transform(Number).pipe(z.int().min(1).max(200)).default(50),
  /** `next` of the page before. */
  cursor: z.string().max(64).exactOptional(),
});
export const jobViewSchema = z.object({
  id: z.string(),
  kind: z.string(),
  state: jobState,
  organizationId: z.string().nullable(),
  attempts: z.number(),
  attemptsMax: z.number(),
  cancelRequested: z.boolean(),
  progress: z.object({ done: z.number(), total: z.number().nullable(), note: z.string().nullable() }).nullable(),
  /** Why the last try failed. */
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
  createdAt: timeText,
  runAfter: timeText,
  startedAt: timeText.nullable(),
  endedAt: timeText.nullable(),
});
export const jobListSchema = z.object({ jobs: z.array(jobViewSchema), next: z.string().nullable() });
export const jobDepthSchema = z.object({
  depth: z.array(z.object({ kind: z.string(), state: z.enum(['waiting', 'running']), count: z.number() })),
});
export const jobCancelledSchema = z.object({
  id: z.string(),
  /** False where it had ended. */
  cancelled: z.boolean(),
});

export type JobView = z.output<typeof jobViewSchema>;

export const jobRoutes = {
  list: route({
    method: 'GET',
    path: '/api/v1/jobs',
    permission: 'jobs.read',
    tenant: { query: 'organization' },
    summary: { en: 'Jobs, newest first', zh: '任务列表，最新的在前' },
    query: jobQuerySchema,
    answer: jobListSchema,
    paging: 'cursor',
  }),
  depth: route({
    method: 'GET',
    path: '/api/v1/jobs/depth',
    permission: 'jobs.read',
    tenant: 'platform',
    summary: { en: 'How many jobs of each kind wait and run', zh: '各类任务等待与执行的数量' },
    answer: jobDepthSchema,
  }),
  show: route({
    method: 'GET',
    path: '/api/v1/jobs/:id',
    permission: 'jobs.read',
    tenant: 'object',
    summary: { en: 'One job', zh: '单个任务' },
    answer: jobViewSchema,
  }),
  cancel: route({
    method: 'POST',
    path: '/api/v1/jobs/:id/cancel',
    permission: 'jobs.write',
    tenant: 'object',
    summary: {
      en: 'Ends a job that waits, asks one that runs to stop',
      zh: '取消等待中的任务，或要求执行中的任务停止',
    },
    answer: jobCancelledSchema,
    idempotency: 'natural',
    audit: 'job.cancel',
  }),
  retry: route({
    method: 'POST',
    path: '/api/v1/jobs/:id/retry',
    permission: 'jobs.write',
    tenant: 'object',
    summary: {
      en: 'Begins a job anew that failed or was cancelled, from where it got to',
      zh: '从中断处重新开始失败或已取消的任务',
    },
    answer: jobViewSchema,
    audit: 'job.retry',
  }),
} as const;
