import type { Nano } from '@millrace/contract';
import type { Store } from '../../store/index.ts';
import { hashTx, type TxKind } from '../booking.ts';
import type { Findings } from './findings.ts';
import type { Snapshot } from './snapshot.ts';

const PAGE = 2_000n;
const KINDS: readonly string[] = [
  'credit',
  'config-credit',
  'debit',
  'usage',
  'cost',
  'reversal',
] satisfies readonly TxKind[];

function isKind(kind: string): kind is TxKind {
  return KINDS.includes(kind);
}

/** What the whole book comes to. */
export interface BookSums {
  /** Sum of the postings of each account. */
  readonly accounts: ReadonlyMap<string, Nano>;
  readonly usageTransactions: number;
}

/** Walks the chain from its first transaction to the head: I1, and the chain's part of I5. */
export async function checkTransactions(store: Store, snapshot: Snapshot, { expect }: Findings): Promise<BookSums> {
  const accounts = new Map<string, Nano>();
  let usageTransactions = 0;
  let hash = '';
  for (let after = 0n; after < snapshot.headSeq; after += PAGE) {
    const to = after + PAGE < snapshot.headSeq ? after + PAGE : snapshot.headSeq;
    const { txs, postings } = await readPage(store, after, to);
    expect(
      'I5',
      BigInt(txs.length) === to - after,
      () => `of the transactions ${after + 1n} to ${to}, ${txs.length} are there`,
    );
    for (const tx of txs) {
      const lines = postings.get(tx.seq) ?? [];
      postings.delete(tx.seq);
      const sums = new Map<string, Nano>();
      for (const { account_id, currency, amount_nano } of lines) {
        sums.set(currency, (sums.get(currency) ?? 0n) + amount_nano);
        accounts.set(account_id, (accounts.get(account_id) ?? 0n) + amount_nano);
      }
      expect(
        'I1',
        [...sums.values()].every(sum => sum === 0n),
        () => `transaction ${tx.seq} does not sum to zero`,
      );
      if (tx.kind === 'usage') usageTransactions++;
      const found = isKind(tx.kind) ? hashTx(bookingOf(tx, tx.kind, lines), tx.seq, hash) : '';
      expect('I5', found === tx.hash, () => `transaction ${tx.seq} or one before it was changed after it was booked`);
      hash = tx.hash;
    }
    const [stray] = postings.keys();
    expect('I1', stray === undefined, () => `postings name transaction ${stray}, which is not there`);
  }
  expect('I5', hash === snapshot.headHash, () => `the chain does not end in the head, transaction ${snapshot.headSeq}`);
  return { accounts, usageTransactions };
}

interface TxRow {
  readonly seq: bigint;
  readonly kind: string;
  readonly idem_key: string | null;
  readonly request_id: string | null;
  readonly booked_us: bigint;
  readonly note: string;
  readonly reverses_seq: bigint | null;
  readonly hash: string;
}
interface Line {
  readonly tx_seq: bigint;
  readonly account_id: string;
  readonly currency: string;
  readonly amount_nano: bigint;
}

async function readPage(
  store: Store,
  after: bigint,
  to: bigint,
): Promise<{ readonly txs: readonly TxRow[]; readonly postings: Map<bigint, Line[]> }> {
  const { reader } = store;
  const txs = await reader
    .selectFrom('ledger_tx')
    .selectAll()
    .where('seq', '>', after)
    .where('seq', '<=', to)
    .orderBy('seq')
    .execute();
  const lines = await reader
    .selectFrom('postings')
    .selectAll()
    .where('tx_seq', '>', after)
    .where('tx_seq', '<=', to)
    .orderBy('tx_seq')
    .orderBy('line')
    .execute();
  return { txs, postings: Map.groupBy(lines, ({ tx_seq }) => tx_seq) };
}

function bookingOf(tx: TxRow, kind: TxKind, lines: readonly Line[]) {
  return {
    kind,
    idemKey: tx.idem_key,
    requestId: tx.request_id,
    atUs: tx.booked_us,
    note: tx.note,
    ...(tx.reverses_seq === null ? {} : { reversesSeq: tx.reverses_seq }),
    postings: lines.map(line => ({
      accountId: line.account_id,
      currency: line.currency,
      amountNano: line.amount_nano,
    })),
  };
}
