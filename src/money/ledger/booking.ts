import { hash } from 'node:crypto';
import type { Nano } from '@millrace/contract';
import { sql } from 'kysely';
import { type Store, type StoreTransaction, type StoreValue, splitCarry } from '../../ground/store/index.ts';
import { ensureAccounts } from './accounts.ts';

/** `cost`: what the calls of a batch of requests owe one provider. `config-credit`: a top-up that a configuration file states. */
export type TransferKind = 'credit' | 'config-credit' | 'debit' | 'cost' | 'reversal';

/** Two accounts between which money moves. */
export interface AccountPair {
  readonly debit: string;
  readonly credit: string;
  /** Both as JSON. */
  readonly text: string;
}

/** Throws where the two are one account, or of two currencies: what leaves one must be what comes to the other (I1). */
export function accountPair(debit: string, credit: string): AccountPair {
  if (debit === credit || currencyEnd(debit) !== currencyEnd(credit))
    throw new Error(`nothing can be transferred from ${credit} to ${debit}`);
  for (const id of [debit, credit])
    if (id.split(':').length !== 3) throw new Error(`${id} is not the name of an account`);
  return { debit, credit, text: pairText(debit, credit) };
}

export const pairText = (debit: string, credit: string) => `${quote(debit)},${quote(credit)}`;

const currencyEnd = (accountId: string) => accountId.slice(accountId.lastIndexOf(':'));

/**
 * A transaction in double entry: one amount that leaves `credit` and comes to `debit`. What a request costs is one too, told by
 * the row of the request: see {@link Charge}.
 */
export interface Transfer {
  readonly kind: TransferKind;
  readonly accounts: AccountPair;
  readonly amountNano: Nano;
  readonly atUs: number;
  /** Booked once per key, however often it is sent; null where its batch is the key. */
  readonly idemKey: string | null;
  /** The transaction that this one takes back: corrections are new transactions. */
  readonly reversesSeq: number | null;
  readonly note: string | null;
}

/** What a request costs, from its wallet to revenue. 0 where it cost nothing: it is a transaction all the same. */
export interface Charge {
  readonly accounts: AccountPair;
  readonly amountNano: Nano;
  /** Its rows, once it has its number: the chain covers every column of them. */
  readonly rows: (seq: number) => ChargeRows;
}

export interface ChargeRows {
  /** {@link digestOf} its series. */
  readonly series: string;
  readonly request: readonly StoreValue[];
  readonly attempts: readonly (readonly StoreValue[])[];
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
export function post(changes: BalanceChanges, { debit, credit }: AccountPair, nano: Nano): void {
  if (nano === 0n) return;
  changeOf(changes, debit).posted += debit.startsWith('wallet:') ? -nano : nano;
  changeOf(changes, credit).posted += credit.startsWith('wallet:') ? nano : -nano;
}

/** Texts that JSON does not hold as they are. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const NEEDS_ESCAPE = /["\\\u0000-\u001f\ud800-\udfff]/;
const quote = (text: string | null) =>
  text === null ? 'null' : NEEDS_ESCAPE.test(text) ? JSON.stringify(text) : `"${text}"`;

/** Everything that a transaction says, as a JSON list, so that no text can pass for two: what the chain covers. */
export function transferText(seq: number, transfer: Transfer): string {
  const { kind, accounts, amountNano, atUs, idemKey, reversesSeq, note } = transfer;
  return `[${seq},"${kind}",${accounts.text},"${amountNano}",${atUs},${quote(idemKey)},${reversesSeq},${quote(note)}]`;
}

/** Every column of a request, of its calls and of its series: what a bill says is what was booked. */
export function chargeText({ text }: Pick<AccountPair, 'text'>, { series, request, attempts }: ChargeRows): string {
  let calls = '';
  for (const attempt of attempts) calls += `${calls === '' ? '' : ','}${rowText(attempt)}`;
  return `["usage",${text},"${series}",${rowText(request)},[${calls}]]`;
}

/** Values as either database gives them back: whole numbers, texts without NUL or halves of pairs, or nothing. */
function rowText(values: readonly StoreValue[]): string {
  let text = '';
  for (const value of values) {
    const part = typeof value === 'string' ? quote(asStored(value)) : String(value);
    text += text === '' ? part : `,${part}`;
  }
  return `[${text}]`;
}

const asStored = (text: string) => (NEEDS_ESCAPE.test(text) ? text.toWellFormed().replaceAll('\0', '\uFFFD') : text);

/** Of what many requests have in common. */
export function digestOf(series: readonly StoreValue[]): string {
  return hash('sha256', rowText(series), 'base64url');
}

/** The link of transactions that were booked together, in order: SHA-256, base64url, over the link before and all their texts. */
export function linkHash(hashBefore: string, texts: string): string {
  return hash('sha256', `["${hashBefore}"${texts}]`, 'base64url');
}

/** The end of the ledger, locked until the transaction ends: booking is done one after the other, on every database. */
export interface Books {
  /** Numbers a request that is known to be new. The caller writes its rows. */
  charge(charge: Charge): ChargeRows;
  /** Books transfers that are known to be new, in order. Balances are not moved: see {@link post}, {@link applyChanges}. */
  write(transfers: readonly Transfer[]): Promise<void>;
  /** Ties what was booked to the chain: once, at the end. Returns the newest transaction. */
  close(): Promise<bigint>;
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
    charge(charge) {
      if (charge.amountNano < 0n) throw new Error(`a charge of ${charge.amountNano} is none`);
      seq++;
      const rows = charge.rows(seq);
      texts += `,${chargeText(charge.accounts, rows)}`;
      return rows;
    },
    async write(transfers) {
      const values: StoreValue[][] = [];
      for (const transfer of transfers) {
        if (transfer.amountNano <= 0n) throw new Error(`a ${transfer.kind} of ${transfer.amountNano} is no transfer`);
        seq++;
        texts += `,${transferText(seq, transfer)}`;
        const { kind, accounts, amountNano, atUs, idemKey, reversesSeq, note } = transfer;
        values.push([seq, kind, accounts.debit, accounts.credit, amountNano, atUs, idemKey, reversesSeq, note]);
      }
      await store.insertAll(trx, 'transfers', { columns: COLUMNS, rows: values });
    },
    async close() {
      if (seq === first) return head.seq;
      const link = linkHash(head.hash, texts);
      await store.insertAll(trx, 'chain', { columns: ['last_seq', 'hash'], rows: [[seq, link]] });
      await trx
        .updateTable('ledger_head')
        .set({ seq: BigInt(seq), hash: link })
        .where('id', '=', 1n)
        .execute();
      return BigInt(seq);
    },
  };
}

/** Moves balances by what transfers and the holds of a transaction say; opens the accounts that are missing. */
export async function applyChanges(store: Store, trx: StoreTransaction, changes: BalanceChanges): Promise<void> {
  const ids = [...changes].filter(([, { posted, held }]) => posted !== 0n || held !== 0n).map(([id]) => id);
  const missing = await moveBalances(store, trx, { changes, ids });
  await ensureAccounts(store, trx, missing);
  await moveBalances(store, trx, { changes, ids: missing });
}

/** Returns the accounts that are not there. A wallet is kept in range by what it may hold; all else is summed up for ever. */
async function moveBalances(
  store: Store,
  trx: StoreTransaction,
  { changes, ids }: { readonly changes: BalanceChanges; readonly ids: readonly string[] },
): Promise<readonly string[]> {
  if (ids.length === 0) return [];
  const wallets = ids.filter(id => id.startsWith('wallet:'));
  const house = ids.filter(id => !id.startsWith('wallet:'));
  const posted = (id: string) => changes.get(id)?.posted ?? 0n;
  const movedWallets = await store.changeRows(trx, 'balances', {
    key: ['account_id'],
    add: ['posted_nano', 'held_nano'],
    rows: wallets.map(id => [id, posted(id), changes.get(id)?.held ?? 0n]),
  });
  const movedHouse = await store.changeRows(trx, 'balances', {
    key: ['account_id'],
    carry: [['posted_nano', 'posted_carry']],
    rows: house.map(id => [id, ...splitCarry(posted(id))]),
  });
  return [...wallets.filter((_, index) => !movedWallets[index]), ...house.filter((_, index) => !movedHouse[index])];
}
