import { type JobView, ROUTES } from '@millrace/contract';
import type { Lang } from '../../control/index.ts';
import type { Command } from '../command.ts';
import { facts, listText, time } from '../show.ts';

const STATES: Readonly<Record<Lang, Readonly<Record<JobView['state'], string>>>> = {
  en: { waiting: 'waiting', running: 'running', done: 'done', failed: 'failed', cancelled: 'cancelled' },
  zh: { waiting: '等待', running: '执行中', done: '完成', failed: '失败', cancelled: '已取消' },
};

const JOB = { name: 'ID', about: { en: 'of the job', zh: '任务 ID' } };
const SHAPE =
  '"id","kind","state","organizationId","attempts","attemptsMax","cancelRequested","progress","error","createdAt","runAfter","startedAt","endedAt"';

function progressText({ progress }: JobView): string {
  if (!progress) return '-';
  const { done, total, note } = progress;
  return `${done}${total === null ? '' : `/${total}`}${note === null ? '' : ` ${note}`}`;
}

function jobText(job: JobView, lang: Lang): string {
  const zh = lang === 'zh';
  return facts([
    ['ID', job.id],
    [zh ? '类型' : 'kind', job.kind],
    [zh ? '状态' : 'state', STATES[lang][job.state]],
    [zh ? '进度' : 'progress', progressText(job)],
    [zh ? '尝试' : 'tries', `${job.attempts}/${job.attemptsMax}`],
    [zh ? '创建' : 'created', time(job.createdAt)],
    [zh ? '结束' : 'ended', time(job.endedAt)],
    ...(job.error ? [[zh ? '原因' : 'reason', job.error.message] as const] : []),
  ]);
}

const list: Command = {
  name: 'job list',
  about: { en: 'work that goes on behind requests, newest first', zh: '列出后台任务，最新的在前' },
  flags: [
    { name: 'kind', value: 'KIND', about: { en: 'only of this kind', zh: '仅限该类型' } },
    {
      name: 'state',
      value: 'STATE',
      about: { en: 'waiting, running, done, failed or cancelled', zh: 'waiting、running、done、failed 或 cancelled' },
    },
    {
      name: 'limit',
      value: 'N',
      about: { en: '50 unless told otherwise, 200 at most', zh: '默认 50 条，最多 200 条' },
    },
  ],
  fields: { kind: '--kind', state: '--state', limit: '--limit' },
  examples: ['job list', 'job list --state failed'],
  json: `{"jobs":[{${SHAPE}}],"next"}`,
  async run(call) {
    const client = await call.client();
    const asked = ['kind', 'state', 'limit'].flatMap(name => {
      const value = call.optional(name);
      return value === undefined ? [] : [[name, value] as const];
    });
    const search = new URLSearchParams(asked.map(([name, value]) => [name, value])).toString();
    const answer = await client.call(
      ROUTES.jobs.list.answer,
      'GET',
      `/api/v1/jobs${search === '' ? '' : `?${search}`}`,
    );
    const titles =
      call.lang === 'zh' ? ['ID', '类型', '状态', '进度', '创建'] : ['ID', 'KIND', 'STATE', 'PROGRESS', 'CREATED'];
    call.answer(answer, () =>
      listText(
        call.lang,
        titles.map(title => ({ title })),
        answer.jobs.map(job => [
          job.id,
          job.kind,
          STATES[call.lang][job.state],
          progressText(job),
          time(job.createdAt),
        ]),
      ),
    );
    return 0;
  },
};

const show: Command = {
  name: 'job show',
  about: { en: 'one job', zh: '显示单个任务' },
  operands: [JOB],
  flags: [],
  examples: ['job show job_01a2…'],
  json: `{${SHAPE}}`,
  async run(call) {
    const client = await call.client();
    const job = await client.ask(ROUTES.jobs.show, { params: { id: call.operands[0] ?? '' } });
    call.answer(job, () => jobText(job, call.lang));
    return 0;
  },
};

const cancel: Command = {
  name: 'job cancel',
  about: { en: 'end a job that waits, ask one that runs to stop', zh: '取消等待中的任务，或要求执行中的任务停止' },
  operands: [JOB],
  flags: [],
  examples: ['job cancel job_01a2…'],
  json: '{"id","cancelled"}',
  async run(call) {
    const client = await call.client();
    const answer = await client.ask(ROUTES.jobs.cancel, { params: { id: call.operands[0] ?? '' } });
    const zh = call.lang === 'zh';
    call.answer(answer, () =>
      answer.cancelled
        ? zh
          ? '已取消，或已要求停止。'
          : 'Cancelled, or told to stop.'
        : zh
          ? '任务早已结束。'
          : 'It had ended already.',
    );
    return 0;
  },
};

const retry: Command = {
  name: 'job retry',
  about: { en: 'begin a job anew that failed or was cancelled', zh: '重新开始失败或已取消的任务' },
  operands: [JOB],
  flags: [],
  examples: ['job retry job_01a2…'],
  json: `{${SHAPE}}`,
  async run(call) {
    const client = await call.client();
    const job = await client.ask(ROUTES.jobs.retry, { params: { id: call.operands[0] ?? '' } });
    call.answer(job, () => jobText(job, call.lang));
    return 0;
  },
};

export const JOB_COMMANDS: readonly Command[] = [list, show, cancel, retry];
