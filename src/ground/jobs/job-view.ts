import type { Kysely, Selectable } from 'kysely';
import { Fault } from '../std/index.ts';
import type { JobState, JobView, JsonValue } from './job.ts';
import type { JobTable, JobTables } from './schema.ts';

const LIST_MAX = 200;
/** Payload, checkpoint and result, each: a job carries references, not contents. */
const JSON_BYTES_MAX = 1_048_576;

export interface ListOptions {
  readonly kind?: string;
  readonly state?: JobState;
  readonly organizationId?: string;
  /** Id of the last one seen; the page goes on with older ones. */
  readonly before?: string;
  readonly limit?: number;
}

/** How many jobs of a kind wait or run. */
export interface JobDepth {
  readonly kind: string;
  readonly state: 'waiting' | 'running';
  readonly count: number;
}

/** Throws Fault `not_found`. */
export async function showJob(db: Kysely<JobTables>, id: string): Promise<JobView> {
  const row = await db.selectFrom('jobs').selectAll().where('id', '=', id).executeTakeFirst();
  if (!row) throw new Fault('not_found', { message: `There is no job ${id}`, messageZh: `任务 ${id} 不存在` });
  return viewOf(row);
}

/** The newest first. */
export async function listJobs(
  db: Kysely<JobTables>,
  { kind, state, organizationId, before, limit = 50 }: ListOptions,
): Promise<readonly JobView[]> {
  let query = db.selectFrom('jobs').selectAll();
  if (kind !== undefined) query = query.where('kind', '=', kind);
  if (state !== undefined) query = query.where('state', '=', state);
  if (organizationId !== undefined) query = query.where('organization_id', '=', organizationId);
  if (before !== undefined) query = query.where('id', '<', before);
  const rows = await query
    .orderBy('id', 'desc')
    .limit(Math.min(LIST_MAX, Math.max(1, limit)))
    .execute();
  return rows.map(viewOf);
}

/** By kind; what ended is not counted: its number only grows. */
export async function jobDepth(db: Kysely<JobTables>): Promise<readonly JobDepth[]> {
  const states = ['waiting', 'running'] as const;
  const counts: JobDepth[] = [];
  for (const state of states) {
    const rows = await db
      .selectFrom('jobs')
      .select(['kind', ({ fn }) => fn.countAll<bigint>().as('count')])
      .where('state', '=', state)
      .groupBy('kind')
      .execute();
    for (const { kind, count } of rows) counts.push({ kind, state, count: Number(count) });
  }
  return counts;
}

export function jsonText(value: JsonValue, name: string): string {
  const text = JSON.stringify(value);
  if (Buffer.byteLength(text) <= JSON_BYTES_MAX) return text;
  throw new Fault('payload_too_large', {
    message: `The ${name} of a job is larger than ${JSON_BYTES_MAX} bytes`,
    messageZh: `任务的 ${name} 超过 ${JSON_BYTES_MAX} 字节`,
  });
}

export function readJson(text: string | null): JsonValue | undefined {
  if (text === null) return undefined;
  const value: JsonValue = JSON.parse(text);
  return value;
}

const ms = (time: bigint) => Number(time / 1000n);

function viewOf(row: Selectable<JobTable>): JobView {
  const { progress_done: done, progress_total: total, progress_note: note, error_code: code } = row;
  return {
    id: row.id,
    kind: row.kind,
    state: row.state,
    organizationId: row.organization_id ?? undefined,
    priority: Number(row.priority),
    attempts: Number(row.attempts),
    attemptsMax: Number(row.attempts_max),
    cancelRequested: row.cancel_requested === 1n,
    progress:
      done === null
        ? undefined
        : {
            done: Number(done),
            ...(total === null ? {} : { total: Number(total) }),
            ...(note === null ? {} : { note }),
          },
    result: readJson(row.result),
    error: code === null ? undefined : { code, message: row.error ?? '', messageZh: row.error_zh ?? '' },
    createdMs: ms(row.created_us),
    runAfterMs: ms(row.run_after_us),
    startedMs: row.started_us === null ? undefined : ms(row.started_us),
    endedMs: row.ended_us === null ? undefined : ms(row.ended_us),
  };
}
