import { AMOUNT_NANO_MAX, formatAmount, isCurrency, MODEL_ID } from '@millrace/contract';
import { Fault } from '../../ground/std/index.ts';
import type { KeyScopes } from '../callers/index.ts';
import { parseCidr } from '../callers/index.ts';

const LIST_MAX = 1_000;
const LIMIT_MAX = 1_000_000_000;
const PERIODS: readonly string[] = ['total', 'day', 'month'];

/** Throws Fault `invalid_parameter` with the field that is wrong. */
export function checkScopes({ role: _role, models, ipRanges, budget, ...limits }: KeyScopes): void {
  checkList('models', models, {
    holds: pattern => pattern === '*' || MODEL_ID.test(pattern.replace(/\*$/, 'x')),
    en: 'is neither a model id nor one with a trailing *',
    zh: '既不是模型 ID，也不是以 * 结尾的模型 ID 前缀',
  });
  checkList('ipRanges', ipRanges, {
    holds: range => parseCidr(range) !== undefined,
    en: 'is no address range such as 10.0.0.0/8 or 2001:db8::/32',
    zh: '不是地址段（如 10.0.0.0/8 或 2001:db8::/32）',
  });
  for (const name of ['requestsPerMinute', 'tokensPerMinute', 'concurrency'] as const) {
    const value = limits[name];
    if (value !== undefined && (!Number.isInteger(value) || value < 1 || value > LIMIT_MAX))
      throw wrong(
        name,
        `${value} is not a whole number from 1 to ${LIMIT_MAX}`,
        `${value} 不是 1 到 ${LIMIT_MAX} 之间的整数`,
      );
  }
  if (budget) checkBudget(budget);
}

function checkList(
  name: string,
  list: readonly string[] | undefined,
  rule: { readonly holds: (text: string) => boolean; readonly en: string; readonly zh: string },
): void {
  if (list === undefined) return;
  if (list.length > LIST_MAX)
    throw wrong(
      name,
      `holds ${list.length} entries, at most ${LIST_MAX} are taken`,
      `最多 ${LIST_MAX} 项，当前 ${list.length} 项`,
    );
  const at = list.findIndex(text => !rule.holds(text));
  if (at < 0) return;
  const shown = (list[at] ?? '').slice(0, 80);
  throw wrong(`${name}[${at}]`, `"${shown}" ${rule.en}`, `“${shown}”${rule.zh}`);
}

function checkBudget({ currency, amountNano, period }: NonNullable<KeyScopes['budget']>): void {
  if (!isCurrency(currency))
    throw wrong(
      'budget.currency',
      `"${currency}" is no currency code such as CNY`,
      `“${currency}”不是币种代码（如 CNY）`,
    );
  if (amountNano < 0n || amountNano > AMOUNT_NANO_MAX)
    throw wrong(
      'budget.amount',
      `${formatAmount(amountNano)} is not between 0 and ${formatAmount(AMOUNT_NANO_MAX)}`,
      `${formatAmount(amountNano)} 不在 0 到 ${formatAmount(AMOUNT_NANO_MAX)} 之间`,
    );
  if (!PERIODS.includes(period))
    throw wrong(
      'budget.period',
      `"${period}" is none of ${PERIODS.join(', ')}`,
      `“${period}”不是 ${PERIODS.join('、')} 之一`,
    );
}

function wrong(param: string, en: string, zh: string): Fault {
  return new Fault('invalid_parameter', { message: `${param}: ${en}`, messageZh: `${param}：${zh}`, param });
}

interface StoredScopes extends Omit<KeyScopes, 'budget'> {
  readonly budget?: Omit<NonNullable<KeyScopes['budget']>, 'amountNano'> & { readonly amountNano: string };
}

/** As JSON, in one order of fields, so that equal scopes are equal texts. */
export function encodeScopes(scopes: KeyScopes): string {
  const { role, models, ipRanges, requestsPerMinute, tokensPerMinute, concurrency, budget } = scopes;
  const plain = budget && {
    currency: budget.currency,
    amountNano: budget.amountNano.toString(),
    period: budget.period,
  };
  return JSON.stringify({ role, models, ipRanges, requestsPerMinute, tokensPerMinute, concurrency, budget: plain });
}

export function decodeScopes(text: string): KeyScopes {
  const { budget, ...rest }: StoredScopes = JSON.parse(text);
  return budget ? { ...rest, budget: { ...budget, amountNano: BigInt(budget.amountNano) } } : rest;
}
