import {
  creditedSchema,
  isCurrency,
  type WalletView,
  walletEntryListSchema,
  walletListSchema,
} from '@millrace/contract';
import type { Lang, Words } from '../../control/index.ts';
import { Fault } from '../../ground/std/index.ts';
import { type Command, type CommandCall, ORG } from '../command.ts';
import { usageFault } from '../parse-argv.ts';
import { listText, table, time } from '../show.ts';
import { organizationPath } from './organizations.ts';

const show: Command = {
  name: 'wallet show',
  about: {
    en: 'balance of each wallet, and what is held for running requests',
    zh: '查看各钱包余额，以及为进行中的请求预留的金额',
  },
  flags: [
    ORG,
    { name: 'currency', value: 'CNY', about: { en: 'the wallet in this currency alone', zh: '仅此币种的钱包' } },
  ],
  fields: { currency: '--currency' },
  examples: ['wallet show --org acme', 'wallet show --org acme --currency USD --json'],
  json: '{"currency","balance","held","available","wallets":[{"currency","balance","held","available"}]}',
  jsonMore: {
    en: 'the first fields are those of the first wallet by name, or of the one asked for',
    zh: '前几个字段属于按币种名称排序的第一个钱包，或所指定的钱包',
  },
  async run(call) {
    const currency = knownCurrency(call);
    const all = await walletsOf(call);
    const wallets = currency === undefined ? all : all.filter(one => one.currency === currency);
    const [first] = wallets;
    if (!first) throw noWallet(call.text('org'), currency);
    call.answer({ ...first, wallets }, () => walletTable(wallets, call.lang));
    return 0;
  },
};

/** The currency asked for. Throws Fault `config_invalid` for a code that none has: "no wallet in CYN" would look as if one could be opened. */
function knownCurrency(call: CommandCall): string | undefined {
  const currency = call.optional('currency');
  if (currency === undefined || isCurrency(currency)) return currency;
  throw usageFault(
    `--currency: "${currency}" is not a currency code of ISO 4217, such as CNY or USD`,
    `--currency：“${currency}”不是 ISO 4217 币种代码，例如 CNY 或 USD`,
  );
}

const KINDS: Readonly<Record<string, Words>> = {
  credit: { en: 'top-up', zh: '充值' },
  'config-credit': { en: 'configuration', zh: '配置充值' },
  debit: { en: 'correction', zh: '更正' },
  reversal: { en: 'refund', zh: '退回' },
};

const entries: Command = {
  name: 'wallet entries',
  about: {
    en: 'what was paid in, corrected and given back, with its notes; what requests cost is in `usage`',
    zh: '查看充值、更正与退回及其备注；请求的费用见 `usage`',
  },
  flags: [
    ORG,
    { name: 'currency', value: 'CNY', about: { en: 'the wallet in this currency alone', zh: '仅此币种的钱包' } },
    { name: 'limit', value: 'N', about: { en: 'lines, 1 to 1000; 100 unless said', zh: '条数，1 到 1000，默认 100' } },
    { name: 'cursor', value: 'C', about: { en: 'the `next` of the page before', zh: '上一页返回的 `next`' } },
  ],
  fields: { currency: '--currency', limit: '--limit', cursor: '--cursor' },
  examples: ['wallet entries --org acme', 'wallet entries --org acme --currency CNY --limit 20 --json'],
  json: '{"entries":[{"seq","at","kind","currency","amount","note","idempotencyKey"}],"next"}',
  async run(call) {
    const query = new URLSearchParams();
    for (const name of ['currency', 'limit', 'cursor']) {
      const value = call.optional(name);
      if (value !== undefined) query.set(name, value);
    }
    const client = await call.client();
    const target = `${organizationPath(call.text('org'))}/wallets/entries?${query}`;
    const answer = await client.call(walletEntryListSchema, 'GET', target);
    const zh = call.lang === 'zh';
    const titles = zh
      ? ['时间', '类型', '金额', '币种', '备注', '幂等键']
      : ['TIME', 'KIND', 'AMOUNT', 'CURRENCY', 'NOTE', 'KEY'];
    call.answer(answer, () => {
      const rows = answer.entries.map(entry => [
        time(entry.at),
        KINDS[entry.kind]?.[call.lang] ?? entry.kind,
        entry.amount,
        entry.currency,
        entry.note ?? '',
        entry.idempotencyKey ?? '',
      ]);
      const columns = titles.map((title, index) => ({ title, right: index === 2 }));
      const next = answer.next === null ? '' : `\n\n${zh ? '更早的记录：' : 'Older lines: '}--cursor ${answer.next}`;
      return `${listText(call.lang, columns, rows)}${next}`;
    });
    return 0;
  },
};

const credit: Command = {
  name: 'wallet credit',
  about: { en: 'add money to a wallet, or take some back with a negative amount', zh: '给钱包充值；金额为负则收回' },
  flags: [
    ORG,
    {
      name: 'amount',
      value: '100',
      required: true,
      about: { en: 'in units of the currency', zh: '金额，以币种为单位' },
    },
    { name: 'currency', value: 'CNY', about: { en: 'the only wallet where there is one', zh: '只有一个钱包时可省略' } },
    {
      name: 'key',
      value: 'TEXT',
      about: { en: 'idempotency key: sent twice, it is booked once', zh: '幂等键：重复发送只入账一次' },
    },
    { name: 'note', value: 'TEXT', about: { en: 'kept in the ledger', zh: '备注，记入账簿' } },
  ],
  fields: { amount: '--amount', currency: '--currency', idempotencyKey: '--key', note: '--note' },
  examples: [
    'wallet credit --org acme --amount 100 --currency CNY',
    'wallet credit --org acme --amount 100 --currency CNY --key order-4711 --note "invoice 12"',
    'wallet credit --org acme --amount -5 --currency CNY --note "booked twice"',
  ],
  json: '{"booked","currency","balance","held","available"}',
  async run(call) {
    const currency = call.optional('currency') ?? (await onlyCurrency(call));
    const client = await call.client();
    const credited = await client.call(creditedSchema, 'POST', `${organizationPath(call.text('org'))}/wallets/credit`, {
      currency,
      amount: call.text('amount'),
      idempotencyKey: call.optional('key'),
      note: call.optional('note'),
    });
    if (!credited.booked)
      call.note(
        call.lang === 'zh'
          ? '此幂等键已入账，未重复记账。'
          : 'This idempotency key was booked before; nothing was added.',
      );
    call.answer(credited, () => walletTable([credited], call.lang));
    return 0;
  },
};

async function walletsOf(call: CommandCall): Promise<readonly WalletView[]> {
  const client = await call.client();
  return (await client.call(walletListSchema, 'GET', `${organizationPath(call.text('org'))}/wallets`)).wallets;
}

async function onlyCurrency(call: CommandCall): Promise<string> {
  const wallets = await walletsOf(call);
  const [first] = wallets;
  if (first && wallets.length === 1) return first.currency;
  const org = call.text('org');
  throw new Fault('config_invalid', {
    message: `--currency is missing: ${org} has ${first ? `wallets in ${wallets.map(one => one.currency).join(', ')}` : 'no wallet yet'}`,
    messageZh: `缺少 --currency：${org} ${first ? `有 ${wallets.map(one => one.currency).join('、')} 钱包` : '还没有钱包'}`,
  });
}

function noWallet(org: string, currency: string | undefined): Fault {
  return new Fault('not_found', {
    message: currency === undefined ? `${org} has no wallet yet` : `${org} has no wallet in ${currency}`,
    messageZh: currency === undefined ? `${org} 还没有钱包` : `${org} 没有 ${currency} 钱包`,
  });
}

function walletTable(wallets: readonly WalletView[], lang: Lang): string {
  const titles = lang === 'zh' ? ['币种', '余额', '预留', '可用'] : ['CURRENCY', 'BALANCE', 'HELD', 'AVAILABLE'];
  return table(
    titles.map((title, index) => ({ title, right: index > 0 })),
    wallets.map(({ currency, balance, held, available }) => [currency, balance, held, available]),
  );
}

export const WALLET_COMMANDS: readonly Command[] = [show, credit, entries];
