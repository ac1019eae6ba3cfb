import type { Nano } from '@millrace/contract';
import { sql } from 'kysely';
import { joinCarry, type Store } from '../../../ground/store/index.ts';

export interface AccountView {
  readonly id: string;
  readonly kind: string;
  readonly currency: string;
  readonly minBalanceNano: Nano;
  readonly postedNano: Nano;
  readonly heldNano: Nano;
  /** Sums of its open holds and of what its leases have left. */
  readonly setAsideNano: Nano;
  /** What nodes spent beyond their leases, and what they had left when their time was over. */
  readonly uncoveredNano: Nano;
  readonly lapsedNano: Nano;
}

/** What changes, as it stood at one moment: the rest is insert-only and is read up to `headSeq`, while the ledger goes on. */
export interface Snapshot {
  readonly headSeq: bigint;
  readonly headHash: string;
  readonly accounts: ReadonlyMap<string, AccountView>;
}

/** One statement, so that head, balances, holds and leases belong together on either database. */
export async function takeSnapshot(store: Store): Promise<Snapshot> {
  const { rows } = await sql<{
    seq: bigint;
    hash: string;
    id: string | null;
    kind: string;
    currency: string;
    min: bigint;
    posted: bigint;
    carry: bigint;
    held: bigint;
    holds: bigint;
    leases: bigint;
    uncovered: bigint;
    lapsed: bigint;
  }>`
    select h.seq as seq, h.hash as hash, a.id as id, a.kind as kind, a.currency as currency, a.min_balance_nano as min,
      b.posted_nano as posted, b.posted_carry as carry, b.held_nano as held,
      coalesce((select sum(amount_nano) from holds where account_id = a.id and state = 'open'), 0) as holds,
      coalesce((select sum(amount_nano) from leases where account_id = a.id), 0) as leases,
      coalesce((select sum(uncovered_nano) from leases where account_id = a.id), 0) as uncovered,
      coalesce((select sum(lapsed_nano) from leases where account_id = a.id), 0) as lapsed
    from ledger_head h left join accounts a on true left join balances b on b.account_id = a.id
    where h.id = 1`.execute(store.reader);
  const accounts = new Map<string, AccountView>();
  for (const row of rows) {
    if (row.id === null) continue;
    accounts.set(row.id, {
      id: row.id,
      kind: row.kind,
      currency: row.currency,
      minBalanceNano: row.min,
      postedNano: joinCarry(row.posted, row.carry),
      heldNano: row.held,
      setAsideNano: BigInt(row.holds) + BigInt(row.leases),
      uncoveredNano: BigInt(row.uncovered),
      lapsedNano: BigInt(row.lapsed),
    });
  }
  const [first] = rows;
  return { headSeq: first?.seq ?? 0n, headHash: first?.hash ?? '', accounts };
}
