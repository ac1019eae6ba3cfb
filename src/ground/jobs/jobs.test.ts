import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { type RawBuilder, sql } from 'kysely';
import { DIALECTS, testStores } from '../../../test/support/stores.ts';
import { Fault, silentLog, systemClock } from '../std/index.ts';
import { openStore, type Store, type StoreDialect } from '../store/index.ts';
import { createJobs, JOBS_SCHEMA, JobFailed, type JobKind, type JobRun, type JobsOptions } from './index.ts';
import { LEASE_MS } from './queue.ts';

const stores = testStores();

/** A clock that both the database's times and the schedules' go by. */
function movable() {
  let atMs = Date.UTC(2026, 10, 28, 12);
  return {
    clock: { nowMs: () => atMs, monotonicMs: () => atMs },
    nowUs: (): RawBuilder<bigint> => sql<bigint>`cast(${BigInt(atMs) * 1000n} as bigint)`,
    pass(ms: number) {
      atMs += ms;
    },
  };
}

async function open(dialect: StoreDialect, t: TestContext): Promise<Store | undefined> {
  const place = await stores.place(dialect, t);
  if (!place) return undefined;
  const store = await openStore({ ...place, rooms: [JOBS_SCHEMA] });
  t.after(() => store[Symbol.asyncDispose]());
  return store;
}

type Node = Omit<JobsOptions, 'store' | 'log' | 'clock'> & Partial<Pick<JobsOptions, 'clock'>>;
const nodeOn = (store: Store, options: Node) =>
  createJobs({ clock: systemClock, random: () => 0.5, ...options, store, log: silentLog });

const kindOf = (kind: string, run: (run: JobRun, payload: unknown) => ReturnType<JobKind['run']>): JobKind => ({
  kind,
  parse: payload => payload,
  run: (payload, jobRun) => run(jobRun, payload),
});

const count = async (store: Store) => {
  const { rows } = await sql<{ n: bigint }>`select coalesce(sum(value), 0) as n from revisions`.execute(store.db);
  return Number(rows[0]?.n ?? 0);
};
/** An effect that can be counted. */
const effect = async (trx: Pick<Store['db'], 'insertInto'>) => {
  await trx
    .insertInto('revisions')
    .values({ name: 'effect', value: 1n })
    .onConflict(c => c.column('name').doUpdateSet({ value: sql`revisions.value + 1` }))
    .execute();
};

for (const dialect of DIALECTS) {
  describe(dialect, () => {
    test('a job runs once, by priority, and its effects are there exactly if it is done', async t => {
      const store = await open(dialect, t);
      if (!store) return;
      const order: unknown[] = [];
      await using jobs = await nodeOn(store, {
        kinds: [
          kindOf('add', async (_run, payload) => {
            order.push(payload);
            return { result: { seen: 1 }, effects: effect };
          }),
        ],
      });
      await jobs.enqueue('add', 'late', { priority: 200 });
      const { id } = await jobs.enqueue('add', 'first', { priority: 1 });
      await jobs.drain();
      assert.deepEqual(order, ['first', 'late']);
      assert.equal(await count(store), 2);
      const view = await jobs.show(id);
      assert.deepEqual([view.state, view.result, view.attempts], ['done', { seen: 1 }, 1]);
      assert.deepEqual(jobs.counts(), [{ kind: 'add', end: 'done', count: 2 }]);
    });

    test('keys: one idempotency key is one job for good, one singleton key one job at a time', async t => {
      const store = await open(dialect, t);
      if (!store) return;
      await using jobs = await nodeOn(store, { kinds: [kindOf('k', async () => ({}))] });
      const both = await Promise.all([1, 2, 3].map(() => jobs.enqueue('k', 1, { idempotencyKey: 'a' })));
      assert.equal(new Set(both.map(({ id }) => id)).size, 1);
      assert.equal(both.filter(({ isNew }) => isNew).length, 1);
      const single = await jobs.enqueue('k', 1, { singletonKey: 's' });
      assert.equal((await jobs.enqueue('k', 2, { singletonKey: 's' })).id, single.id);
      await jobs.drain();
      assert.equal((await jobs.enqueue('k', 1, { idempotencyKey: 'a' })).isNew, false);
      assert.notEqual((await jobs.enqueue('k', 2, { singletonKey: 's' })).id, single.id);
      await assert.rejects(jobs.enqueue('k', 1, { idempotencyKey: '' }), { code: 'invalid_parameter' });
      await assert.rejects(jobs.enqueue('constructor', 1), { code: 'invalid_parameter', message: /no kind of job/ });
      await assert.rejects(jobs.enqueue('k', 'x'.repeat(1_100_000)), { code: 'payload_too_large' });
    });

    test('in a transaction a job is there exactly if the rest is', async t => {
      const store = await open(dialect, t);
      if (!store) return;
      await using jobs = await nodeOn(store, { kinds: [kindOf('k', async () => ({}))] });
      const lost = store.transaction(async trx => {
        await jobs.enqueue('k', 1, {}, trx);
        throw new Error('no');
      });
      await assert.rejects(lost, /no/);
      assert.deepEqual(await jobs.list({}), []);
      await store.transaction(trx => jobs.enqueue('k', 1, {}, trx).then(() => {}));
      assert.equal((await jobs.list({})).length, 1);
    });

    test('a try that fails comes again later, from its checkpoint; the last one is a dead letter that can be begun anew', async t => {
      const store = await open(dialect, t);
      if (!store) return;
      const time = movable();
      const seen: unknown[] = [];
      await using jobs = await nodeOn(store, {
        ...time,
        kinds: [
          {
            ...kindOf('flaky', async run => {
              seen.push([run.attempt, run.checkpoint]);
              await run.step({ at: run.attempt }, effect);
              throw new Fault('upstream_error', { message: 'gone', messageZh: '不在' });
            }),
            attemptsMax: 3,
            backoff: { firstMs: 1_000, maxMs: 10_000 },
          },
        ],
      });
      const { id } = await jobs.enqueue('flaky', null);
      await jobs.drain();
      await jobs.drain();
      assert.equal(seen.length, 1, 'not before its time');
      time.pass(1_000);
      await jobs.drain();
      time.pass(10_000);
      await jobs.drain();
      time.pass(100_000);
      await jobs.drain();
      assert.deepEqual(seen, [
        [1, undefined],
        [2, { at: 1 }],
        [3, { at: 2 }],
      ]);
      const dead = await jobs.show(id);
      assert.deepEqual(
        [dead.state, dead.error],
        ['failed', { code: 'upstream_error', message: 'gone', messageZh: '不在' }],
      );
      assert.equal(await count(store), 3, 'each step once');
      await jobs.retry(id);
      await jobs.drain();
      assert.deepEqual(seen.at(-1), [1, { at: 3 }]);
      await assert.rejects(jobs.retry(id), { code: 'conflict' });
      await assert.rejects(jobs.show('job_none'), { code: 'not_found' });
    });

    test('what can never succeed fails at once: a payload of another kind, or its own word', async t => {
      const store = await open(dialect, t);
      if (!store) return;
      const never = kindOf('never', async () => {
        throw new JobFailed(new Fault('invalid_parameter', { message: 'bad' }));
      });
      await using jobs = await nodeOn(store, { kinds: [never] });
      const { id } = await jobs.enqueue('never', 1);
      await jobs.drain();
      assert.deepEqual([(await jobs.show(id)).state, (await jobs.show(id)).attempts], ['failed', 1]);
    });

    test('cancel: what waits ends, what runs is told to stop and can write nothing more', async t => {
      const store = await open(dialect, t);
      if (!store) return;
      const begun = Promise.withResolvers<JobRun>();
      await using jobs = await nodeOn(store, {
        kinds: [
          kindOf('long', async run => {
            begun.resolve(run);
            await new Promise((_, fail) => run.signal.addEventListener('abort', () => fail(run.signal.reason)));
            return {};
          }),
        ],
      });
      const running = await jobs.enqueue('long', 1);
      const waiting = await jobs.enqueue('long', 2);
      assert.equal(await jobs.cancel(waiting.id), true);
      const done = jobs.drain();
      const run = await begun.promise;
      assert.equal(await jobs.cancel(running.id), true);
      await done;
      assert.equal((await jobs.show(running.id)).state, 'cancelled');
      assert.equal((await jobs.show(waiting.id)).state, 'cancelled');
      await assert.rejects(run.step(1, effect), { code: 'conflict' });
      assert.equal(await count(store), 0);
      assert.equal(await jobs.cancel(running.id), false);
    });

    test('a node that fell silent: its job runs elsewhere, and what it still does counts for nothing', async t => {
      const store = await open(dialect, t);
      if (!store) return;
      const time = movable();
      const begun = Promise.withResolvers<void>();
      const free = Promise.withResolvers<void>();
      const attempts: number[] = [];
      const kinds = [
        kindOf('work', async run => {
          attempts.push(run.attempt);
          if (run.attempt === 1) {
            begun.resolve();
            await free.promise;
          }
          return { effects: effect };
        }),
      ];
      await using silent = await nodeOn(store, { ...time, kinds });
      await using other = await nodeOn(store, { ...time, kinds });
      const { id } = await silent.enqueue('work', 1);
      const late = silent.drain();
      await begun.promise;
      await other.drain();
      assert.deepEqual(attempts, [1], 'its lease still stands');
      time.pass(LEASE_MS + 1);
      await other.drain();
      assert.deepEqual(attempts, [1, 2]);
      free.resolve();
      await late;
      assert.equal(await count(store), 1);
      assert.equal((await jobs(other, id)).state, 'done');
    });

    test('at most so many at once: on a node, and over all nodes', async t => {
      const store = await open(dialect, t);
      if (!store) return;
      let now = 0;
      let most = 0;
      const two = Promise.withResolvers<void>();
      const kinds = [
        {
          ...kindOf('bounded', async () => {
            most = Math.max(most, ++now);
            if (now === 2) two.resolve();
            await two.promise;
            await new Promise(done => setImmediate(done));
            now--;
            return {};
          }),
          concurrency: { node: 4, total: 2 },
        },
      ];
      await using a = await nodeOn(store, { kinds });
      await using b = await nodeOn(store, { kinds });
      for (let at = 0; at < 20; at++) await a.enqueue('bounded', at);
      while ((await a.depth()).length > 0) await Promise.all([a.drain(), b.drain()]);
      assert.equal(most, 2);
      assert.equal((await a.list({ state: 'done' })).length, 20);
    });

    test('a node that stops gives its jobs back, uncounted', async t => {
      const store = await open(dialect, t);
      if (!store) return;
      const begun = Promise.withResolvers<void>();
      const kinds = [
        kindOf('stopped', async run => {
          begun.resolve();
          await new Promise((_, fail) => run.signal.addEventListener('abort', () => fail(run.signal.reason)));
          return {};
        }),
      ];
      const jobs = await nodeOn(store, { kinds });
      const { id } = await jobs.enqueue('stopped', 1);
      void jobs.drain();
      await begun.promise;
      await jobs[Symbol.asyncDispose]();
      await using next = await nodeOn(store, { kinds });
      assert.deepEqual([(await next.show(id)).state, (await next.show(id)).attempts], ['waiting', 0]);
    });

    test('schedules: one job for each time, over nodes; missed ones are one; time zones are croner’s', async t => {
      const store = await open(dialect, t);
      if (!store) return;
      const time = movable();
      const kinds = [kindOf('daily', async () => ({}))];
      await using a = await nodeOn(store, { ...time, kinds });
      await using b = await nodeOn(store, { ...time, kinds });
      const schedule = { name: 'close', kind: 'daily', payload: null, cron: '0 3 * * *', timeZone: 'Asia/Shanghai' };
      const saved = await a.saveSchedule(schedule);
      assert.equal(new Date(saved.nextMs).toISOString(), '2026-11-28T19:00:00.000Z');
      time.pass(8 * 3_600_000);
      await Promise.all([a.drain(), b.drain()]);
      assert.equal((await a.list({})).length, 1);
      time.pass(5 * 86_400_000);
      await a.drain();
      assert.equal((await a.list({})).length, 2);
      await assert.rejects(a.saveSchedule({ ...schedule, cron: 'soon' }), {
        code: 'invalid_parameter',
        message: /is no schedule/,
      });
      await assert.rejects(a.saveSchedule({ ...schedule, timeZone: 'Moon/Base' }), { code: 'invalid_parameter' });
      assert.equal(await a.removeSchedule('close'), true);
      assert.deepEqual(await a.schedules(), []);
    });
  });
}

const jobs = (node: { show(id: string): Promise<{ state: string }> }, id: string) => node.show(id);
