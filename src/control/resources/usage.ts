import { formatAmount, parseDate, type ROUTES, type UsageLine, type UsageTotal } from '@millrace/contract';
import { Fault } from '../../ground/std/index.ts';
import {
  readTotals,
  readUsage,
  readUsageGroups,
  type UsageTotals,
  type UsageLine as UsedLine,
} from '../../money/ledger/index.ts';
import type { Identity, Principal } from '../../people/identity/index.ts';
import type { ControlDeps } from '../deps.ts';
import type { Handlers } from '../routes/mount.ts';

/** What was used and paid, what it cost, and the margin: of one organization or all, line by line or summed. */
export function usageHandlers({ store, identity, loader }: ControlDeps): Handlers<typeof ROUTES.usage> {
  return {
    async read({ principal, query: { organization, project, key, model, from, to, limit, cursor, by } }) {
      if (organization !== undefined) await checkOwner(identity, organization, project);
      await loader.flush();
      const filter = {
        organizationId: organization,
        projectId: project,
        keyId: key,
        model,
        fromMs: from === undefined ? undefined : parseDate(from),
        toMs: to === undefined ? undefined : parseDate(to),
      };
      const total = (sums: UsageTotals) => {
        const shown = forWhom(principal, totalView(sums));
        return principal.organizationId === undefined ? shown : { ...shown, costedRevenue: null };
      };
      if (by !== undefined) {
        const [totals, groups] = [await readTotals(store, filter), await readUsageGroups(store, filter, by)];
        const shown = groups.map(({ group, ...sums }) => ({ group, ...total(sums) }));
        return { totals: totals.map(total), groups: shown, lines: [], next: null };
      }
      const { totals, lines, next } = await readUsage(store, { ...filter, limit, cursor });
      const line = (one: UsedLine) => {
        const shown = forWhom(principal, lineView(one));
        return principal.organizationId === undefined ? shown : { ...shown, costs: [] };
      };
      return { totals: totals.map(total), groups: [], lines: lines.map(line), next };
    },
  };
}

/** What it cost us is nothing for a customer. */
function forWhom<T extends { readonly cost: string | null; readonly margin: string | null }>(
  { organizationId }: Principal,
  shown: T,
): T {
  return organizationId === undefined ? shown : { ...shown, cost: null, margin: null };
}

/** Throws Fault `not_found`: nobody and nothing used are two answers. */
async function checkOwner(identity: Identity, organization: string, project: string | undefined): Promise<void> {
  const projects = await identity.projects(organization);
  if (project === undefined || projects.some(({ id }) => id === project)) return;
  throw new Fault('not_found', {
    message: `The organization ${organization} has no project ${project}`,
    messageZh: `组织 ${organization} 没有项目 ${project}`,
  });
}

function totalView({ revenueNano, costNano, costedRevenueNano, ...counts }: UsageTotals): UsageTotal {
  return {
    ...counts,
    revenue: formatAmount(revenueNano),
    cost: formatAmount(costNano),
    costedRevenue: formatAmount(costedRevenueNano),
    margin: formatAmount(costedRevenueNano - costNano),
  };
}

function lineView({ amountNano, costNano, costs, disputedNano, ...rest }: UsedLine): UsageLine {
  return {
    ...rest,
    amount: formatAmount(amountNano),
    cost: costNano === null ? null : formatAmount(costNano),
    costs: costs.map(({ currency, nano }) => ({ currency, amount: formatAmount(nano) })),
    margin: costNano === null ? null : formatAmount(amountNano - costNano),
    disputed: disputedNano === null ? null : formatAmount(disputedNano),
  };
}
