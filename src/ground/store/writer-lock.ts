import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { Fault, type Log } from '../std/index.ts';
import { openLockSession, type WriterMode } from './lock-session.ts';
import { unreachable } from './postgres.ts';

const RETRY_MS = 1_000;
/** A server that was just killed may still hold the lock until PostgreSQL has noticed. */
const FIRST_TRIES = 5;
const FIRST_RETRY_MS = 200;

/**
 * Proof that nobody writes to the database who must not: two servers that work alone would both hand out the same wallets. A
 * session lock, held by a connection of its own: PostgreSQL lets it go when the holder is gone, however it went.
 */
export interface WriterLock extends AsyncDisposable {
  /** Throws where the lock is not held now: Fault `conflict` when another process has it, `unavailable` while it is being won back. */
  assertHeld(): void;
}

type State = 'held' | 'lost' | 'taken' | 'closed';

/** Throws Fault `config_invalid` (no server there) or `conflict` (another process holds it, or nobody can hold it there). */
export async function takeWriterLock(url: string, log: Log, mode: WriterMode = 'alone'): Promise<WriterLock> {
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
    const fresh = await openLockSession(url, mode);
    if (!fresh) return 'taken';
    client = fresh;
    fresh.on('error', () => lose(fresh));
    fresh.on('end', () => lose(fresh));
    return 'held';
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
      throw error instanceof Fault ? error : unreachable(error);
    });
    state = got;
    if (got === 'held') break;
    if (left <= 1) throw takenByAnother(mode);
    await sleep(FIRST_RETRY_MS);
  }

  return {
    assertHeld() {
      if (state === 'held') return;
      if (state === 'taken') throw takenByAnother(mode);
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

function takenByAnother(mode: WriterMode): Fault {
  return new Fault(
    'conflict',
    mode === 'alone'
      ? {
          message: 'Another Millrace already works on this database: stop it first, or set VALKEY_URL on all of them',
          messageZh: '已有另一个 Millrace 正在使用此数据库：请先停止它，或为所有节点设置 VALKEY_URL',
        }
      : {
          message: 'A Millrace without VALKEY_URL works on this database alone: stop it, or set VALKEY_URL there too',
          messageZh: '有一个未设置 VALKEY_URL 的 Millrace 正在独占此数据库：请停止它，或为它也设置 VALKEY_URL',
        },
  );
}
