import { formatAmount, type Nano } from '@millrace/contract/words';
import type { Slots } from '../../ground/std/index.ts';
import type { CallerRecord, KeyScopes } from '../../people/callers/index.ts';
import { budgetApplies } from './hold.ts';
import type { Payer, Plan } from './plan.ts';
import { Shortfall } from './shortfall.ts';
import { stretchOf, worstNano } from './worst-case.ts';

/**
 * The refusal of a request that no payer covers: what is short, the wallet or the budget of the key, how much of it is left, and when
 * there will be more. It speaks of the first payer.
 */
export function shortOfMoney(
  caller: CallerRecord,
  plan: Plan,
  from: { readonly slots: Slots; readonly inputTokensMax: number; readonly nowMs: number },
): Shortfall {
  const { slots, inputTokensMax, nowMs } = from;
  const { budget } = caller.scopes;
  const payer = plan.payers.find(each => budget === undefined || budgetApplies(caller, each));
  if (!payer) return unmeasured(plan, budget);
  const stretch = stretchOf(plan, nowMs);
  const wanted = worstNano(payer.price, { inputTokensMax, outputTokensMax: plan.outputTokensHeld }, stretch);
  // Without a limit it would have done with less.
  const outputTokensMax = plan.smallerHolds.at(-1) ?? plan.outputTokensHeld;
  const nano = worstNano(payer.price, { inputTokensMax, outputTokensMax }, stretch);
  const need = { what: 'money', nano: wanted } as const;
  const amount = amountOf(nano, payer);
  const cost =
    nano < wanted
      ? { en: `this request needs at least ${amount}`, zh: `此请求至少需要 ${amount}` }
      : {
          en: `this request may cost up to ${amount}. A smaller max_tokens needs less`,
          zh: `此请求最多可能花费 ${amount}。减小 max_tokens 可降低所需金额`,
        };
  const budgetLeft = budget && slots.keys.budgetLeft(caller.slot);
  if (budget && budgetLeft !== undefined && budgetLeft < nano) {
    const reset = resetOf(budget, nowMs);
    const words = WORDS[budget.period];
    return new Shortfall(
      'insufficient_funds',
      {
        message: `The ${words.en} of this key does not cover it: ${amountOf(atLeastNothing(budgetLeft), payer)} of ${amountOf(budget.amountNano, payer)} is left, ${reset.en}; ${cost.en}`,
        messageZh: `此密钥的${words.zh}不足：${amountOf(budget.amountNano, payer)} 中还剩 ${amountOf(atLeastNothing(budgetLeft), payer)}，${reset.zh}；${cost.zh}`,
      },
      need,
    );
  }
  const left = amountOf(atLeastNothing(slots.wallets.spendable(payer.wallet.slot)), payer);
  const others = plan.payers.length > 1;
  return new Shortfall(
    'insufficient_funds',
    {
      message: `The wallet does not cover it: ${left} can be spent now${others ? ', and no other wallet covers it either' : ''}; ${cost.en}`,
      messageZh: `钱包余额不足：当前可用 ${left}${others ? '，其他钱包也不足' : ''}；${cost.zh}`,
    },
    need,
  );
}

type Budget = NonNullable<KeyScopes['budget']>;

/** When the period of a time ends, by UTC; undefined: never. */
function periodEndMs(period: Budget['period'], nowMs: number): number | undefined {
  if (period === 'total') return undefined;
  const now = new Date(nowMs);
  const [day, months] = period === 'day' ? [now.getUTCDate() + 1, 0] : [1, 1];
  return Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + months, day);
}

const WORDS = {
  total: { en: 'budget', zh: '预算' },
  day: { en: 'daily budget', zh: '每日预算' },
  month: { en: 'monthly budget', zh: '每月预算' },
} as const;

function resetOf({ period }: Budget, nowMs: number): { readonly en: string; readonly zh: string } {
  const endMs = periodEndMs(period, nowMs);
  if (endMs === undefined) return { en: 'and it does not renew itself', zh: '且不会自动重置' };
  const at = new Date(endMs).toISOString().replace(':00.000Z', 'Z');
  return { en: `until it resets at ${at}`, zh: `将于 ${at} 重置` };
}

/** A budget in a currency that this model is not paid in cannot be measured here, so it does not pass. */
function unmeasured(plan: Plan, budget: Budget | undefined): Shortfall {
  const currencies = plan.payers.map(({ wallet }) => wallet.currency);
  return new Shortfall(
    'insufficient_funds',
    {
      message: `The budget of this key is in ${budget?.currency}, and ${plan.model.id} is paid in ${currencies.join(', ')} here`,
      messageZh: `此密钥的预算以 ${budget?.currency} 计，而 ${plan.model.id} 在此以 ${currencies.join('、')} 付费`,
    },
    { what: 'money', nano: 0n },
  );
}

function amountOf(nano: Nano, { wallet }: Payer): string {
  return `${formatAmount(nano)} ${wallet.currency}`;
}

/** What was overdrawn is nothing that could be spent. */
function atLeastNothing(nano: Nano): Nano {
  return nano < 0n ? 0n : nano;
}
