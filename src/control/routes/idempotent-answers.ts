import { createHash } from 'node:crypto';
import type { Kysely } from 'kysely';
import { type Clock, Fault } from '../../ground/std/index.ts';
import type { RoomSchema, Store } from '../../ground/store/index.ts';

// A type, not an interface: Kysely's `withTables` asks for an index signature.
type IdempotentTable = {
  principal: string;
  key: string;
  /** Method, path and body: what was asked under the key. */
  asked: string;
  /** Null: it runs, or what became of it is not known. */
  status: bigint | null;
  answer: string | null;
  created_us: bigint;
};
type Tables = { idempotent_answers: IdempotentTable };

export const CONTROL_SCHEMA: RoomSchema = {
  room: 'control',
  migrations: [
    {
      id: 1,
      statements: () => [
        `create table idempotent_answers (principal text not null, key text not null, asked text not null, status bigint, answer text, created_us bigint not null, primary key (principal, key))`,
        `create index idempotent_answers_by_age on idempotent_answers (created_us)`,
      ],
    },
  ],
};

const KEPT_US = 24n * 3_600_000_000n;
const KEY_LENGTH_MAX = 255;

export interface Stored {
  readonly status: number;
  readonly text: string;
}

/** Answers to requests that carried an `Idempotency-Key`: the same request gets the same answer for a day (IETF draft, httpapi). */
export interface IdempotentAnswers {
  /**
   * Runs `work` once for a key of a caller. The same request again: what it answered. Another request under the key, or one whose first
   * sending still runs or ended unknown: Fault `conflict`. A fault of `work` is not kept: it changed nothing.
   */
  once(
    request: { readonly principal: string; readonly key: string; readonly asked: string },
    work: () => Promise<Stored>,
  ): Promise<Stored>;
}

export function createIdempotentAnswers({
  store,
  clock,
}: {
  readonly store: Store;
  readonly clock: Clock;
}): IdempotentAnswers {
  const db = (): Kysely<Tables> => store.db.withTables<Tables>();
  return {
    async once({ principal, key, asked }, work) {
      if (key === '' || key.length > KEY_LENGTH_MAX)
        throw new Fault('invalid_parameter', {
          param: 'Idempotency-Key',
          message: `Idempotency-Key must have 1 to ${KEY_LENGTH_MAX} characters`,
          messageZh: `Idempotency-Key 须为 1 到 ${KEY_LENGTH_MAX} 个字符`,
        });
      const hash = createHash('sha256').update(asked).digest('hex');
      const nowUs = BigInt(clock.nowMs()) * 1000n;
      await db()
        .deleteFrom('idempotent_answers')
        .where('created_us', '<', nowUs - KEPT_US)
        .execute();
      const mine = await db()
        .insertInto('idempotent_answers')
        .values({ principal, key, asked: hash, status: null, answer: null, created_us: nowUs })
        .onConflict(conflict => conflict.doNothing())
        .returning('key')
        .executeTakeFirst();
      if (!mine) return earlier(db(), { principal, key }, hash);
      try {
        const stored = await work();
        await db()
          .updateTable('idempotent_answers')
          .set({ status: BigInt(stored.status), answer: stored.text })
          .where('principal', '=', principal)
          .where('key', '=', key)
          .execute();
        return stored;
      } catch (error) {
        await db().deleteFrom('idempotent_answers').where('principal', '=', principal).where('key', '=', key).execute();
        throw error;
      }
    },
  };
}

async function earlier(
  db: Kysely<Tables>,
  { principal, key }: { readonly principal: string; readonly key: string },
  hash: string,
): Promise<Stored> {
  const row = await db
    .selectFrom('idempotent_answers')
    .selectAll()
    .where('principal', '=', principal)
    .where('key', '=', key)
    .executeTakeFirst();
  if (row && row.asked !== hash)
    throw new Fault('conflict', {
      param: 'Idempotency-Key',
      message: 'Another request was sent under this Idempotency-Key',
      messageZh: '此 Idempotency-Key 已用于另一个请求',
    });
  if (row?.status === null || row?.status === undefined || row.answer === null)
    throw new Fault('conflict', {
      param: 'Idempotency-Key',
      message:
        'The request under this Idempotency-Key is still running, or the node was stopped while it ran: look at what it made',
      messageZh: '使用此 Idempotency-Key 的请求仍在执行，或执行中节点被停止：请查看其结果',
    });
  return { status: Number(row.status), text: row.answer };
}
