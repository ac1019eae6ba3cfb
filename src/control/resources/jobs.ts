import type { JobView, ROUTES } from '@millrace/contract';
import type { JobView as Job } from '../../ground/jobs/index.ts';
import { Fault } from '../../ground/std/index.ts';
import type { ControlDeps } from '../deps.ts';
import type { Lang } from '../language.ts';
import type { Handlers, RouteCall } from '../routes/mount.ts';

/** Work that goes on behind requests. */
export function jobHandlers({ jobs }: ControlDeps): Handlers<typeof ROUTES.jobs> {
  const find = async (id: string, { touch }: Pick<RouteCall<typeof ROUTES.jobs.show>, 'touch'>) => {
    const job = await jobs.show(id);
    touch(job.organizationId ?? null, () => noJob(id));
    return job;
  };
  return {
    async list({ query: { kind, state, organization, limit, cursor }, lang }) {
      const found = await jobs.list({
        limit,
        ...(kind === undefined ? {} : { kind }),
        ...(state === undefined ? {} : { state }),
        ...(organization === undefined ? {} : { organizationId: organization }),
        ...(cursor === undefined ? {} : { before: cursor }),
      });
      const last = found.length < limit ? undefined : found.at(-1);
      return { jobs: found.map(job => view(job, lang)), next: last?.id ?? null };
    },
    depth: async () => ({ depth: [...(await jobs.depth())] }),
    show: async call => view(await find(call.params.id, call), call.lang),
    async cancel(call) {
      const { id } = await find(call.params.id, call);
      return { id, cancelled: await jobs.cancel(id) };
    },
    async retry(call) {
      const { id } = await find(call.params.id, call);
      await jobs.retry(id);
      return view(await jobs.show(id), call.lang);
    },
  };
}

function noJob(id: string): Fault {
  return new Fault('not_found', { message: `There is no job ${id}`, messageZh: `任务 ${id} 不存在` });
}

const time = (ms: number | undefined) => (ms === undefined ? null : new Date(ms).toISOString());

function view(job: Job, lang: Lang): JobView {
  const { progress, error } = job;
  return {
    id: job.id,
    kind: job.kind,
    state: job.state,
    organizationId: job.organizationId ?? null,
    attempts: job.attempts,
    attemptsMax: job.attemptsMax,
    cancelRequested: job.cancelRequested,
    progress: progress ? { done: progress.done, total: progress.total ?? null, note: progress.note ?? null } : null,
    error: error ? { code: error.code, message: lang === 'zh' ? error.messageZh : error.message } : null,
    createdAt: new Date(job.createdMs).toISOString(),
    runAfter: new Date(job.runAfterMs).toISOString(),
    startedAt: time(job.startedMs),
    endedAt: time(job.endedMs),
  };
}
