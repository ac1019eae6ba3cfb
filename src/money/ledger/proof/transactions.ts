import type { Nano } from '@millrace/contract';
import { revenueAccount, walletAccount } from '../accounts.ts';
import { chargeText, digestOf, linkHash, pairText, type TransferKind, transferText } from '../booking.ts';
import { SERIES_COLUMNS } from '../loading/series.ts';
import { ATTEMPT_COLUMNS, REQUEST_COLUMNS } from '../loading/settled-rows.ts';
import type { Findings } from './findings.ts';
import type { BookPage, RequestRow, StoredAttempt, TransferRow } from './pages.ts';
import type { Snapshot } from './snapshot.ts';

const KINDS: readonly string[] = [
  'credit',
  'config-credit',
  'debit',
  'cost',
  'reversal',
] satisfies readonly TransferKind[];

function isKind(kind: string): kind is TransferKind {
  return KINDS.includes(kind);
}

/** Walks the chain, page after page: I1, that each number is one transaction (I4), and the chain's part of I5. */
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
  const digests = new Map<bigint, string>();
  const seriesDigest = (row: RequestRow) => {
    const known = digests.get(row.series);
    if (known !== undefined) return known;
    const { series: number, series_organization_id: organization_id } = row;
    const digest = digestOf(SERIES_COLUMNS.map(name => ({ ...row, number, organization_id })[name]));
    digests.set(number, digest);
    return digest;
  };
  const move = ({ debit, credit, amount }: Entry) => {
    if (amount === 0n) return;
    accounts.set(debit, (accounts.get(debit) ?? 0n) + amount);
    accounts.set(credit, (accounts.get(credit) ?? 0n) - amount);
  };
  return {
    accounts,
    check({ from, to, links, transfers, requests, attempts }) {
      let seq = from;
      let texts = '';
      let link = 0;
      while (seq < to) {
        seq++;
        const transfer = transfers.get(seq);
        const request = requests.get(seq);
        expect('I4', !(transfer && request), () => `${seq} is the number of a transfer and of request ${request?.id}`);
        expect('I5', (transfer ?? request) !== undefined, () => `transaction ${seq} is not there`);
        const entry = request
          ? entryOf(request, attempts.get(seq), seriesDigest(request))
          : transfer && entryOfTransfer(transfer);
        if (entry) {
          expect('I1', entry.sound, () => `transaction ${seq} does not move an amount between two accounts`);
          texts += `,${entry.text}`;
          move(entry);
        }
        const end = links[link];
        if (seq !== end?.last_seq) continue;
        link++;
        expect(
          'I5',
          linkHash(hash, texts) === end.hash,
          () => `a transaction up to ${seq} was changed after it was booked`,
        );
        hash = end.hash;
        texts = '';
      }
      expect('I5', texts === '', () => `transactions up to ${to} are not covered by the chain`);
    },
    end({ headSeq, headHash }) {
      expect('I5', hash === headHash, () => `the chain does not end in the head, transaction ${headSeq}`);
    },
  };
}

interface Entry {
  readonly debit: string;
  readonly credit: string;
  readonly amount: Nano;
  readonly text: string;
  /** I1: what leaves one account comes to another of the same currency. */
  readonly sound: boolean;
}

function entryOf(row: RequestRow, attempts: readonly StoredAttempt[] = [], series: string): Entry {
  const { organization_id, currency, amount_nano: amount } = row;
  const debit = walletAccount(organization_id, currency);
  const credit = revenueAccount(organization_id, currency);
  const text = chargeText(
    { text: pairText(debit, credit) },
    {
      series,
      request: REQUEST_COLUMNS.map(name => row[name]),
      attempts: attempts.map(attempt => ATTEMPT_COLUMNS.map(name => attempt[name])),
    },
  );
  return { debit, credit, amount, text, sound: amount >= 0n };
}

function entryOfTransfer(row: TransferRow): Entry {
  const { kind, debit, credit, amount_nano: amount } = row;
  const known = isKind(kind);
  const text = transferText(Number(row.seq), {
    kind: known ? kind : 'debit',
    accounts: { debit, credit, text: pairText(debit, credit) },
    amountNano: amount,
    atUs: Number(row.booked_us),
    idemKey: row.idem_key,
    reversesSeq: row.reverses_seq === null ? null : Number(row.reverses_seq),
    note: row.note,
  });
  const oneCurrency = credit.endsWith(debit.slice(debit.lastIndexOf(':')));
  return { debit, credit, amount, text, sound: known && debit !== credit && oneCurrency && amount > 0n };
}
