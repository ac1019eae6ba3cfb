import { billingUsageQuerySchema, formatAmount, type Nano, parseDate } from '@millrace/contract';
import { Fault } from '../../ground/std/index.ts';
import { readTotals, readUsageGroups, type UsageTotals } from '../../money/ledger/index.ts';
import { ipAllowed } from '../../people/callers/index.ts';
import type { Budget, KeyEntry } from '../../people/identity/index.ts';
import { CLIENT_IP, keyIn } from '../access.ts';
import { type Access, type ControlApp, type ControlContext, readQuery } from '../context.ts';
import type { ControlDeps } from '../deps.ts';
import { walletView } from './wallets.ts';

/** `/v1/key` and OpenAI's billing paths: what a key may, spent and has left, for whoever holds it. It tells nothing of costs or of others. */
export function keyHolderRoutes(app: ControlApp, deps: ControlDeps, access: Access): void {
  const { store, loader } = deps;
  const holder = async (c: ControlContext) => {
    const key = await deps.identity.findLive(keyIn(c) ?? '');
    const isHere = key !== undefined && (access === 'owner' || ipAllowed(key, c.req.header(CLIENT_IP) ?? ''));
    if (!isHere) throw new Fault('invalid_api_key');
    // What is durable in the journal counts, also where the loader has not been yet.
    await loader.flush();
    return { keyId: key.id, organizationId: key.organizationId ?? '', key };
  };

  app.get('/v1/key', async c => c.json(await statusOf(deps, await holder(c))));

  for (const start of ['/v1/dashboard/billing', '/dashboard/billing']) {
    app.get(`${start}/subscription`, async c => {
      const { key, ...of } = await holder(c);
      const { granted, currency } = await accountOf(deps, { key, ...of });
      return c.json({
        object: 'billing_subscription',
        has_payment_method: true,
        currency,
        soft_limit_usd: number(granted),
        hard_limit_usd: number(granted),
        system_hard_limit_usd: number(granted),
        access_until: key.expiresAtMs === null ? 0 : Math.floor(key.expiresAtMs / 1000),
      });
    });

    app.get(`${start}/credit_grants`, async c => {
      const { granted, spent, left, currency } = await accountOf(deps, await holder(c));
      return c.json({
        object: 'credit_summary',
        currency,
        total_granted: number(granted),
        total_used: number(spent),
        total_available: number(left),
        grants: { object: 'list', data: [] },
      });
    });

    app.get(`${start}/usage`, async c => {
      const { start_date: from, end_date: to } = readQuery(c, billingUsageQuerySchema);
      const { key, ...of } = await holder(c);
      const { currency } = await accountOf(deps, { key, ...of });
      const filter = {
        ...of,
        fromMs: from === undefined ? undefined : parseDate(from),
        toMs: to === undefined ? undefined : parseDate(to),
      };
      const days = (await readUsageGroups(store, filter, 'day')).filter(day => day.currency === currency);
      const total = days.reduce((sum, { revenueNano }) => sum + revenueNano, 0n);
      return c.json({
        object: 'list',
        currency,
        total_usage: number(total * 100n),
        daily_costs: days.map(({ group, revenueNano }) => ({
          timestamp: Date.parse(group) / 1000,
          line_items: [{ name: 'all', cost: number(revenueNano * 100n) }],
        })),
      });
    });
  }
}

interface Holder {
  readonly keyId: string;
  readonly organizationId: string;
  readonly key: KeyEntry;
}

/** Only for shapes of others, who count money in floating point. */
const number = (nano: Nano) => Number(formatAmount(nano));

async function statusOf(deps: ControlDeps, { key, ...of }: Holder): Promise<object> {
  const { store, clock } = deps;
  const today = new Date(clock.nowMs()).toISOString();
  const since = async (fromMs: number | undefined) => (await readTotals(store, { ...of, fromMs })).map(spentView);
  const { budget, ...scopes } = key.scopes;
  const { spent, left, currency } = await accountOf(deps, { key, ...of });
  return {
    id: key.id,
    name: key.name,
    hint: key.hint,
    organizationId: of.organizationId,
    projectId: key.projectId ?? '',
    scopes,
    expiresAt: key.expiresAtMs === null ? null : new Date(key.expiresAtMs).toISOString(),
    budget: budget ? await budgetView(deps, key.id, budget) : null,
    wallets: (await deps.ledger.balances(of.organizationId)).map(walletView),
    usage: {
      day: await since(Date.parse(today.slice(0, 10))),
      month: await since(Date.parse(today.slice(0, 7))),
      total: await since(undefined),
    },
    data: {
      label: key.name || key.hint,
      currency,
      usage: number(spent),
      limit: budget ? number(budget.amountNano) : null,
      limit_remaining: budget ? number(left) : null,
      is_free_tier: false,
    },
  };
}

function spentView({ currency, requests, inputTokens, outputTokens, revenueNano }: UsageTotals) {
  return { currency, requests, inputTokens, outputTokens, amount: formatAmount(revenueNano) };
}

async function budgetView({ identity, clock }: ControlDeps, keyId: string, budget: Budget) {
  const spent = await identity.spent(keyId, budget);
  const left = budget.amountNano - spent;
  return {
    currency: budget.currency,
    amount: formatAmount(budget.amountNano),
    period: budget.period,
    spent: formatAmount(spent),
    left: formatAmount(left < 0n ? 0n : left),
    resetsAt: endOf(budget.period, clock.nowMs()),
  };
}

function endOf(period: Budget['period'], nowMs: number): string | null {
  const now = new Date(nowMs);
  const [year, month, day] = [now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate()];
  if (period === 'total') return null;
  return new Date(period === 'day' ? Date.UTC(year, month, day + 1) : Date.UTC(year, month + 1, 1)).toISOString();
}

/** In the currency of its budget, else of the first wallet that has something: spent in all, and what may still be. */
async function accountOf({ ledger, identity, store }: ControlDeps, { key, ...of }: Holder) {
  const wallets = await ledger.balances(of.organizationId);
  const { budget } = key.scopes;
  const wallet = budget
    ? wallets.find(({ currency }) => currency === budget.currency)
    : (wallets.find(({ availableNano }) => availableNano > 0n) ?? wallets[0]);
  const currency = budget?.currency ?? wallet?.currency ?? 'CNY';
  const totals = await readTotals(store, of);
  const spent = totals.find(total => total.currency === currency)?.revenueNano ?? 0n;
  const ofWallet = wallet?.availableNano ?? 0n;
  const ofBudget = budget ? budget.amountNano - (await identity.spent(key.id, budget)) : ofWallet;
  const least = ofBudget < ofWallet ? ofBudget : ofWallet;
  const left = least < 0n ? 0n : least;
  return { currency, spent, left, granted: spent + left };
}
