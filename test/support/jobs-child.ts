// A process of its own for the kill test of jobs: runs what waits, and dies by SIGKILL at the n-th moment, wherever that is.

import { sql } from 'kysely';
import { createJobs, JOBS_SCHEMA } from '../../src/ground/jobs/index.ts';
import { silentLog, systemClock } from '../../src/ground/std/index.ts';
import { openStore, type StoreTransaction } from '../../src/ground/store/index.ts';

const [file = '', dieAt = '0'] = process.argv.slice(2);
let moment = 0;
const mayDie = () => {
  if (++moment === Number(dieAt)) process.kill(process.pid, 'SIGKILL');
};
const booked = (name: string) => async (trx: StoreTransaction) => {
  mayDie();
  await trx
    .insertInto('revisions')
    .values({ name, value: 1n })
    .onConflict(c => c.column('name').doUpdateSet({ value: sql`revisions.value + 1` }))
    .execute();
  mayDie();
};
const store = await openStore({ file, rooms: [JOBS_SCHEMA] });
const jobs = await createJobs({
  store,
  clock: systemClock,
  log: silentLog,
  kinds: [
    {
      kind: 'steps',
      attemptsMax: 1_000,
      parse: payload => payload,
      async run(_payload, run) {
        for (let at = Number(run.checkpoint ?? 0); at < 3; at++) {
          mayDie();
          await run.step(at + 1, booked(`step ${at}`));
        }
        mayDie();
        return { effects: booked('end') };
      },
    },
  ],
});
// The one before was killed: its lease is over now, without waiting for it.
await sql`update jobs set lease_until_us = 0 where state = 'running'`.execute(store.db);
await jobs.enqueue('steps', null, { idempotencyKey: 'one' });
await jobs.drain();
mayDie();
await jobs[Symbol.asyncDispose]();
await store[Symbol.asyncDispose]();
