import { type Kysely, type RawBuilder, type Selectable, sql } from 'kysely';
import { Fault } from '../std/index.ts';
import { databaseNowUs, type Store, type StoreTransaction } from '../store/index.ts';
import type { Effects, JobError, JobOutcome, JobView, JsonValue, Progress } from './job.ts';
import { type JobDepth, jobDepth, jsonText, type ListOptions, listJobs, readJson, showJob } from './job-view.ts';
import type { JobTable, JobTables } from './schema.ts';

const NOTE_LENGTH_MAX = 500;
const KEY_LENGTH_MAX = 200;
const ERROR_LENGTH_MAX = 2_000;
export const LEASE_MS = 30_000;

export interface EnqueueOptions {
  /** Lower goes first; 100 unless told otherwise. */
  readonly priority?: number;
  /** ms since the epoch; absent: at once. */
  readonly runAfterMs?: number;
  readonly idempotencyKey?: string;
  readonly singletonKey?: string;
  readonly organizationId?: string;
  readonly attemptsMax?: number;
}

/** A try that was given to this node. */
export interface Claimed {
  readonly id: string;
  readonly kind: string;
  readonly payload: JsonValue;
  readonly attempt: number;
  readonly attemptsMax: number;
  readonly organizationId: string | undefined;
  readonly checkpoint: JsonValue | undefined;
  readonly token: string;
}

type Handle = Kysely<JobTables>;

/** The rows of jobs, and the moves between their states; each is one conditional statement. Times are of the clock that all nodes share. */
export class JobQueue {
  readonly #store: Store;
  readonly #newId: () => string;
  readonly #now: () => RawBuilder<bigint>;

  constructor(store: Store, newId: () => string, now?: () => RawBuilder<bigint>) {
    this.#store = store;
    this.#newId = newId;
    this.#now = now ?? (() => databaseNowUs(store.dialect));
  }

  /** Rows of kinds that have a bound over all nodes: a claim locks them. */
  async know(kinds: readonly string[]): Promise<void> {
    for (const kind of kinds)
      await this.#db()
        .insertInto('job_kinds')
        .values({ kind })
        .onConflict(conflict => conflict.doNothing())
        .execute();
  }

  /** Adds a job, in the caller's transaction where one is given; returns the one that is there where a key says so. */
  async add(
    kind: string,
    payload: JsonValue,
    options: EnqueueOptions & { readonly attemptsMax: number },
    trx?: StoreTransaction,
  ): Promise<{ readonly id: string; readonly isNew: boolean }> {
    const db = this.#db(trx);
    const id = `job_${this.#newId()}`;
    const { idempotencyKey, singletonKey, runAfterMs } = options;
    const now = this.#now();
    const inserted = await db
      .insertInto('jobs')
      .values({
        id,
        kind,
        state: 'waiting',
        priority: BigInt(options.priority ?? 100),
        payload: jsonText(payload, 'payload'),
        idempotency_key: keyText(idempotencyKey, 'idempotencyKey'),
        singleton_key: keyText(singletonKey, 'singletonKey'),
        organization_id: options.organizationId ?? null,
        attempts: 0n,
        attempts_max: BigInt(options.attemptsMax),
        run_after_us: runAfterMs === undefined ? now : BigInt(Math.round(runAfterMs)) * 1000n,
        created_us: now,
      })
      .onConflict(conflict => conflict.doNothing())
      .returning('id')
      .executeTakeFirst();
    if (inserted) return { id, isNew: true };
    const there = await db
      .selectFrom('jobs')
      .select('id')
      .where('kind', '=', kind)
      .where(({ or, and, eb }) =>
        or([
          ...(idempotencyKey === undefined ? [] : [eb('idempotency_key', '=', idempotencyKey)]),
          ...(singletonKey === undefined
            ? []
            : [and([eb('singleton_key', '=', singletonKey), eb('state', 'in', ['waiting', 'running'])])]),
        ]),
      )
      .executeTakeFirst();
    // The one in the way ended between the two statements: the key is free again.
    return there ? { id: there.id, isNew: false } : this.add(kind, payload, options, trx);
  }

  /** The next job of a kind that may run now; `total`: at most so many run at once, over all nodes. */
  async claim(kind: string, total: number | undefined): Promise<Claimed | undefined> {
    const token = this.#newId();
    const row = await this.#store.transaction(async trx => {
      const db = this.#db(trx);
      const locks = this.#store.dialect === 'postgres';
      if (total !== undefined) {
        const kindRow = db.selectFrom('job_kinds').select('kind').where('kind', '=', kind);
        await (locks ? kindRow.forUpdate() : kindRow).execute();
        const { count } = await db
          .selectFrom('jobs')
          .select(({ fn }) => fn.countAll<bigint>().as('count'))
          .where('kind', '=', kind)
          .where('state', '=', 'running')
          .executeTakeFirstOrThrow();
        if (count >= BigInt(total)) return undefined;
      }
      const next = db
        .selectFrom('jobs')
        .select('id')
        .where('state', '=', 'waiting')
        .where('kind', '=', kind)
        .where('run_after_us', '<=', this.#now())
        .orderBy('priority')
        .orderBy('run_after_us')
        .orderBy('id')
        .limit(1);
      const found = await (locks ? next.forUpdate().skipLocked() : next).executeTakeFirst();
      if (!found) return undefined;
      return db
        .updateTable('jobs')
        .set(({ eb, fn }) => ({
          state: 'running' as const,
          attempts: eb('attempts', '+', 1n),
          lease_token: token,
          lease_until_us: this.#leaseUntil(),
          started_us: fn.coalesce('started_us', this.#now()),
          progress_note: null,
        }))
        .where('id', '=', found.id)
        .where('state', '=', 'waiting')
        .returning(['id', 'kind', 'payload', 'attempts', 'attempts_max', 'organization_id', 'checkpoint'])
        .executeTakeFirst();
    });
    if (!row) return undefined;
    return {
      id: row.id,
      kind: row.kind,
      payload: readJson(row.payload) ?? null,
      attempt: Number(row.attempts),
      attemptsMax: Number(row.attempts_max),
      organizationId: row.organization_id ?? undefined,
      checkpoint: readJson(row.checkpoint),
      token,
    };
  }

  /** Renews a lease and keeps the progress. `lost`: another has it, or it ended; `cancel`: somebody wants it to stop. */
  async beat({ id, token }: Claimed, progress: Progress | undefined): Promise<'kept' | 'lost' | 'cancel'> {
    const row = await this.#db()
      .updateTable('jobs')
      .set({ lease_until_us: this.#leaseUntil(), ...progressColumns(progress) })
      .where('id', '=', id)
      .where('lease_token', '=', token)
      .where('state', '=', 'running')
      .returning('cancel_requested')
      .executeTakeFirst();
    if (!row) return 'lost';
    return row.cancel_requested === 1n ? 'cancel' : 'kept';
  }

  /** Keeps a checkpoint together with what `effects` writes; Fault `conflict` where the lease is gone. */
  async step(claimed: Claimed, checkpoint: JsonValue, effects?: Effects): Promise<void> {
    const text = jsonText(checkpoint, 'checkpoint');
    await this.#store.transaction(async trx => {
      await this.#ownedBy(trx, claimed, { checkpoint: text, lease_until_us: this.#leaseUntil() });
      await effects?.(trx);
    });
  }

  /** Ends a try well: the state and what `effects` writes in one transaction. */
  async finish(claimed: Claimed, { result, effects }: JobOutcome): Promise<void> {
    const text = result === undefined ? null : jsonText(result, 'result');
    await this.#store.transaction(async trx => {
      await this.#ownedBy(trx, claimed, {
        ...ENDED,
        state: 'done',
        result: text,
        ended_us: this.#now(),
        error_code: null,
        error: null,
        error_zh: null,
      });
      await effects?.(trx);
    });
  }

  /** Ends a try badly: for good, or until `retryAfterMs` from now. Without effect where the lease is gone. */
  async fail(claimed: Claimed, error: JobError, retryAfterMs: number | undefined): Promise<void> {
    const columns = {
      ...ENDED,
      error_code: error.code,
      error: error.message.slice(0, ERROR_LENGTH_MAX),
      error_zh: error.messageZh.slice(0, ERROR_LENGTH_MAX),
    };
    await this.#leave(
      claimed,
      retryAfterMs === undefined
        ? { ...columns, state: 'failed', ended_us: this.#now() }
        : { ...columns, state: 'waiting', run_after_us: sql<bigint>`${this.#now()} + ${us(retryAfterMs)}` },
    );
  }

  async cancelled(claimed: Claimed): Promise<void> {
    await this.#leave(claimed, { ...ENDED, state: 'cancelled', ended_us: this.#now() });
  }

  /** Gives a try back as if it had not begun: the node stops. */
  async release(claimed: Claimed): Promise<void> {
    await this.#leave(claimed, {
      ...ENDED,
      state: 'waiting',
      attempts: sql<bigint>`attempts - 1`,
      run_after_us: this.#now(),
    });
  }

  /** Whoever ran it fell silent: it waits again, or it is a dead letter. Returns how many of either. */
  async reclaim(): Promise<{ readonly again: number; readonly dead: number }> {
    const db = this.#db();
    const now = this.#now();
    const lost = (query: 'dead' | 'cancelled' | 'again') =>
      db
        .updateTable('jobs')
        .where('state', '=', 'running')
        .where('lease_until_us', '<', now)
        .where(({ eb, ref }) =>
          query === 'cancelled'
            ? eb('cancel_requested', '=', 1n)
            : eb('attempts', query === 'dead' ? '>=' : '<', ref('attempts_max')),
        );
    await lost('cancelled')
      .set({ ...ENDED, state: 'cancelled', ended_us: now })
      .execute();
    const words = {
      error_code: 'internal',
      error: 'The process that ran it ended without a word',
      error_zh: '执行它的进程意外终止',
    };
    const dead = await lost('dead')
      .set({ ...ENDED, ...words, state: 'failed', ended_us: now })
      .executeTakeFirst();
    const again = await lost('again')
      .set({ ...ENDED, ...words, state: 'waiting', run_after_us: now })
      .executeTakeFirst();
    return { dead: Number(dead.numUpdatedRows), again: Number(again.numUpdatedRows) };
  }

  /** What waits ends at once; what runs is asked to stop. Fault `not_found`; false where it had ended. */
  async cancel(id: string): Promise<boolean> {
    const waiting = await this.#db()
      .updateTable('jobs')
      .set({ ...ENDED, state: 'cancelled', ended_us: this.#now(), cancel_requested: 1n })
      .where('id', '=', id)
      .where('state', '=', 'waiting')
      .executeTakeFirst();
    if (waiting.numUpdatedRows > 0n) return true;
    const running = await this.#db()
      .updateTable('jobs')
      .set({ cancel_requested: 1n })
      .where('id', '=', id)
      .where('state', '=', 'running')
      .executeTakeFirst();
    if (running.numUpdatedRows > 0n) return true;
    await this.show(id);
    return false;
  }

  /** A job that failed or was cancelled begins anew, from its checkpoint. Fault `not_found`, or `conflict` where it did not end so. */
  async retry(id: string): Promise<void> {
    const { numUpdatedRows } = await this.#db()
      .updateTable('jobs')
      .set({
        ...ENDED,
        state: 'waiting',
        attempts: 0n,
        cancel_requested: 0n,
        run_after_us: this.#now(),
        ended_us: null,
      })
      .where('id', '=', id)
      .where('state', 'in', ['failed', 'cancelled'])
      .executeTakeFirst();
    if (numUpdatedRows > 0n) return;
    const { state } = await this.show(id);
    throw new Fault('conflict', {
      message: `The job is ${state}: only one that failed or was cancelled begins anew`,
      messageZh: `任务状态为 ${state}：只有失败或已取消的任务可以重新开始`,
    });
  }

  /** Throws Fault `not_found`. */
  show(id: string): Promise<JobView> {
    return showJob(this.#db(), id);
  }

  /** The newest first. */
  list(options: ListOptions): Promise<readonly JobView[]> {
    return listJobs(this.#db(), options);
  }

  depth(): Promise<readonly JobDepth[]> {
    return jobDepth(this.#db());
  }

  /** Removes what ended longer ago, a bounded number at a time; returns how many. */
  async forget(olderThanMs: number, most = 1_000): Promise<number> {
    const old = this.#db()
      .selectFrom('jobs')
      .select('id')
      .where('ended_us', 'is not', null)
      .where('ended_us', '<', sql<bigint>`${this.#now()} - ${us(olderThanMs)}`)
      .orderBy('ended_us')
      .limit(most);
    const { numDeletedRows } = await this.#db().deleteFrom('jobs').where('id', 'in', old).executeTakeFirst();
    return Number(numDeletedRows);
  }

  #leaseUntil(): RawBuilder<bigint> {
    return sql<bigint>`${this.#now()} + ${us(LEASE_MS)}`;
  }

  async #leave({ id, token }: Claimed, columns: Changes): Promise<void> {
    await this.#db()
      .updateTable('jobs')
      .set(columns)
      .where('id', '=', id)
      .where('lease_token', '=', token)
      .where('state', '=', 'running')
      .execute();
  }

  async #ownedBy(trx: StoreTransaction, { id, token }: Claimed, columns: Changes): Promise<void> {
    const { numUpdatedRows } = await this.#db(trx)
      .updateTable('jobs')
      .set(columns)
      .where('id', '=', id)
      .where('lease_token', '=', token)
      .where('state', '=', 'running')
      .executeTakeFirst();
    if (numUpdatedRows === 0n) throw new Fault('conflict', { internal: `job ${id}: the lease is gone` });
  }

  #db(trx?: StoreTransaction): Handle {
    return (trx ?? this.#store.db).withTables<JobTables>();
  }
}

type Changes = {
  readonly [C in keyof JobTable]?: Selectable<JobTable>[C] | RawBuilder<NonNullable<Selectable<JobTable>[C]>>;
};

/** A try is over, however. */
const ENDED = { lease_token: null, lease_until_us: null } as const;

const us = (ms: number) => BigInt(Math.round(ms)) * 1000n;

function progressColumns(progress: Progress | undefined) {
  if (!progress) return {};
  const { done, total, note } = progress;
  return {
    progress_done: BigInt(Math.trunc(done)),
    progress_total: total === undefined ? null : BigInt(Math.trunc(total)),
    progress_note: note?.slice(0, NOTE_LENGTH_MAX) ?? null,
  };
}

function keyText(key: string | undefined, name: string): string | null {
  if (key === undefined) return null;
  if (key !== '' && key.length <= KEY_LENGTH_MAX) return key;
  throw new Fault('invalid_parameter', {
    param: name,
    message: `${name} must have 1 to ${KEY_LENGTH_MAX} characters`,
    messageZh: `${name} 须为 1 到 ${KEY_LENGTH_MAX} 个字符`,
  });
}
