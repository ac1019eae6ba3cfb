// A durable queue on the store: work that outlives a request and a process, done once. Leases with heartbeat, tries with back-off,
// schedules, progress, cancel. It must not know what the jobs are about.
export { type Backoff, backoffMs } from './backoff.ts';
export * from './job.ts';
export type { JobDepth, ListOptions } from './job-view.ts';
export { createJobs, type Jobs, type JobsOptions } from './jobs.ts';
export type { EnqueueOptions } from './queue.ts';
export type { ScheduleInput, ScheduleView } from './schedules.ts';
export { JOBS_SCHEMA } from './schema.ts';
