import { Cron } from 'croner';
import type { Kysely, Selectable } from 'kysely';
import { type Clock, Fault } from '../std/index.ts';
import type { Store, StoreTransaction } from '../store/index.ts';
import type { JsonValue } from './job.ts';
import type { JobScheduleTable, JobTables } from './schema.ts';

export interface ScheduleInput {
  readonly name: string;
  readonly kind: string;
  readonly payload: JsonValue;
  /** Minute, hour, day, month, weekday; or with seconds before them. */
  readonly cron: string;
  /** IANA name such as `Asia/Shanghai`. */
  readonly timeZone: string;
  readonly enabled?: boolean;
}

export interface ScheduleView extends Required<ScheduleInput> {
  readonly nextMs: number;
  readonly lastMs: number | undefined;
}

export interface SchedulesOptions {
  readonly store: Store;
  readonly clock: Clock;
  /** Adds the job of one due time, in the transaction that moves the schedule on. */
  readonly enqueue: (schedule: ScheduleView, dueMs: number, trx: StoreTransaction) => Promise<void>;
}

/**
 * What begins by the clock. Of several times that passed while no node ran only the last makes a job: a backlog of the same work
 * helps nobody. Time zones and their summer times are croner's.
 */
export class Schedules {
  readonly #options: SchedulesOptions;

  constructor(options: SchedulesOptions) {
    this.#options = options;
  }

  /** Makes or replaces the schedule of that name. Fault `invalid_parameter`. */
  async save(input: ScheduleInput): Promise<ScheduleView> {
    const { name, kind, cron, timeZone, enabled = true } = input;
    const next = BigInt(nextMs(input, this.#options.clock.nowMs())) * 1000n;
    const columns = {
      kind,
      payload: JSON.stringify(input.payload),
      cron,
      time_zone: timeZone,
      enabled: enabled ? 1n : 0n,
      next_us: next,
    };
    const row = await this.#db()
      .insertInto('job_schedules')
      .values({ name, ...columns, last_us: null })
      .onConflict(conflict => conflict.column('name').doUpdateSet(columns))
      .returningAll()
      .executeTakeFirstOrThrow();
    return viewOf(row);
  }

  async remove(name: string): Promise<boolean> {
    const { numDeletedRows } = await this.#db().deleteFrom('job_schedules').where('name', '=', name).executeTakeFirst();
    return numDeletedRows > 0n;
  }

  async list(): Promise<readonly ScheduleView[]> {
    const rows = await this.#db().selectFrom('job_schedules').selectAll().orderBy('name').execute();
    return rows.map(viewOf);
  }

  /** Makes a job of each schedule whose time has come; over several nodes, one of them does. Returns how many. */
  async run(): Promise<number> {
    const { store, clock, enqueue } = this.#options;
    const now = clock.nowMs();
    const due = await this.#db()
      .selectFrom('job_schedules')
      .selectAll()
      .where('enabled', '=', 1n)
      .where('next_us', '<=', BigInt(now) * 1000n)
      .execute();
    let made = 0;
    for (const row of due) {
      const schedule = viewOf(row);
      const next = BigInt(nextMs(schedule, now)) * 1000n;
      await store.transaction(async trx => {
        const { numUpdatedRows } = await this.#db(trx)
          .updateTable('job_schedules')
          .set({ next_us: next, last_us: row.next_us })
          .where('name', '=', row.name)
          .where('next_us', '=', row.next_us)
          .where('enabled', '=', 1n)
          .executeTakeFirst();
        if (numUpdatedRows === 0n) return;
        await enqueue(schedule, schedule.nextMs, trx);
        made++;
      });
    }
    return made;
  }

  #db(trx?: StoreTransaction): Kysely<JobTables> {
    return (trx ?? this.#options.store.db).withTables<JobTables>();
  }
}

/** The next time after `afterMs`. Fault `invalid_parameter` where there is none. */
function nextMs({ cron, timeZone }: { readonly cron: string; readonly timeZone: string }, afterMs: number): number {
  let next: Date | null;
  try {
    next = new Cron(cron, { timezone: timeZone, paused: true }).nextRun(new Date(afterMs));
  } catch (cause) {
    throw new Fault('invalid_parameter', {
      param: 'cron',
      message: `"${cron}" in "${timeZone}" is no schedule: use five fields such as "0 3 * * *" and a time zone such as Asia/Shanghai`,
      messageZh: `“${cron}”（时区“${timeZone}”）不是有效的计划：请使用 "0 3 * * *" 这样的五个字段和 Asia/Shanghai 这样的时区`,
      cause,
    });
  }
  if (next) return next.getTime();
  throw new Fault('invalid_parameter', {
    param: 'cron',
    message: `"${cron}" never comes`,
    messageZh: `“${cron}”永远不会到来`,
  });
}

function viewOf(row: Selectable<JobScheduleTable>): ScheduleView {
  const payload: JsonValue = JSON.parse(row.payload);
  return {
    name: row.name,
    kind: row.kind,
    payload,
    cron: row.cron,
    timeZone: row.time_zone,
    enabled: row.enabled === 1n,
    nextMs: Number(row.next_us / 1000n),
    lastMs: row.last_us === null ? undefined : Number(row.last_us / 1000n),
  };
}
