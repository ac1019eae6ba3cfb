import { hash } from 'node:crypto';
import type { Nano } from '@millrace/contract';
import { sql } from 'kysely';
import type { Store, StoreTransaction, StoreValue } from '../store/index.ts';
import { ensureAccounts } from './accounts.ts';

/** `usage`: one request. `cost`: what the calls of a batch of requests owe one provider. `config-credit`: a top-up that a configuration file states. */
export type TransferKind = 'credit' | 'config-credit' | 'debit' | 'usage' | 'cost' | 'reversal';

/** A transaction in double entry: one amount that leaves an account and comes to another one of the same currency. */
export interface Transfer {
  readonly kind: TransferKind;
  readonly debit: string;
  readonly credit: string;
  /** 0 only for a request that cost nothing. */
  readonly amountNano: Nano;
  readonly atUs: number;
  /** The request that a `usage` charges for; its row names this transfer. */
  readonly requestId: string | null;
  /** Booked once per key, however often it is sent; null where its request is the key, or its batch. */
  readonly idemKey: string | null;
  /** The transfer that this one takes back: corrections are new transfers. */
  readonly reversesSeq: number | null;
  readonly note: string | null;
}

/** Change of an account's projection: of what is posted (a wallet's with its owner's sign), and of what is held. */
export interface BalanceChange {
  posted: Nano;
  held: Nano;
}
export type BalanceChanges = Map<string, BalanceChange>;

export function changeOf(changes: BalanceChanges, accountId: string): BalanceChange {
  let change = changes.get(accountId);
  if (!change) {
    change = { posted: 0n, held: 0n };
    changes.set(accountId, change);
  }
  return change;
}

/** What a transfer, or several alike, does to the two balances. A wallet is a liability: its balance has its owner's sign. */
export function post(changes: BalanceChanges, { debit, credit }: Pick<Transfer, 'debit' | 'credit'>, nano: Nano): void {
  if (nano === 0n) return;
  changeOf(changes, debit).posted += debit.startsWith('wallet:') ? -nano : nano;
  changeOf(changes, credit).posted += credit.startsWith('wallet:') ? nano : -nano;
}

/** Texts that JSON does not hold as they are. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const NEEDS_ESCAPE = /["\\\u0000-\u001f\ud800-\udfff]/;
const quote = (text: string | null) =>
  text === null ? 'null' : NEEDS_ESCAPE.test(text) ? JSON.stringify(text) : `"${text}"`;

/** Everything that a transfer says, as a JSON list, so that no text can pass for two: what the chain covers. */
export function transferText(seq: number, transfer: Transfer): string {
  const { kind, debit, credit, amountNano, atUs, requestId, idemKey, reversesSeq, note } = transfer;
  const rest =
    idemKey === null && reversesSeq === null && note === null ? '' : `,${quote(idemKey)},${reversesSeq},${quote(note)}`;
  return `[${seq},"${kind}",${quote(debit)},${quote(credit)},"${amountNano}",${atUs},${quote(requestId)}${rest}]`;
}

/** The link of transfers that were booked together, in order: SHA-256, base64url, over the link before and all their texts. */
export function linkHash(hashBefore: string, texts: string): string {
  return hash('sha256', `["${hashBefore}"${texts}]`, 'base64url');
}

/** The end of the ledger, locked until the transaction ends: booking is done one after the other, on every database. */
export interface Books {
  /** The number of the last transfer. */
  seq(): number;
  /** Books transfers that are known to be new, in order. Balances are not moved: see {@link post}, {@link applyChanges}. */
  write(transfers: readonly Transfer[]): Promise<void>;
  /** Ties what was written to the chain: once, at the end. */
  close(): Promise<void>;
}

const COLUMNS = ['seq', 'kind', 'debit', 'credit', 'amount_nano', 'booked_us', 'idem_key', 'reverses_seq', 'note'];

/** One link for all that is booked in this transaction: a hash for each would cost more, and find no more. */
export async function openBooks(store: Store, trx: StoreTransaction): Promise<Books> {
  const lock = sql.raw(store.dialect === 'postgres' ? ' for update' : '');
  const { rows } = await sql<{ seq: bigint; hash: string }>`
    select seq, hash from ledger_head where id = 1${lock}`.execute(trx);
  const [head] = rows;
  if (!head) throw new Error('the ledger has no head');
  const first = Number(head.seq);
  let seq = first;
  let texts = '';
  return {
    seq: () => seq,
    async write(transfers) {
      const values: StoreValue[][] = [];
      for (const transfer of transfers) {
        assertSound(transfer);
        seq++;
        texts += `,${transferText(seq, transfer)}`;
        const { kind, debit, credit, amountNano, atUs, idemKey, reversesSeq, note } = transfer;
        values.push([seq, kind, debit, credit, amountNano, atUs, idemKey, reversesSeq, note]);
      }
      await store.insertAll(trx, 'transfers', { columns: COLUMNS, rows: values });
    },
    async close() {
      if (seq === first) return;
      const link = linkHash(head.hash, texts);
      await store.insertAll(trx, 'chain', { columns: ['last_seq', 'hash'], rows: [[seq, link]] });
      await trx
        .updateTable('ledger_head')
        .set({ seq: BigInt(seq), hash: link })
        .where('id', '=', 1n)
        .execute();
    },
  };
}

/** I1: what leaves one account comes to another, in one currency. */
function assertSound({ kind, debit, credit, amountNano }: Transfer): void {
  const positive = amountNano > 0n || (amountNano === 0n && kind === 'usage');
  if (positive && debit !== credit && currencyEnd(debit) === currencyEnd(credit)) return;
  throw new Error(`a ${kind} of ${amountNano} from ${credit} to ${debit} is no transfer`);
}

const currencyEnd = (accountId: string) => accountId.slice(accountId.lastIndexOf(':'));

/** Moves balances by what transfers and the holds of a transaction say; opens the accounts that are missing. */
export async function applyChanges(store: Store, trx: StoreTransaction, changes: BalanceChanges): Promise<void> {
  const move = (ids: readonly string[]) =>
    store.changeRows(trx, 'balances', {
      key: ['account_id'],
      add: ['posted_nano', 'held_nano'],
      rows: ids.map(id => [id, changes.get(id)?.posted ?? 0n, changes.get(id)?.held ?? 0n]),
    });
  const ids = [...changes].filter(([, { posted, held }]) => posted !== 0n || held !== 0n).map(([id]) => id);
  const moved = await move(ids);
  const missing = ids.filter((_, index) => !moved[index]);
  await ensureAccounts(store, trx, missing);
  await move(missing);
}
