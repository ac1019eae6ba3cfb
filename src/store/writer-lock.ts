import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { Fault, type Log } from '../std/index.ts';
import { clientConfig, unreachable } from './postgres.ts';

/** Names the one writer of a database, among advisory locks: "mill" in ASCII. */
const LOCK = 0x6d69_6c6c;
const RETRY_MS = 1_000;
/** A server that was just killed may still hold the lock until PostgreSQL has noticed. */
const FIRST_TRIES = 5;
const FIRST_RETRY_MS = 200;

/**
 * Proof that this process is the only writer of the database: two servers would both hand out the same wallets. A session
 * lock, held by a connection of its own: PostgreSQL lets it go when the holder is gone, however it went.
 */
export interface WriterLock extends AsyncDisposable {
  /** Throws where the lock is not held now: Fault `conflict` when another process has it, `unavailable` while it is being won back. */
  assertHeld(): void;
}

type State = 'held' | 'lost' | 'taken' | 'closed';

/** Throws Fault `config_invalid` (no server there) or `conflict` (another process holds it). */
export async function takeWriterLock(url: string, log: Log): Promise<WriterLock> {
  let state: State = 'lost';
  let client: pg.Client | undefined;
  let timer: NodeJS.Timeout | undefined;

  const lose = (from: pg.Client) => {
    if (client !== from || state === 'closed') return;
    client = undefined;
    state = 'lost';
    log.warn('writer-lock-lost');
    timer = setTimeout(winBack, RETRY_MS).unref();
  };
  const tryOnce = async (): Promise<State> => {
    const fresh = new pg.Client(clientConfig(url));
    fresh.on('error', () => lose(fresh));
    fresh.on('end', () => lose(fresh));
    try {
      await fresh.connect();
      // A host that vanished without a word is noticed within half a minute, not after the two hours of TCP's default.
      await fresh.query('set tcp_keepalives_idle = 10; set tcp_keepalives_interval = 5; set tcp_keepalives_count = 4');
      const { rows } = await fresh.query<{ locked: boolean }>('select pg_try_advisory_lock($1) as locked', [LOCK]);
      if (rows[0]?.locked) {
        client = fresh;
        return 'held';
      }
    } catch (error) {
      await fresh.end().catch(() => {});
      throw error;
    }
    await fresh.end().catch(() => {});
    return 'taken';
  };
  const winBack = async () => {
    const got = await tryOnce().catch((): State => 'lost');
    if (state === 'closed') return void client?.end().catch(() => {});
    if (got === 'held') log.info('writer-lock-held');
    else timer = setTimeout(winBack, RETRY_MS).unref();
    state = got;
  };

  for (let left = FIRST_TRIES; ; left--) {
    const got = await tryOnce().catch(error => {
      throw unreachable(error);
    });
    state = got;
    if (got === 'held') break;
    if (left <= 1) throw takenByAnother();
    await sleep(FIRST_RETRY_MS);
  }

  return {
    assertHeld() {
      if (state === 'held') return;
      if (state === 'taken') throw takenByAnother();
      throw new Fault('unavailable', {
        message: 'PostgreSQL cannot be reached',
        messageZh: '无法连接 PostgreSQL',
        retryAfterMs: RETRY_MS,
        internal: 'the writer lock is not held',
      });
    },
    async [Symbol.asyncDispose]() {
      state = 'closed';
      clearTimeout(timer);
      await client?.end().catch(() => {});
    },
  };
}

function takenByAnother(): Fault {
  return new Fault('conflict', {
    message: 'Another Millrace already works on this database: stop it first',
    messageZh: '已有另一个 Millrace 正在使用此数据库：请先停止它',
  });
}
