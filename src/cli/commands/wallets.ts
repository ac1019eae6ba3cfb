import { creditedSchema, type WalletView, walletListSchema } from '@millrace/contract';
import type { Lang } from '../../control/index.ts';
import { Fault } from '../../ground/std/index.ts';
import { type Command, type CommandCall, ORG } from '../command.ts';
import { table } from '../show.ts';
import { organizationPath } from './organizations.ts';

const show: Command = {
  name: 'wallet show',
  about: {
    en: 'balance of a wallet, and what is held for running requests',
    zh: '查看钱包余额，以及为进行中的请求预留的金额',
  },
  flags: [
    ORG,
    {
      name: 'currency',
      value: 'CNY',
      about: {
        en: 'which wallet; the first by name where there are several',
        zh: '哪个币种；有多个时默认按名称取第一个',
      },
    },
  ],
  examples: ['wallet show --org acme', 'wallet show --org acme --currency USD --json'],
  json: '{"currency","balance","held","available"}',
  async run(call) {
    const wallets = await walletsOf(call);
    const currency = call.optional('currency');
    const wallet = currency === undefined ? wallets[0] : wallets.find(one => one.currency === currency);
    if (!wallet) throw noWallet(call.text('org'), currency);
    call.answer(wallet, () => walletTable(currency === undefined ? wallets : [wallet], call.lang));
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

export const WALLET_COMMANDS: readonly Command[] = [show, credit];
