import type { Nano } from '@millrace/contract';
import { linkHash, type TransferKind, transferText } from '../booking.ts';
import type { Findings } from './findings.ts';
import type { BookPage, TransferRow } from './pages.ts';
import type { Snapshot } from './snapshot.ts';

const KINDS: readonly string[] = [
  'credit',
  'config-credit',
  'debit',
  'usage',
  'cost',
  'reversal',
] satisfies readonly TransferKind[];

function isKind(kind: string): kind is TransferKind {
  return KINDS.includes(kind);
}

/** Walks the chain, page after page: I1, and the chain's part of I5. */
export interface ChainWalk {
  check(page: BookPage): void;
  /** At the end of the last page: the chain ends in the head. */
  end(snapshot: Snapshot): void;
  /** What came to each account less what left it. */
  readonly accounts: ReadonlyMap<string, Nano>;
}

export function walkChain({ expect }: Findings): ChainWalk {
  const accounts = new Map<string, Nano>();
  let hash = '';
  const add = (account: string, nano: Nano) => accounts.set(account, (accounts.get(account) ?? 0n) + nano);
  return {
    accounts,
    check({ from, to, links, transfers, requests }) {
      expect(
        'I5',
        BigInt(transfers.length) === to - from,
        () => `of the transfers ${from + 1n} to ${to}, ${transfers.length} are there`,
      );
      const [...rows] = transfers;
      for (const link of links) {
        const after = rows.findIndex(({ seq }) => seq > link.last_seq);
        const linked = rows.splice(0, after < 0 ? rows.length : after);
        const texts = linked.map(row => `,${textOf(row, requests.get(row.seq)?.id)}`).join('');
        expect(
          'I5',
          linkHash(hash, texts) === link.hash,
          () => `a transfer up to ${link.last_seq} was changed after it was booked`,
        );
        hash = link.hash;
      }
      expect('I5', rows.length === 0, () => `transfer ${rows[0]?.seq} is not covered by the chain`);
      for (const row of transfers) {
        const { seq, debit, credit, amount_nano } = row;
        expect('I1', isSound(row), () => `transfer ${seq} does not move an amount between two accounts`);
        if (amount_nano === 0n) continue;
        add(debit, amount_nano);
        add(credit, -amount_nano);
      }
    },
    end({ headSeq, headHash }) {
      expect('I5', hash === headHash, () => `the chain does not end in the head, transfer ${headSeq}`);
    },
  };
}

/** I1: what leaves one account comes to another of the same currency. */
function isSound({ kind, debit, credit, amount_nano }: TransferRow): boolean {
  const currency = debit.slice(debit.lastIndexOf(':'));
  return (
    isKind(kind) &&
    debit !== credit &&
    credit.endsWith(currency) &&
    (amount_nano > 0n || (amount_nano === 0n && kind === 'usage'))
  );
}

function textOf(row: TransferRow, requestId: string | undefined): string {
  const { kind } = row;
  return transferText(Number(row.seq), {
    kind: isKind(kind) ? kind : 'usage',
    debit: row.debit,
    credit: row.credit,
    amountNano: row.amount_nano,
    atUs: Number(row.booked_us),
    requestId: kind === 'usage' ? (requestId ?? null) : null,
    idemKey: row.idem_key,
    reversesSeq: row.reverses_seq === null ? null : Number(row.reverses_seq),
    note: row.note,
  });
}
